import type { Clock } from '../clock';
import type { Transport } from '../http/transport';

/** How much work is due, and how fast the API server takes it. */
export type Load = {
  /** Passes that are due, and changes that wait to be written. */
  due: number;
  /** Recent latency of a write. */
  latencyMs: number;
};

/** Longest wait of an object's first status: until then users can't see that the operator has noticed it. */
const longestFirstMs = 2_000;
/** Longest wait of any other status, and of an event. */
const longestMs = 5_000;
/** Shortest wait: a shorter one would save nothing. Changes of one object, or of a few, are written at once. */
const leastMs = 100;

/**
 * Total time for which a change that a later one will overtake may wait: the time that the API server would take for
 * everything that is due, one after the other. With 40 passes due and 50 ms for a write that is 2 s; with one and 20 ms
 * nothing waits.
 */
export function coalescingWindow({ due, latencyMs }: Load, isFirst: boolean): number {
  const ms = due * latencyMs;
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
  /** The transport, with the latency of its writes recorded. */
  measured(transport: Transport): Transport;
};

export type PaceOptions = {
  clock: Clock;
  /** Passes that are due. */
  due(): number;
};

/**
 * Time constant of the latency's average: a sample this long after the last counts for two thirds, one of many within
 * it for little.
 */
const memoryMs = 1_000;

/**
 * Where the API server is the bottleneck, each status and event that we write delays the creation of Jobs and the
 * progress of runs. Then a change that is about to be overtaken waits for the one that overtakes it.
 */
export function createPace(options: PaceOptions): Pace {
  const { clock } = options;
  /** Since when the status of a key waits. */
  const waiting = new Map<string, number>();
  let latencyMs = 0;
  let sampledAt = -Infinity;

  function load(own = 0): Load {
    return { due: options.due() + waiting.size - own, latencyMs };
  }

  function sample(ms: number): void {
    const now = clock.monotonic();
    const weight = Math.max(0.05, 1 - Math.exp(-(now - sampledAt) / memoryMs));
    latencyMs += weight * (ms - latencyMs);
    sampledAt = now;
  }

  return {
    statusWait(key, isFirst, mayWait) {
      const now = clock.monotonic();
      const since = waiting.get(key);
      const window = coalescingWindow(load(since === undefined ? 0 : 1), isFirst);
      const waitMs = restOf(window, now - (since ?? now));
      if (waitMs === 0 || !mayWait()) return 0;
      if (since === undefined) waiting.set(key, now);
      return waitMs;
    },
    isWaiting: (key) => waiting.has(key),
    settle: (key) => void waiting.delete(key),
    eventWait: (ageMs) => restOf(coalescingWindow(load(), false), ageMs),
    measured: (transport) => ({
      ...transport,
      async request(request) {
        if (request.method === 'GET') return transport.request(request);
        const started = clock.monotonic();
        try {
          return await transport.request(request);
        } finally {
          sample(clock.monotonic() - started);
        }
      },
    }),
  };
}
