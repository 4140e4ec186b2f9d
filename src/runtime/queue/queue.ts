import { backoffDelay, type BackoffOptions } from '../backoff';
import type { Clock } from '../clock';
import type { Metrics, QueueProgress } from '../telemetry/metrics';
import { FairLane } from './lane';

/**
 * What a user has just asked for (a new object, another spec) goes before changes of what runs, and those before the
 * mass of a first list or a takeover.
 */
export type Priority = 'high' | 'normal' | 'low';

/** Contents of a queue, for /debug; lists of names end after the first hundred. */
export type QueueState = {
  waiting: { total: number; namespaces: ({ namespace: string } & Record<Priority, number>)[] };
  processing: { key: string; since: Date }[];
  delayed: { total: number; next: { key: string; due: Date }[] };
  failing: { total: number; worst: { key: string; failures: number }[] };
};

export type QueueOptions = {
  clock: Clock;
  backoff?: Partial<BackoffOptions>;
  /** Name in the metrics. */
  name?: string;
  /** Largest number of keys below high priority in process at one time; default unlimited. */
  mostLower?: number;
  metrics?: Metrics;
};

const defaultBackoff: BackoffOptions = { baseMs: 5, capMs: 300_000 };

const priorities = ['high', 'normal', 'low'] as const satisfies readonly Priority[];

/** While keys of lower priorities wait, one of this many hand-outs goes to them. */
const lowerShare = 5;
const longestList = 100;

type Delay = { at: number; cancel: () => void };
type Processing = { since: number; waitedMs: number; isLower: boolean; again?: Priority };

/** Keys of one priority, and how many of them were handed out in a row while keys of lower priority waited. */
type Lane = { keys: FairLane; inARow: number };

function higher(a: Priority, b: Priority): Priority {
  return priorities.indexOf(a) < priorities.indexOf(b) ? a : b;
}

