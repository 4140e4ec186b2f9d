import type { Clock } from './clock';
import type { Transport } from './transport';

/** What is to be done, and how fast the API server lets it be done. */
export type Load = {
  /** Passes that are due, and changes that wait to be told. */
  due: number;
  /** How long the API server takes for a write. */
  latencyMs: number;
};

/** Longest wait of an object's first status: until then nobody knows that it was seen. */
const longestFirstMs = 2_000;
/** Longest wait of any other status, and of an event. */
const longestMs = 5_000;
/** A shorter wait would save nothing: an object alone, and a few at once, are told of at once. */
const leastMs = 100;

/**
 * How long a change that something later will overtake may wait to be told, in all: as long as the API server would take
 * for what is due, one after the other. With 40 passes due and 50 ms for a write that is 2 s; with one and 20 ms
 * nothing waits.
 */
export function coalescingWindow({ due, latencyMs }: Load, isFirst: boolean): number {
  const ms = due * latencyMs;
  return ms < leastMs ? 0 : Math.min(ms, isFirst ? longestFirstMs : longestMs);
}

export type Pace = {
  /**
   * Milliseconds that the status of an object is still to wait; 0 when it is to be written now. Its age counts from the
   * first call for the key since `settle`. Whether it may wait is only asked where there is a reason to.
   */
  statusWait(key: string, isFirst: boolean, mayWait: () => boolean): number;
  /** Whether a status of the key waits. */
  isWaiting(key: string): boolean;
  /** The status of the key is written, or there is nothing to write. */
  settle(key: string): void;
  /** As statusWait, for an event of this age. */
  eventWait(ageMs: number): number;
  /** The transport, with the time that its writes take noted. */
  measured(transport: Transport): Transport;
};

export type PaceOptions = {
  clock: Clock;
  /** Passes that are due. */
  due(): number;
};

/** A sample that comes so long after the last counts for two thirds, and one of many in this time for little. */
const memoryMs = 1_000;

/**
 * Where the API server is what everything waits for, each status and event that we write stands in the way of Jobs to be
 * made and runs to go on. Then what is about to be overtaken waits for what overtakes it.
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
      const waitMs = window - (now - (since ?? now));
      if (waitMs <= 0 || !mayWait()) return 0;
      if (since === undefined) waiting.set(key, now);
      return waitMs;
    },
    isWaiting: (key) => waiting.has(key),
    settle: (key) => void waiting.delete(key),
    eventWait: (ageMs) => Math.max(0, coalescingWindow(load(), false) - ageMs),
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

/** Everything is told at once. */
export const unhurried: Pace = {
  statusWait: () => 0,
  isWaiting: () => false,
  settle: () => undefined,
  eventWait: () => 0,
  measured: (transport) => transport,
};
