import { AsyncLocalStorage } from 'node:async_hooks';
import { sleep, type Clock } from './clock';
import { isNotFound, isPassing } from './errors';
import type { Transport } from './http/transport';
import type { KubeObject } from './objects';
import type { Pace } from './queue/pace';
import type { Logger } from './telemetry/logger';
import type { Metrics } from './telemetry/metrics';
import { cutToBytes } from './text';

export type EventType = 'Normal' | 'Warning';

/** What an event says of its object. */
export type Transition = { type: EventType; reason: string; message: string };

/** Records events.k8s.io/v1 Events in the background: never blocks, never throws. */
export type EventRecorder = {
  event(object: KubeObject, type: EventType, reason: string, message: string): void;
};

export type RunningEventRecorder = EventRecorder & {
  /** Waits until the events recorded so far are written or given up; ends early when the signal aborts. */
  flush(signal?: AbortSignal): Promise<void>;
};

export type EventRecorderOptions = {
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics?: Metrics;
  random?: () => number;
  /** Reporting controller, e.g. sparsedm.io/operator. */
  controller: string;
  /** Reporting instance: the pod's name. */
  instance: string;
  /** Absent: every event is written as soon as possible. */
  pace?: Pick<Pace, 'eventWait'>;
};

/** Time within which a repeated event belongs to the same series. */
const seriesMs = 6 * 60_000;
/** Shortest time between two writes of a series. */
const seriesIntervalMs = 10_000;
/**
 * Distinct events of one object: size of the burst, and time until one more is allowed (as in client-go's spam filter).
 */
const burst = 25;
const refillMs = 300_000;
/** Longest backlog: enough for the ends of that many runs while the API server is behind; a few kilobytes each. */
const longestBacklog = 20_000;
const longestMemory = 4096;
const tries = 4;
/** Interval between checks of whether the API server has time for events again. */
const lookAgainMs = 250;
/** Time after which a waiting event is dropped when a later one of its object waits too. */
const overtakenMs = 1_000;
/** The API's limits, in bytes. */
const longestNote = 1024;
const longestWord = 128;

type Series = {
  namespace: string;
  name: string;
  body: Record<string, unknown>;
  uid: string;
  /** The state of the object at the time. */
  version: string | undefined;
  isNews: boolean;
  count: number;
  written: number;
  lastAt: number;
  lastObserved: Date;
  writtenAt: number;
  timer: boolean;
  /** Time at which it entered the backlog. */
  dueAt: number;
};

/** Remaining event budget of one object, and its last reported state. */
type Budget = { tokens: number; at: number; version: string | undefined };

