/** Answers of the gateway itself: errors as OpenAI's clients read them, under /v2 as the Open Inference Protocol's. */
import type { ServerResponse } from 'node:http';

export class GatewayError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

export function writeError(
  response: ServerResponse,
  path: string,
  error: GatewayError,
  close: boolean,
): void {
  const { status, code, message, retryAfterSeconds } = error;
  const isProtocol = path === '/v2' || path.startsWith('/v2/');
  const body = JSON.stringify({
    error: isProtocol ? message : { message, type: typeOf(status), param: null, code },
  });
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }),
    ...(close ? { Connection: 'close' } : {}),
  });
  response.end(body);
}

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
