import type { Clock } from '../runtime/clock';

export type CoalescerOptions<R> = {
  clock: Clock;
  /** Writes what has come together for a key; a failure loses it, for the next report repeats what matters. */
  write(key: string, report: R): Promise<void>;
  /** The later one wins, part by part. */
  merge(earlier: R, later: R): R;
  /** Shortest time between two writes of a key that nothing urgent asks for. */
  intervalMs: number;
  /** Writes a second over all keys; with more keys the interval grows. */
  writesPerSecond: number;
};

export type Coalescer<R> = {
  /** Takes a report. An urgent one is written before this resolves; another one soon enough. */
  submit(key: string, report: R, urgent: boolean): Promise<void>;
  /** Writes everything that waits. */
  flush(): Promise<void>;
  /** Keys with something that waits. */
  readonly waiting: number;
};

type Entry<R> = {
  pending: R | undefined;
  wroteAt: number;
  cancelTimer: (() => void) | undefined;
  writing: Promise<void> | undefined;
};

/** Many reports of one object become few writes, in order, and the last one always gets written. */
export function createCoalescer<R>(options: CoalescerOptions<R>): Coalescer<R> {
  const { clock } = options;
  const entries = new Map<string, Entry<R>>();

  function interval(): number {
    return Math.max(options.intervalMs, (entries.size / options.writesPerSecond) * 1000);
  }

  function entryOf(key: string): Entry<R> {
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = { pending: undefined, wroteAt: -Infinity, cancelTimer: undefined, writing: undefined };
      entries.set(key, entry);
    }
    return entry;
  }

  /** Writes what waits, one write at a time; forgets a key of which nothing was heard for an interval. */
  async function writeNow(key: string, entry: Entry<R>): Promise<void> {
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    while (entry.writing !== undefined) await entry.writing.catch(() => undefined);
    const report = entry.pending;
    if (report === undefined) return;
    entry.pending = undefined;
    entry.wroteAt = clock.monotonic();
    entry.writing = options.write(key, report).finally(() => (entry.writing = undefined));
    forgetLater(key, entry);
    await entry.writing;
  }

  function forgetLater(key: string, entry: Entry<R>): void {
    entry.cancelTimer = clock.setTimeout(() => {
      entry.cancelTimer = undefined;
      if (entry.pending === undefined) entries.delete(key);
      else void writeNow(key, entry).catch(() => undefined);
    }, interval());
  }

  return {
    async submit(key, report, urgent) {
      const entry = entryOf(key);
      entry.pending = entry.pending === undefined ? report : options.merge(entry.pending, report);
      // Otherwise the timer that the last write has set will find it.
      if (urgent || clock.monotonic() - entry.wroteAt >= interval()) await writeNow(key, entry);
    },

    async flush() {
      await Promise.allSettled([...entries].map(([key, entry]) => writeNow(key, entry)));
      for (const entry of entries.values()) entry.cancelTimer?.();
    },

    get waiting() {
      return [...entries.values()].filter((entry) => entry.pending !== undefined).length;
    },
  };
}