export function createEventRecorder(options: EventRecorderOptions): RunningEventRecorder {
  const { transport, clock, metrics, pace } = options;
  const random = options.random ?? Math.random;
  const logger = options.logger.child({ component: 'events' });
  const known = new Map<string, Series>();
  const budgets = new Map<string, Budget>();
  const backlog = new Set<Series>();
  let pump: Promise<void> | undefined;
  /** Ends the wait for the API server. */
  let hurry = new AbortController();
  // An event is written for the pass that recorded the first of its series, after that pass has ended: outside of its
  // trace.
  const outside = AsyncLocalStorage.snapshot();

  function drop(cause: 'overflow' | 'rate' | 'error' | 'overtaken'): void {
    metrics?.eventsDropped.inc({ cause });
  }

  function withinBudget(uid: string, version: string | undefined): boolean {
    const now = clock.monotonic();
    const budget = budgets.get(uid) ?? { tokens: burst, at: now, version };
    budget.version = version;
    budget.tokens = Math.min(burst, budget.tokens + (now - budget.at) / refillMs);
    budget.at = now;
    remember(budgets, uid, budget);
    if (budget.tokens < 1) return false;
    budget.tokens -= 1;
    return true;
  }

  function newSeries(object: KubeObject, type: EventType, fullReason: string, note: string): Series {
    const reason = cutToBytes(fullReason, longestWord);
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const suffix = Math.floor(random() * 2 ** 48)
      .toString(16)
      .padStart(12, '0');
    const eventNamespace = namespace ?? 'default';
    const eventName = `${name.slice(0, 200)}.${suffix}`;
    const now = clock.now();
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: eventName, namespace: eventNamespace },
      eventTime: microTime(now),
      reportingController: options.controller,
      reportingInstance: cutToBytes(options.instance, longestWord),
      action: reason,
      type,
      reason,
      note,
      regarding: { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion },
    };
    return {
      namespace: eventNamespace,
      name: eventName,
      body,
      uid: uid ?? '',
      version: resourceVersion,
      isNews: type === 'Normal',
      count: 0,
      written: 0,
      lastAt: clock.monotonic(),
      lastObserved: now,
      writtenAt: -Infinity,
      timer: false,
      dueAt: 0,
    };
  }

  function enqueue(series: Series): void {
    if (!backlog.has(series) && backlog.size >= longestBacklog) return drop('overflow');
    if (!backlog.has(series)) series.dueAt = clock.monotonic();
    backlog.add(series);
    pump ??= outside(drain).finally(() => (pump = undefined));
  }

  /** Writes now, or when the series' interval is over. */
  function schedule(series: Series): void {
    const waitMs = series.writtenAt + seriesIntervalMs - clock.monotonic();
    if (waitMs <= 0) return enqueue(series);
    if (series.timer) return;
    series.timer = true;
    clock.setTimeout(() => {
      series.timer = false;
      enqueue(series);
    }, waitMs);
  }

  function record(object: KubeObject, type: EventType, reason: string, message: string): void {
    const note = cutToBytes(message, longestNote);
    const uid = object.metadata.uid ?? `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
    const key = JSON.stringify([uid, object.kind, type, reason, note]);
    const now = clock.monotonic();
    let series = known.get(key);
    if (series === undefined || now - series.lastAt > seriesMs) {
      if (!withinBudget(uid, object.metadata.resourceVersion)) return drop('rate');
      series = newSeries(object, type, reason, note);
    }
    series.count++;
    series.lastAt = now;
    series.lastObserved = clock.now();
    remember(known, key, series);
    schedule(series);
  }

  async function drain(): Promise<void> {
    // An await first, so that event() returns before anything is sent.
    await Promise.resolve();
    for (let series = first(backlog); series !== undefined; series = first(backlog)) {
      await waitFor(series);
      backlog.delete(series);
      if (isOvertaken(series)) drop('overtaken');
      else if (series.count > series.written) await write(series);
    }
  }

  /** Waits while the API server is behind, but not for long. */
  async function waitFor(series: Series): Promise<void> {
    for (;;) {
      const waitMs = pace?.eventWait(clock.monotonic() - series.dueAt) ?? 0;
      if (waitMs <= 0 || hurry.signal.aborted) return;
      await sleep(clock, Math.min(waitMs, lookAgainMs), hurry.signal);
    }
  }

  /** The start of a run is no news once its end is waiting; a warning is always written. */
  function isOvertaken({ isNews, written, uid, version, dueAt }: Series): boolean {
    if (!isNews || written > 0 || clock.monotonic() - dueAt < overtakenMs) return false;
    const latest = budgets.get(uid);
    return latest !== undefined && latest.version !== version;
  }

  async function write(series: Series): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await send(series);
        return;
      } catch (error) {
        if (attempt >= tries || !isPassing(error)) {
          drop('error');
          logger.debug('event could not be recorded', { event: series.name, error });
          return;
        }
        await sleep(clock, 1000 * 2 ** (attempt - 1));
      }
    }
  }

  async function send(series: Series): Promise<void> {
    const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(series.namespace)}/events`;
    const { count } = series;
    const repeats = { count, lastObservedTime: microTime(series.lastObserved) };
    const create = async () => {
      const body = count > 1 ? { ...series.body, series: repeats } : series.body;
      await transport.request({ method: 'POST', path, body });
    };
    if (series.written === 0) await create();
    else await patch(`${path}/${encodeURIComponent(series.name)}`, repeats).catch(createIfGone(create));
    series.written = count;
    series.writtenAt = clock.monotonic();
  }

  async function patch(path: string, series: Record<string, unknown>): Promise<void> {
    await transport.request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { series },
    });
  }

  return {
    event(object, type, reason, message) {
      try {
        record(object, type, reason, message);
      } catch (error) {
        drop('error');
        logger.debug('event could not be recorded', { reason, error });
      }
    },
    async flush(signal) {
      hurry.abort();
      while (pump !== undefined && signal?.aborted !== true) {
        await Promise.race([pump, ...(signal === undefined ? [] : [aborted(signal)])]);
      }
      hurry = new AbortController();
    },
  };
}

/** The event expired on the server (after an hour by default) while its series continued. */
function createIfGone(create: () => Promise<void>): (error: unknown) => Promise<void> {
  return (error) => {
    if (!isNotFound(error)) throw error;
    return create();
  };
}

/** Sets the key as the youngest of the map and drops the oldest. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= longestMemory) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
