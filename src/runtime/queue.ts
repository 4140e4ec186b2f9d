import { backoffDelay, type BackoffOptions } from './backoff';
import type { Clock } from './clock';
import { FairLane } from './lane';
import type { Metrics, QueueProgress } from './metrics';

/** Changes go before the mass of a first list or a takeover. */
export type Priority = 'normal' | 'low';

/** What is in a queue, for people; lists of names end after the first hundred. */
export type QueueState = {
  waiting: { total: number; namespaces: { namespace: string; normal: number; low: number }[] };
  processing: { key: string; since: Date }[];
  delayed: { total: number; next: { key: string; due: Date }[] };
  failing: { total: number; worst: { key: string; failures: number }[] };
};

export type QueueOptions = {
  clock: Clock;
  backoff?: Partial<BackoffOptions>;
  /** Name in the metrics. */
  name?: string;
  metrics?: Metrics;
};

const defaultBackoff: BackoffOptions = { baseMs: 5, capMs: 300_000 };

/** While keys of both priorities wait, one hand-out of so many is of low priority. */
const lowShare = 10;
const longestList = 100;

/**
 * Keys to be processed, each at most once in the queue and by at most one worker.
 *
 * A key added while it is processed is handed out again afterwards. A key handed out takes its pending delay with it:
 * the pass that begins sees everything there is and asks for the next delay itself.
 *
 * Namespaces take turns within a priority, so that none waits for the many keys of another. Normal priority goes first,
 * whatever the namespace, but not always: a namespace in which something changes all the time must not keep the keys of
 * low priority, which may be of objects that changed before this process led, waiting for ever.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: BackoffOptions;
  readonly #normal = new FairLane();
  readonly #low = new FairLane();
  /** Hand-outs of normal priority, one after the other, while a key of low priority waited. */
  #passedOver = 0;
  readonly #processing = new Map<string, { since: number; waitedMs: number; again?: Priority }>();
  readonly #delayed = new Map<string, { at: number; cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #waiters: ((key: string | undefined) => void)[] = [];
  readonly #metrics: Metrics['queue'] | undefined;
  readonly #metricLabels: { name: string; controller: string };
  #closed = false;

  constructor(options: QueueOptions) {
    const name = options.name ?? 'queue';
    this.#clock = options.clock;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#metrics = options.metrics?.queue;
    this.#metricLabels = { name, controller: name };
    options.metrics?.trackQueue(name, () => this.#progress());
  }

  /** Keys that wait, without those in process or delayed. */
  get depth(): number {
    return this.#normal.size + this.#low.size;
  }

  get processing(): number {
    return this.#processing.size;
  }

  get delayed(): number {
    return this.#delayed.size;
  }

  /** How long the key, which must be in process, had waited. */
  waitedMs(key: string): number {
    return this.#processing.get(key)?.waitedMs ?? 0;
  }

  /** Failures of the key since it was last forgotten. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  add(key: string, priority: Priority = 'normal'): void {
    if (this.#closed) return;
    const running = this.#processing.get(key);
    if (running !== undefined) {
      if (running.again === undefined) this.#metrics?.adds.inc(this.#metricLabels);
      running.again = running.again === 'normal' ? 'normal' : priority;
      return;
    }
    this.#addWaiting(key, priority);
  }

  #addWaiting(key: string, priority: Priority): void {
    if (this.#normal.has(key)) return;
    if (priority === 'low' && this.#low.has(key)) return;
    const waitingSince = this.#low.take(key);
    if (waitingSince === undefined) this.#metrics?.adds.inc(this.#metricLabels);
    this.#enqueue(key, priority, waitingSince ?? this.#clock.monotonic());
  }

  /** Adds the key after ms; of several pending delays of one key the earliest stands. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) return this.add(key);
    const at = this.#clock.monotonic() + ms;
    const pending = this.#delayed.get(key);
    if (pending !== undefined && pending.at <= at) return;
    pending?.cancel();
    const cancel = this.#clock.setTimeout(() => {
      this.#delayed.delete(key);
      this.add(key);
    }, ms);
    this.#delayed.set(key, { at, cancel });
  }

  /** Adds the key after its back-off, which doubles with each call, or later where the server asked for more. */
  addRateLimited(key: string, atLeastMs = 0): void {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    this.#metrics?.retries.inc(this.#metricLabels);
    this.addAfter(key, Math.max(atLeastMs, backoffDelay(this.#backoff, failures)));
  }

  /** The key did well: its next failure waits briefly again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, when there is one; undefined once the queue is closed. Pair each with done(). */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const key = this.#shift();
    if (key !== undefined) return Promise.resolve(key);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Ends the processing of a key; when it was added meanwhile it becomes ready again. */
  done(key: string): void {
    const finished = this.#processing.get(key);
    if (finished === undefined) return;
    this.#processing.delete(key);
    const now = this.#clock.monotonic();
    this.#metrics?.workSeconds.observe(this.#metricLabels, (now - finished.since) / 1000);
    if (finished.again !== undefined && !this.#closed) this.#enqueue(key, finished.again, now);
  }

  /** Hands out nothing more; keys in process may still be ended by done(). */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#normal.clear();
    this.#low.clear();
    this.#metrics?.depth.set(this.#metricLabels, 0);
    for (const waiter of this.#waiters.splice(0)) waiter(undefined);
  }

  state(): QueueState {
    const now = this.#clock.monotonic();
    const at = (monotonic: number) => new Date(this.#clock.now().getTime() + monotonic - now);
    const [normal, low] = [this.#normal.counts(), this.#low.counts()];
    const namespaces = [...new Set([...normal.keys(), ...low.keys()])]
      .map((namespace) => ({ namespace, normal: normal.get(namespace) ?? 0, low: low.get(namespace) ?? 0 }))
      .sort((a, b) => b.normal + b.low - a.normal - a.low);
    const delayed = [...this.#delayed].sort(([, a], [, b]) => a.at - b.at);
    const failing = [...this.#failures].sort(([, a], [, b]) => b - a);
    return {
      waiting: { total: this.depth, namespaces: namespaces.slice(0, longestList) },
      processing: [...this.#processing].map(([key, { since }]) => ({ key, since: at(since) })),
      delayed: {
        total: delayed.length,
        next: delayed.slice(0, longestList).map(([key, { at: due }]) => ({ key, due: at(due) })),
      },
      failing: {
        total: failing.length,
        worst: failing.slice(0, longestList).map(([key, failures]) => ({ key, failures })),
      },
    };
  }

  #enqueue(key: string, priority: Priority, since: number): void {
    (priority === 'low' ? this.#low : this.#normal).push(key, since);
    this.#metrics?.depth.set(this.#metricLabels, this.depth);
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter(this.#shift());
  }

  #shift(): string | undefined {
    const next = this.#nextLane().shift();
    if (next === undefined) return undefined;
    this.#begin(next.key, next.since);
    return next.key;
  }

  #nextLane(): FairLane {
    const both = this.#normal.size > 0 && this.#low.size > 0;
    if (both && ++this.#passedOver < lowShare) return this.#normal;
    this.#passedOver = 0;
    return this.#low.size > 0 ? this.#low : this.#normal;
  }

  #begin(key: string, waitingSince: number): void {
    const now = this.#clock.monotonic();
    this.#processing.set(key, { since: now, waitedMs: now - waitingSince });
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
    this.#metrics?.depth.set(this.#metricLabels, this.depth);
    this.#metrics?.queueSeconds.observe(this.#metricLabels, (now - waitingSince) / 1000);
  }

  #progress(): QueueProgress {
    const now = this.#clock.monotonic();
    const seconds = [...this.#processing.values()].map(({ since }) => (now - since) / 1000);
    return {
      unfinishedSeconds: seconds.reduce((sum, value) => sum + value, 0),
      longestSeconds: seconds.reduce((longest, value) => Math.max(longest, value), 0),
    };
  }
}
