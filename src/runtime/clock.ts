/** Time as a dependency, so that logic that waits can be tested without waiting. */
export type Clock = {
  now(): Date;
  /** Milliseconds that never jump: for durations and expiry. */
  monotonic(): number;
  /** Calls fn once after ms; the returned function cancels it. */
  setTimeout(fn: () => void, ms: number): () => void;
};

/** The platform's setTimeout fires at once beyond 2^31-1 ms (24.8 days), so longer waits are split. */
const longestTimer = 2 ** 31 - 1;

function startTimer(fn: () => void, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const hop = (rest: number) => {
    const step = Math.min(rest, longestTimer);
    timer = setTimeout(() => (rest > step ? hop(rest - step) : fn()), step);
  };
  hop(Math.max(0, ms));
  return () => clearTimeout(timer);
}

export const realClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  setTimeout: startTimer,
};

/** Waits for ms; ends early, without an error, when the signal aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.setTimeout(finish, ms);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
