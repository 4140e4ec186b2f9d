import type { Clock } from '../runtime/clock';
import { isPassing } from '../runtime/errors';

export type CoalescerOptions<R> = {
  clock: Clock;
  /** Writes the merged reports of a key. After a temporary failure they are kept and written with the next ones. */
  write(key: string, report: R): Promise<void>;
  /** Merges two reports: the later one wins, part by part. */
  merge(earlier: R, later: R): R;
  /** Shortest time between two writes of a key without an urgent report. */
  intervalMs: number;
  /** Writes per second over all keys; with more keys the interval grows. */
  writesPerSecond: number;
};

/** Outcome of a report: it is written, or will be within an interval while this process lives. */
export type Receipt = 'written' | 'accepted';

export type Coalescer<R> = {
  /**
   * Takes a report. An urgent report is written before this resolves, and this rejects when the write fails; any other
   * may be written later, and is retried until it succeeds or is refused for good.
   */
  submit(key: string, report: R, urgent: boolean): Promise<Receipt>;
  /** Writes everything that is waiting, once. */
  flush(): Promise<void>;
  /** Number of keys with a waiting report. */
  readonly waiting: number;
};

/** Reports that are written together; every sender that waits learns the outcome. */
type Batch<R> = { report: R; outcome: PromiseWithResolvers<void> };

type Entry<R> = {
  pending: Batch<R> | undefined;
  wroteAt: number;
  cancelTimer: () => void;
  /** Settles with the last requested write; never rejects. Undefined while none is under way. */
  writes: Promise<void> | undefined;
};

/** Combines many reports of one object into few writes, in order; the last report is always written. */
export function createCoalescer<R>(options: CoalescerOptions<R>): Coalescer<R> {
  const { clock } = options;
  const entries = new Map<string, Entry<R>>();

  function interval(): number {
    return Math.max(options.intervalMs, (entries.size / options.writesPerSecond) * 1000);
  }

  function entryOf(key: string): Entry<R> {
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = {
        pending: undefined,
        wroteAt: -Infinity,
        cancelTimer: () => undefined,
        writes: undefined,
      };
      entries.set(key, entry);
    }
    return entry;
  }

  function batchOf(report: R): Batch<R> {
    const outcome = Promise.withResolvers<void>();
    outcome.promise.catch(() => undefined); // there may be no waiter
    return { report, outcome };
  }

  /** Writes what is waiting, after the writes requested before; returns the outcome. */
  function writeNow(key: string, entry: Entry<R>): Promise<void> {
    const batch = entry.pending;
    if (batch === undefined) return entry.writes ?? Promise.resolve();
    const writes = entry.writes?.then(() => writeBatch(key, entry)) ?? writeBatch(key, entry);
    entry.writes = writes;
    void writes.then(() => {
      if (entry.writes === writes) entry.writes = undefined;
    });
    return batch.outcome.promise;
  }

  async function writeBatch(key: string, entry: Entry<R>): Promise<void> {
    const batch = entry.pending;
    if (batch === undefined) return; // an earlier write took it along
    entry.pending = undefined;
    entry.wroteAt = clock.monotonic();
    entry.cancelTimer();
    try {
      await options.write(key, batch.report);
      batch.outcome.resolve();
    } catch (error) {
      if (isPassing(error)) putBack(entry, batch.report);
      batch.outcome.reject(error);
    }
    lookAgain(key, entry);
  }

  /** Its sender may have been answered that it was accepted, and then sends only what is new. */
  function putBack(entry: Entry<R>, report: R): void {
    if (entry.pending === undefined) entry.pending = batchOf(report);
    else entry.pending.report = options.merge(report, entry.pending.report);
  }

  /** Runs an interval after the last write: writes what has come since, or forgets the key. */
  function lookAgain(key: string, entry: Entry<R>): void {
    entry.cancelTimer();
    const waitMs = Math.max(0, entry.wroteAt + interval() - clock.monotonic());
    entry.cancelTimer = clock.setTimeout(() => {
      if (entry.pending === undefined) entries.delete(key);
      else void writeNow(key, entry).catch(() => undefined);
    }, waitMs);
  }

  return {
    async submit(key, report, urgent) {
      const entry = entryOf(key);
      if (entry.pending === undefined) entry.pending = batchOf(report);
      else entry.pending.report = options.merge(entry.pending.report, report);
      // Otherwise the check an interval after the last write finds it.
      if (!urgent && clock.monotonic() - entry.wroteAt < interval()) return 'accepted';
      await writeNow(key, entry);
      return 'written';
    },

    async flush() {
      await Promise.allSettled([...entries].map(([key, entry]) => writeNow(key, entry)));
      for (const entry of entries.values()) entry.cancelTimer();
    },

    get waiting() {
      return [...entries.values()].filter((entry) => entry.pending !== undefined).length;
    },
  };
}
