import { backoffDelay, jittered } from '../backoff';
import { sleep, type Clock } from '../clock';
import { ApiError, isGone, isNotFound } from '../errors';
import type { Transport, WatchEvent } from '../http/transport';
import {
  apiVersionOf,
  collectionPath,
  resourceName,
  type KubeObject,
  type ObjectMeta,
  type Resource,
} from '../objects';
import type { Logger } from '../telemetry/logger';
import type { Metrics } from '../telemetry/metrics';
import { createInitialEvents, isRefusedStream } from './initial-events';
import type { ObjectStore, Transform } from './store';

export type ReflectorOptions<T extends KubeObject> = {
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics?: Metrics;
  random?: () => number;
  resource: Resource<T>;
  store: ObjectStore<T>;
  namespace?: string;
  labelSelector?: string;
  transform?: Transform<T>;
  /** Whether the cluster may lack this kind: a 404 then means that there are no objects, for the time being. */
  mayBeMissing?: boolean;
  tuning?: Partial<ReflectorTuning>;
};

export type ReflectorTuning = {
  /** Request lists as the beginning of a watch, and read pages only when the server does not offer that. */
  streamLists: boolean;
  pageSize: number;
  /** Bounds of the random time after which the server ends a watch, so that many clients do not return together. */
  watchSeconds: { min: number; max: number };
  /** Time without a byte after which a watch is dead: bookmarks come every minute. */
  idleMs: number;
  /** Deadline for one page of a list, or for the whole of a streamed one. */
  listDeadlineMs: number;
  /** Time of silence after which a server that was asked to stream a list counts as one that can't. */
  streamSilenceMs: number;
  backoff: { baseMs: number; capMs: number };
  /** Time between two looks for a kind that the cluster lacks. */
  missingMs: number;
};

export type Reflector = {
  /** Keeps the store equal to the server until the signal aborts; never throws and never gives up. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether the store has held a complete list. */
  synced(): boolean;
  /** Resolves with the first complete list. */
  whenSynced: Promise<void>;
  /** Whether the cluster lacked this kind at the last look. */
  missing(): boolean;
  state(): ReflectorState;
};

/** State of a reflector, for /debug. */
export type ReflectorState = {
  phase: 'idle' | 'listing' | 'watching' | 'waiting' | 'stopped';
  /** How the next list will be read. */
  lists: 'streamed' | 'paged';
  synced: boolean;
  /** Whether the cluster lacked this kind at the last look. */
  missing: boolean;
  /** Failures in a row. */
  failures: number;
  /** Times of the last complete list, of the last opened watch, and of the last data in one. */
  listedAt?: Date;
  watchedAt?: Date;
  heardAt?: Date;
};

const defaults: ReflectorTuning = {
  streamLists: true,
  pageSize: 500,
  watchSeconds: { min: 300, max: 600 },
  idleMs: 120_000,
  listDeadlineMs: 60_000,
  streamSilenceMs: 15_000,
  backoff: { baseMs: 200, capMs: 10_000 },
  missingMs: 30_000,
};

/** Shortest life of a watch without events; one that ends sooner counts as a failure, to avoid a hot loop. */
const shortWatchMs = 1000;
/** Number of refusals of a watch in a row after which its version is given up; the next watch starts from a list. */
const refusalsBeforeList = 3;
/** Number of streamed lists that failed in a row after which the list is read in pages once. */
const failuresBeforePages = 2;
/** Older than every version: what is written while a kind is missing counts as newer. */
const NO_VERSION = '0';

type ListPage = { metadata: { resourceVersion: string; continue?: string }; items: KubeObject[] | null };

/**
 * managedFields are a third of an object, and the operator does not read them. The metadata are copied, because
 * `delete` would turn them into a hash table, three times as large for as long as they are cached.
 */
export function stripManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields, ...metadata }: ObjectMeta & { managedFields?: unknown } = object.metadata;
  if (managedFields !== undefined) object.metadata = metadata;
  return object;
}

