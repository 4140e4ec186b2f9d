import { REASONS } from '../api/conditions';
import { ApiError } from '../runtime/errors';
import type { Trouble } from './pod-state';

/** Why the API server did not store a child, in its own words. */
export type Refusal = Trouble & {
  /** True when a field is wrong, so that only another spec can help. */
  final: boolean;
  /** Set when the server could not decide (a webhook that is down): the pass throws it, and back-off follows. */
  retry?: Error;
};

/** Delay before refused work is retried: a quota may have been raised. */
export const RETRY_REFUSED_MS = 10_000;

/** Status codes of lost races and overloaded servers: a retry settles them, so the user sees nothing. */
const PASSING = [409, 410, 429];

/** Status codes of decisions that may change without a change of the object: quota, admission, policy. */
const DECISIONS = [400, 403, 422];

/**
 * What to show of an error. `fieldOf` maps a field of the child to the field of our object behind it. Rethrows errors
 * that are no answer of the server, and those that a retry settles.
 */
export function refusalFrom(error: unknown, fieldOf = (field: string): string => field): Refusal {
  if (!(error instanceof ApiError) || PASSING.includes(error.status)) throw error;
  const reason = error.reason || REASONS.refused;
  const wrong = wrongFields(error, fieldOf);
  if (wrong !== undefined) return { reason, message: wrong, final: true };
  if (DECISIONS.includes(error.status)) return { reason, message: error.message, final: false };
  return { reason, message: `${error.message}. The operator tries again.`, final: false, retry: error };
}

/** Validation in the API server names each field; a policy, which also answers 422, names none. */
function wrongFields({ status, details }: ApiError, fieldOf: (field: string) => string): string | undefined {
  if (status !== 422) return undefined;
  const causes = (details?.causes ?? []).flatMap(({ field, message }) =>
    field === undefined ? [] : [`${fieldOf(field)}: ${message ?? 'invalid'}`],
  );
  return causes.length === 0 ? undefined : [...new Set(causes)].join('; ');
}
