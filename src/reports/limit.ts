import type { Clock } from '../runtime/clock';

export type RateLimit = {
  /** Milliseconds until the key may act again; 0 when it may act now, and then this call counts. */
  take(key: string): number;
};

/** Number of buckets from which full ones are dropped. */
const MANY_KEYS = 1_000;

/** A token bucket for each key: `burst` at once, then `perSecond`. */
export function createRateLimit(
  clock: Clock,
  { burst, perSecond }: { burst: number; perSecond: number },
): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const fillMs = (burst / perSecond) * 1000;
  let swept = -Infinity;

  /** A full bucket equals a missing one. Checking all of them at each call would cost more than keeping them. */
  function dropFull(now: number): void {
    if (now - swept < fillMs) return;
    swept = now;
    for (const [key, { at }] of buckets) if (now - at > fillMs) buckets.delete(key);
  }

  return {
    take(key) {
      const now = clock.monotonic();
      if (buckets.size >= MANY_KEYS) dropFull(now);
      const { tokens, at } = buckets.get(key) ?? { tokens: burst, at: now };
      const filled = Math.min(burst, tokens + ((now - at) / 1000) * perSecond);
      const allowed = filled >= 1;
      buckets.set(key, { tokens: allowed ? filled - 1 : filled, at: now });
      return allowed ? 0 : Math.ceil(((1 - filled) / perSecond) * 1000);
    },
  };
}