export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const { transport, clock, metrics, resource, store, namespace, labelSelector } = options;
  const tuning = { ...defaults, ...options.tuning };
  const random = options.random ?? Math.random;
  const name = resourceName(resource);
  const logger = options.logger.child({ resource: name, ...(namespace === undefined ? {} : { namespace }) });
  const path = collectionPath(resource, namespace);
  const first = Promise.withResolvers<void>();
  let synced = false;
  let needsList = true;
  let missing = false;
  let failures = 0;
  /** Lists that a stale continue token cut short in a row; from the second on the list is read in one piece. */
  let expiredLists = 0;
  /** False for good once the server has shown that it does not stream lists. */
  let streamed = tuning.streamLists;
  let failedStreams = 0;
  let phase: ReflectorState['phase'] = 'idle';
  const times: Pick<ReflectorState, 'listedAt' | 'watchedAt' | 'heardAt'> = {};

  function streams(): boolean {
    return streamed && failedStreams < failuresBeforePages;
  }

  function prepare(object: KubeObject): T {
    // The items of a list of built-in objects carry neither.
    object.apiVersion ??= apiVersionOf(resource);
    object.kind ??= resource.kind;
    const stripped = stripManagedFields(object as T);
    return options.transform === undefined ? stripped : options.transform(stripped);
  }

  async function list(signal: AbortSignal): Promise<void> {
    const writesBefore = store.writes;
    const objects: T[] = [];
    let token: string | undefined;
    let version: string;
    do {
      const page: ListPage = await transport.request<ListPage>({
        method: 'GET',
        path,
        query: {
          labelSelector,
          limit: expiredLists > 1 ? undefined : tuning.pageSize,
          continue: token,
        },
        deadlineMs: tuning.listDeadlineMs,
        signal,
      });
      for (const item of page.items ?? []) objects.push(prepare(item));
      token = page.metadata.continue || undefined;
      version = page.metadata.resourceVersion;
    } while (token !== undefined);
    takeOver(objects, objects.length, version, writesBefore);
  }

  /** `writesBefore` is from before the list was asked for. */
  function takeOver(objects: Iterable<T>, count: number, version: string, writesBefore: number): void {
    metrics?.client.lists.inc({ name });
    store.replace(objects, version, writesBefore, !synced);
    times.listedAt = clock.now();
    expiredLists = 0;
    failedStreams = 0;
    needsList = false;
    missing = false;
    finishSync(count);
  }

  function finishSync(count: number): void {
    if (synced) return;
    synced = true;
    first.resolve();
    logger.debug('cache filled', { objects: count });
  }

  function take(event: WatchEvent): void {
    switch (event.type) {
      case 'BOOKMARK':
        return store.moveTo(event.object.metadata.resourceVersion);
      case 'DELETED':
        return store.deleteEvent(prepare(event.object));
      case 'ADDED':
      case 'MODIFIED':
        return store.applyEvent(prepare(event.object));
    }
  }

  /**
   * Reads the initial events of a streamed list into the store, and applies the events that follow in the same portion.
   */
  async function takeInitial(
    portions: AsyncGenerator<readonly WatchEvent[], void>,
    abort: AbortController,
  ): Promise<void> {
    const writesBefore = store.writes;
    const { listDeadlineMs: deadlineMs, streamSilenceMs: silenceMs } = tuning;
    const initial = createInitialEvents<T>({ clock, prepare, deadlineMs, silenceMs, abort });
    try {
      for (;;) {
        const { value: portion, done } = await portions.next();
        if (done === true) throw initial.missing();
        times.heardAt = clock.now();
        const end = initial.take(portion);
        if (end === undefined) continue;
        takeOver(initial.objects(), initial.size, end.resourceVersion, writesBefore);
        for (const event of end.rest) take(event);
        return;
      }
    } finally {
      initial.clear();
    }
  }

  function openWatch(signal: AbortSignal): AsyncGenerator<readonly WatchEvent[], void> {
    const { min, max } = tuning.watchSeconds;
    metrics?.client.watches.inc({ name });
    times.watchedAt = clock.now();
    return transport.watch({
      path,
      query: {
        labelSelector,
        allowWatchBookmarks: true,
        // Without a version, a streamed list is at least as new as the request, as a list in pages is.
        ...(needsList
          ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }
          : { resourceVersion: store.resourceVersion }),
        timeoutSeconds: Math.round(min + random() * (max - min)),
      },
      idleMs: tuning.idleMs,
      signal,
    });
  }

  /** Follows one watch to its end, starting with a streamed list if one is needed; returns whether it made progress. */
  async function watch(signal: AbortSignal): Promise<boolean> {
    const started = clock.monotonic();
    let useful = needsList;
    const { abort, unlink } = linkedTo(signal);
    const stream = openWatch(abort.signal);
    try {
      if (needsList) await takeInitial(stream, abort);
      phase = 'watching';
      for await (const batch of stream) {
        times.heardAt = clock.now();
        for (const event of batch) take(event);
        useful ||= batch.length > 0;
        failures = 0;
      }
    } catch (error) {
      // A watch that worked for a while resets the count of failures.
      if (!needsList && clock.monotonic() - started >= shortWatchMs && !isRefusal(error)) failures = 0;
      throw error;
    } finally {
      unlink();
      await stream.return();
    }
    return useful || clock.monotonic() - started >= shortWatchMs;
  }

  /** Milliseconds to wait after a look that found no such kind: its objects, if there were any, went with it. */
  function noteMissing(): number {
    store.replace([], NO_VERSION, store.writes, !synced);
    missing = true;
    needsList = true;
    failures = 0;
    finishSync(0);
    return jittered(tuning.missingMs, random);
  }

  /** Milliseconds to wait after an error, which it also records. */
  function digest(error: unknown): number {
    if (needsList && streams() && isRefusedStream(error)) {
      streamed = false;
      logger.debug('the server does not stream lists, reading pages', { error });
      return 0;
    }
    const attempt = failures++;
    metrics?.client.watchFailures.inc({ name });
    logFailure(error, attempt);
    const expiredWatch = isGone(error) && !needsList;
    learn(error);
    // Read again at once, but not in a loop: a list may be served whose version no watch takes.
    if (expiredWatch && attempt === 0) return 0;
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    return Math.max(asked, jittered(backoffDelay(tuning.backoff, attempt), random));
  }

  /** Decides from a failure where to resume, and how. */
  function learn(error: unknown): void {
    if (!needsList) needsList = isGone(error) || startsFromList(error, failures);
    else if (streams()) failedStreams++;
    else if (isGone(error)) expiredLists++;
  }

  function logFailure(error: unknown, attempt: number): void {
    // A connection that ends is normal; repeated failures are worth a log line, but not one each.
    const level = attempt > 0 && Number.isInteger(Math.log2(attempt)) ? 'warn' : 'debug';
    const message = needsList ? 'list failed, trying again' : 'watch failed, trying again';
    logger[level](message, { failures: attempt + 1, error });
  }

  async function step(signal: AbortSignal): Promise<number> {
    try {
      phase = 'listing';
      if (needsList && !streams()) await list(signal);
      if (await watch(signal)) {
        failures = 0;
        return 0;
      }
      return jittered(backoffDelay(tuning.backoff, failures++), random);
    } catch (error) {
      if (signal.aborted) return 0;
      return options.mayBeMissing === true && isNotFound(error) ? noteMissing() : digest(error);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = await step(signal);
        phase = 'waiting';
        if (waitMs > 0) await sleep(clock, waitMs, signal);
      }
      phase = 'stopped';
    },
    synced: () => synced,
    whenSynced: first.promise,
    missing: () => missing,
    state: () => ({ phase, lists: streams() ? 'streamed' : 'paged', synced, missing, failures, ...times }),
  };
}

/** Aborts when the signal does, until it is unlinked, and may be aborted by itself. */
function linkedTo(signal: AbortSignal): { abort: AbortController; unlink: () => void } {
  const abort = new AbortController();
  const forward = () => abort.abort();
  if (signal.aborted) forward();
  signal.addEventListener('abort', forward, { once: true });
  return { abort, unlink: () => signal.removeEventListener('abort', forward) };
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError;
}

/** Whether the store's version is no longer usable for a watch, apart from a 410, which says so. */
function startsFromList(error: unknown, failures: number): boolean {
  if (!(error instanceof ApiError)) return false;
  if (isNotFound(error)) return true; // the CRD went; what comes back is another collection
  const tooLarge =
    error.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') === true;
  if (tooLarge) return true; // etcd was restored from a backup and counts from an earlier version
  return error.status !== 429 && error.status !== 503 && failures >= refusalsBeforeList;
}
