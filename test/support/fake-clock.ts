import type { Clock } from '../../src/runtime/clock';

/** A clock that moves only on request. */
export class FakeClock implements Clock {
  #elapsed = 0;
  #sequence = 0;
  readonly #start: number;
  readonly #timers = new Map<number, { at: number; fn: () => void }>();

  constructor(start: Date | string = '2026-01-01T00:00:00Z') {
    this.#start = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.#start + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimeout(fn: () => void, ms: number): () => void {
    const id = this.#sequence++;
    this.#timers.set(id, { at: this.#elapsed + Math.max(0, ms), fn });
    return () => void this.#timers.delete(id);
  }

  /** Number of pending timers. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the earliest timer; undefined when none is pending. */
  get untilNext(): number | undefined {
    const next = this.#next(Infinity);
    return next === undefined ? undefined : next.at - this.#elapsed;
  }

  /** Moves time forward and runs the timers that fall due, in order, including those set meanwhile. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) this.#fire(due);
    this.#elapsed = end;
  }

  /** Lets time pass without running timers, as when the process stalls; they are due at the next advance. */
  stall(ms: number): void {
    this.#elapsed += ms;
  }

  /** As advance, and lets promises settle before and after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    await settle();
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#fire(due);
      await settle();
    }
    this.#elapsed = end;
  }

  #next(end: number): { id: number; at: number } | undefined {
    let best: { id: number; at: number } | undefined;
    for (const [id, { at }] of this.#timers) {
      if (at <= end && (best === undefined || at < best.at)) best = { id, at };
    }
    return best;
  }

  #fire({ id, at }: { id: number; at: number }): void {
    const timer = this.#timers.get(id);
    this.#timers.delete(id);
    this.#elapsed = Math.max(this.#elapsed, at);
    timer?.fn();
  }
}

/** Lets every promise that can settle now do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
