export type BackoffOptions = { baseMs: number; capMs: number };

/**
 * The n-th delay (from 0) of an exponential back-off: base * 2^n, at most the cap.
 * Example: base 100, cap 1000 gives 100, 200, 400, 800, 1000, 1000 ...
 */
export function backoffDelay({ baseMs, capMs }: BackoffOptions, attempt: number): number {
  // 2^attempt is Infinity from 1024 on; min() turns that into the cap.
  return Math.min(capMs, baseMs * 2 ** attempt);
}

/** Spreads a delay evenly over its upper half, so that clients which failed together do not return together. */
export function jittered(delayMs: number, random: () => number): number {
  return delayMs * (0.5 + random() / 2);
}
