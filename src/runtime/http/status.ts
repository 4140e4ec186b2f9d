import { ApiError, type StatusDetails } from '../errors';

/** metav1.Status, the body of every refusal. */
type Status = {
  kind?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: StatusDetails & { retryAfterSeconds?: number };
};

const reasons: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

function reasonOf(code: number): string {
  return reasons[code] ?? 'Unknown';
}

/** The error of a refused request. Of a body that is no Status (a proxy's page), it quotes the beginning. */
export function errorFromResponse(
  code: number,
  body: string,
  retryAfterSeconds: number | undefined,
): ApiError {
  const status = parseStatus(body);
  if (status === undefined) {
    const quoted = body.replace(/\s+/g, ' ').trim().slice(0, 200);
    const message = `the server answered ${code}${quoted === '' ? '' : `: ${quoted}`}`;
    return new ApiError({ status: code, reason: reasonOf(code), message, retryAfterSeconds });
  }
  return new ApiError({
    status: code,
    reason: status.reason || reasonOf(code),
    message: status.message || `the server answered ${code}`,
    retryAfterSeconds: retryAfterSeconds ?? status.details?.retryAfterSeconds,
    details: status.details,
  });
}

/** The error that an ERROR event of a watch carries. */
export function errorFromStatus(object: unknown): ApiError {
  const status = (typeof object === 'object' && object !== null ? object : {}) as Status;
  const code = status.code ?? 500;
  return new ApiError({
    status: code,
    reason: status.reason || reasonOf(code),
    message: status.message || `the watch ended with ${code}`,
    retryAfterSeconds: status.details?.retryAfterSeconds,
    details: status.details,
  });
}

/** Seconds of a Retry-After header, which holds a number or a date. */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now.getTime()) / 1000);
}

function parseStatus(body: string): Status | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const isStatus =
      typeof parsed === 'object' && parsed !== null && 'kind' in parsed && parsed.kind === 'Status';
    return isStatus ? (parsed as Status) : undefined;
  } catch {
    return undefined;
  }
}
