import { setTimeout as delay } from 'node:timers/promises';

/** A user's mistake or a missing prerequisite, explained in one sentence: printed without a stack trace. */
export class ClusterError extends Error {}

export type WaitOptions = {
  /** What is waited for, as the end of "timed out waiting for ...". */
  what: string;
  timeoutMs: number;
  intervalMs?: number;
  /** Throws when there is nothing left to wait for, for instance because the process ended. */
  abort?: () => void | Promise<void>;
};

/** Asks again until the condition gives something other than false, null or undefined. */
export async function waitFor<T>(
  condition: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  { what, timeoutMs, intervalMs = 100, abort }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result !== false && result !== null && result !== undefined) return result;
    await abort?.();
    if (performance.now() > deadline) {
      throw new ClusterError(`timed out after ${Math.round(timeoutMs / 1000)} s waiting for ${what}`);
    }
    await delay(intervalMs);
  }
}
