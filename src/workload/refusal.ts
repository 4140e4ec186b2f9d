import { REASONS } from '../api/conditions';
import { ApiError } from '../runtime/errors';
import type { Trouble } from './pod-state';

/** Why the API server did not store a child, in its own words. */
export type Refusal = Trouble & {
  /** A field is wrong, so that only another spec can help. */
  final: boolean;
  /** Set where the server could not decide (a webhook that is down): the pass ends with it, and back-off follows. */
  retry?: Error;
};

/** Delay before refused work is tried again: a quota may be raised. */
export const RETRY_REFUSED_MS = 10_000;

/** Lost races and full servers: the next try settles them, so that they are no news. */
const PASSING = [409, 410, 429];

/** A decision that may be another one later, without a change of the object: quota, admission, policy. */
const DECISIONS = [400, 403, 422];

/**
 * What to show of an error. `fieldOf` names the field of our object behind one of the child's. Whatever is no answer of
 * the server, or no news, is thrown again.
 */
export function refusalFrom(error: unknown, fieldOf = (field: string): string => field): Refusal {
  if (!(error instanceof ApiError) || PASSING.includes(error.status)) throw error;
  const reason = error.reason || REASONS.refused;
  const wrong = wrongFields(error, fieldOf);
  if (wrong !== undefined) return { reason, message: wrong, final: true };
  if (DECISIONS.includes(error.status)) return { reason, message: error.message, final: false };
  return { reason, message: `${error.message}. It is tried again.`, final: false, retry: error };
}

/** The server's validation names each field; a policy, which answers 422 as well, names none. */
function wrongFields({ status, details }: ApiError, fieldOf: (field: string) => string): string | undefined {
  if (status !== 422) return undefined;
  const causes = (details?.causes ?? []).flatMap(({ field, message }) =>
    field === undefined ? [] : [`${fieldOf(field)}: ${message ?? 'invalid'}`],
  );
  return causes.length === 0 ? undefined : [...new Set(causes)].join('; ');
}
