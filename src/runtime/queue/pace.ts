import type { Clock } from '../clock';
import type { Transport } from '../http/transport';

/** Longest wait of an object's first status: until then users can't see that the operator has noticed it. */
const longestFirstMs = 2_000;
/** Longest wait of any other status, and of an event. */
const longestMs = 5_000;
/** Shortest wait: a shorter one would save nothing. */
const leastMs = 100;

/**
 * Total time for which a change that a later one will overtake may wait while on average `underWay` writes are under
 * way. One writer after the other never has more than one, however slow the API server is, so up to there nothing
 * waits; with 1.4 it is 2 s, with 2 and more 5 s.
 */
export function coalescingWindow(underWay: number, isFirst: boolean): number {
  const ms = (underWay - 1) * longestMs;
  return ms < leastMs ? 0 : Math.min(ms, isFirst ? longestFirstMs : longestMs);
}

/** In whole milliseconds, as timers count: a shorter rest would be waited for again and again. */
function restOf(window: number, ageMs: number): number {
  return Math.max(0, Math.ceil(window - ageMs));
}

export type Pace = {
  /**
   * Milliseconds for which the status of an object still has to wait; 0 when it is to be written now. Its age counts
   * from the first call for the key since `settle`. `mayWait` is called only when there is a reason to wait.
   */
  statusWait(key: string, isFirst: boolean, mayWait: () => boolean): number;
  /** Whether a status of the key waits. */
  isWaiting(key: string): boolean;
  /** The status of the key is written, or there is nothing to write. */
  settle(key: string): void;
  /** As statusWait, for an event of this age. */
  eventWait(ageMs: number): number;
  /** The transport, whose writes count as under way until they are answered. */
  measured(transport: Transport): Transport;
};

/** Time constant of the average: a burst that is over within less is told as it happens. */
const memoryMs = 1_000;

/** The number of writes under way, averaged over the last seconds: their rate times their latency. */
function createLoad(clock: Clock) {
  let current = 0;
  let average = 0;
  let at = clock.monotonic();

  function advance(): number {
    const now = clock.monotonic();
    average = current + (average - current) * Math.exp((at - now) / memoryMs);
    at = now;
    return average;
  }

  return {
    average: advance,
    add(change: 1 | -1): void {
      advance();
      current += change;
    },
  };
}

/**
 * Where the API server is the bottleneck, each status and event that we write delays the creation of Jobs and the
 * progress of runs. Then a change that is about to be overtaken waits for the one that overtakes it.
 */
export function createPace(clock: Clock): Pace {
  /** Since when the status of a key waits. */
  const waiting = new Map<string, number>();
  const load = createLoad(clock);

  return {
    statusWait(key, isFirst, mayWait) {
      const now = clock.monotonic();
      const since = waiting.get(key);
      const waitMs = restOf(coalescingWindow(load.average(), isFirst), now - (since ?? now));
      if (waitMs === 0 || !mayWait()) return 0;
      if (since === undefined) waiting.set(key, now);
      return waitMs;
    },
    isWaiting: (key) => waiting.has(key),
    settle: (key) => void waiting.delete(key),
    eventWait: (ageMs) => restOf(coalescingWindow(load.average(), false), ageMs),
    measured: (transport) => ({
      ...transport,
      async request(request) {
        if (request.method === 'GET') return transport.request(request);
        load.add(1);
        try {
          return await transport.request(request);
        } finally {
          load.add(-1);
        }
      },
    }),
  };
}
