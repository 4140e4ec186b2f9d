/** Requests that wait for a replica, in the order of their arrival. */
import type { Clock } from '../runtime/clock';

export type Hold = {
  /**
   * Resolves when a replica may be there (true), at the deadline (false), or when the signal aborts (false).
   */
  wait(deadline: number, signal: AbortSignal): Promise<boolean>;
  /** Lets all of them look again. */
  release(): void;
  readonly size: number;
};

export function createHold(clock: Clock): Hold {
  const waiting = new Set<(isReleased: boolean) => void>();
  return {
    wait: (deadline, signal) =>
      new Promise((resolve) => {
        const end = (isReleased: boolean) => {
          waiting.delete(end);
          cancel();
          signal.removeEventListener('abort', gone);
          resolve(isReleased);
        };
        const gone = () => end(false);
        const cancel = clock.setTimeout(() => end(false), Math.max(0, deadline - clock.monotonic()));
        if (signal.aborted) return end(false);
        signal.addEventListener('abort', gone, { once: true });
        waiting.add(end);
      }),
    release() {
      for (const end of [...waiting]) end(true);
    },
    get size() {
      return waiting.size;
    },
  };
}