/**
 * Keys to be processed, each at most once in the queue and by at most one worker.
 *
 * A key added while it is processed is handed out again afterwards. A key handed out takes its pending delay with it:
 * the pass that begins sees everything there is and asks for the next delay itself.
 *
 * Namespaces take turns within a priority, so that none waits for the many keys of another. The higher priority goes
 * first in every namespace, but not always: a namespace that changes all the time must not keep keys of lower priority
 * waiting for ever, which may be of objects that changed before this process led.
 *
 * Some workers may be reserved for the high priority: what a user asks for starts at once, even when the other workers
 * wait for an API server that is slow to take changes of what runs.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: BackoffOptions;
  /** One lane for each of `priorities`. */
  readonly #lanes: readonly Lane[] = priorities.map(() => ({ keys: new FairLane(), inARow: 0 }));
  /** Keys for which some workers are reserved. */
  readonly #upper = this.#lanes.slice(0, priorities.indexOf('normal'));
  readonly #processing = new Map<string, Processing>();
  readonly #mostLower: number;
  #lower = 0;
  /** By key and priority: one of low priority must not take the place of a later one of high priority. */
  readonly #delayed = new Map<string, Map<Priority, Delay>>();
  readonly #failures = new Map<string, number>();
  readonly #waiters: ((key: string | undefined) => void)[] = [];
  readonly #metrics: Metrics['queue'] | undefined;
  readonly #metricLabels: { name: string; controller: string };
  #closed = false;

  constructor(options: QueueOptions) {
    const name = options.name ?? 'queue';
    this.#clock = options.clock;
    this.#backoff = { ...defaultBackoff, ...options.backoff };
    this.#mostLower = options.mostLower ?? Infinity;
    this.#metrics = options.metrics?.queue;
    this.#metricLabels = { name, controller: name };
    options.metrics?.trackQueue(name, () => this.#progress());
  }

  /** Number of waiting keys, without those in process or delayed. */
  get depth(): number {
    return this.#lanes.reduce((sum, { keys }) => sum + keys.size, 0);
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
      running.again = higher(running.again ?? priority, priority);
      return;
    }
    this.#addWaiting(key, priority);
  }

  #addWaiting(key: string, priority: Priority): void {
    const held = this.#lanes.findIndex(({ keys }) => keys.has(key));
    if (held >= 0 && held <= priorities.indexOf(priority)) return;
    const waitingSince = this.#lanes[held]?.keys.take(key);
    if (waitingSince === undefined) this.#metrics?.adds.inc(this.#metricLabels);
    this.#enqueue(key, priority, waitingSince ?? this.#clock.monotonic());
  }

  /** Adds the key after ms; of several pending delays of one key and priority the earliest counts. */
  addAfter(key: string, ms: number, priority: Priority = 'normal'): void {
    if (this.#closed) return;
    if (ms <= 0) return this.add(key, priority);
    const at = this.#clock.monotonic() + ms;
    const delays = this.#delayed.get(key) ?? new Map<Priority, Delay>();
    const pending = delays.get(priority);
    if (pending !== undefined && pending.at <= at) return;
    pending?.cancel();
    const cancel = this.#clock.setTimeout(() => {
      delays.delete(priority);
      if (delays.size === 0) this.#delayed.delete(key);
      this.add(key, priority);
    }, ms);
    delays.set(priority, { at, cancel });
    this.#delayed.set(key, delays);
  }

  #undelay(key: string): void {
    for (const { cancel } of this.#delayed.get(key)?.values() ?? []) cancel();
    this.#delayed.delete(key);
  }

  /** Adds the key after its back-off, which doubles with each call, or later where the server asked for more. */
  addRateLimited(key: string, atLeastMs = 0): void {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    this.#metrics?.retries.inc(this.#metricLabels);
    this.addAfter(key, Math.max(atLeastMs, backoffDelay(this.#backoff, failures)));
  }

  /** Resets the back-off of a key that succeeded. */
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
    if (finished.isLower) this.#lower--;
    const now = this.#clock.monotonic();
    this.#metrics?.workSeconds.observe(this.#metricLabels, (now - finished.since) / 1000);
    if (finished.again !== undefined && !this.#closed) this.#enqueue(key, finished.again, now);
    else this.#handOut();
  }

  /** Hands out nothing more; keys in process may still be ended by done(). */
  close(): void {
    this.#closed = true;
    for (const key of [...this.#delayed.keys()]) this.#undelay(key);
    for (const { keys } of this.#lanes) keys.clear();
    this.#metrics?.depth.set(this.#metricLabels, 0);
    for (const waiter of this.#waiters.splice(0)) waiter(undefined);
  }

  state(): QueueState {
    const now = this.#clock.monotonic();
    const at = (monotonic: number) => new Date(this.#clock.now().getTime() + monotonic - now);
    const [high, normal, low] = this.#lanes.map(({ keys }) => keys.counts());
    const namespaces = [...new Set(this.#lanes.flatMap(({ keys }) => [...keys.counts().keys()]))]
      .map((namespace) => ({
        namespace,
        high: high?.get(namespace) ?? 0,
        normal: normal?.get(namespace) ?? 0,
        low: low?.get(namespace) ?? 0,
      }))
      .sort((a, b) => b.high + b.normal + b.low - a.high - a.normal - a.low);
    const delayed = [...this.#delayed]
      .map(([key, delays]) => ({ key, at: Math.min(...[...delays.values()].map((delay) => delay.at)) }))
      .sort((a, b) => a.at - b.at);
    const failing = [...this.#failures].sort(([, a], [, b]) => b - a);
    return {
      waiting: { total: this.depth, namespaces: namespaces.slice(0, longestList) },
      processing: [...this.#processing].map(([key, { since }]) => ({ key, since: at(since) })),
      delayed: {
        total: delayed.length,
        next: delayed.slice(0, longestList).map(({ key, at: due }) => ({ key, due: at(due) })),
      },
      failing: {
        total: failing.length,
        worst: failing.slice(0, longestList).map(([key, failures]) => ({ key, failures })),
      },
    };
  }

  #enqueue(key: string, priority: Priority, since: number): void {
    this.#lanes[priorities.indexOf(priority)]?.keys.push(key, since);
    this.#metrics?.depth.set(this.#metricLabels, this.depth);
    this.#handOut();
  }

  /** Hands the waiting workers the keys that they may take. */
  #handOut(): void {
    while (this.#waiters.length > 0) {
      const key = this.#shift();
      if (key === undefined) return;
      this.#waiters.shift()?.(key);
    }
  }

  #shift(): string | undefined {
    const lane = this.#nextLane();
    const next = lane?.keys.shift();
    if (next === undefined) return undefined;
    this.#begin(next.key, next.since, !this.#upper.some((upper) => upper === lane));
    return next.key;
  }

  #nextLane(): Lane | undefined {
    const open = this.#lower < this.#mostLower ? this.#lanes : this.#upper;
    const waiting = open.filter(({ keys }) => keys.size > 0);
    for (const lane of waiting) {
      if (lane === waiting.at(-1) || ++lane.inARow < lowerShare) return lane;
      lane.inARow = 0;
    }
    return undefined;
  }

  #begin(key: string, waitingSince: number, isLower: boolean): void {
    const now = this.#clock.monotonic();
    this.#processing.set(key, { since: now, waitedMs: now - waitingSince, isLower });
    if (isLower) this.#lower++;
    this.#undelay(key);
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
