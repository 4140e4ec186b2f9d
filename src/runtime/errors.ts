export type StatusDetails = {
  name?: string;
  kind?: string;
  causes?: { field?: string; reason?: string; message?: string }[];
};

/** The API server's refusal, from its Status object; status is the HTTP code. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;
  readonly details: StatusDetails | undefined;

  constructor(
    fields: {
      status: number;
      reason: string;
      message: string;
      retryAfterSeconds?: number | undefined;
      details?: StatusDetails | undefined;
    },
    options?: ErrorOptions,
  ) {
    super(fields.message, options);
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.details = fields.details;
  }
}

/** There was no usable answer: refused, reset, cut or past its deadline. The request may have been carried out. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}

/** The lease went to another process or could not be renewed in time: this one must stop writing and exit. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
}

function hasReason(error: unknown, status: number, reason?: string): boolean {
  return (
    error instanceof ApiError && error.status === status && (reason === undefined || error.reason === reason)
  );
}

export function isNotFound(error: unknown): boolean {
  return hasReason(error, 404);
}

export function isAlreadyExists(error: unknown): boolean {
  return hasReason(error, 409, 'AlreadyExists');
}

/** A write lost a race, or server-side apply met another field manager; AlreadyExists is not one. */
export function isConflict(error: unknown): boolean {
  return hasReason(error, 409) && !isAlreadyExists(error);
}

/** 410: the resource version or continue token is too old. */
export function isGone(error: unknown): boolean {
  return hasReason(error, 410);
}

export function isForbidden(error: unknown): boolean {
  return hasReason(error, 403);
}

/** Whether the same request may succeed later: no answer, a lost race, a server that is busy or failed. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true;
  return error.status >= 500 || error.status === 429 || isConflict(error);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
