import { backoffDelay, jittered } from './backoff';
import { sleep, type Clock } from './clock';
import { ApiError, isGone, isNotFound } from './errors';
import type { Logger } from './logger';
import type { Metrics } from './metrics';
import { apiVersionOf, collectionPath, resourceName, type KubeObject, type Resource } from './objects';
import type { ObjectStore, Transform } from './store';
import type { Transport, WatchEvent } from './transport';

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
  tuning?: Partial<ReflectorTuning>;
};

export type ReflectorTuning = {
  pageSize: number;
  /** The server ends a watch after a random time between these, so that many clients do not return together. */
  watchSeconds: { min: number; max: number };
  /** A watch without a byte for so long is dead: bookmarks come every minute. */
  idleMs: number;
  /** A complete list, or the wait for one page of it. */
  listDeadlineMs: number;
  backoff: { baseMs: number; capMs: number };
};

export type Reflector = {
  /** Keeps the store equal to the server until the signal aborts; never throws and never gives up. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether the store has held a complete list. */
  synced(): boolean;
  /** Resolves with the first complete list. */
  whenSynced: Promise<void>;
};

const defaults: ReflectorTuning = {
  pageSize: 500,
  watchSeconds: { min: 300, max: 600 },
  idleMs: 120_000,
  listDeadlineMs: 60_000,
  backoff: { baseMs: 200, capMs: 10_000 },
};

/** A watch that ends sooner than this, having brought nothing, counts as a failure: else the loop would be hot. */
const shortWatchMs = 1000;
/** So many refusals in a row of a watch end the hope that its version will do; then it starts from a list. */
const refusalsBeforeList = 3;

type ListPage = { metadata: { resourceVersion: string; continue?: string }; items: KubeObject[] | null };

/** managedFields are a third of an object and nobody here reads them. */
export function stripManagedFields<T extends KubeObject>(object: T): T {
  const metadata: KubeObject['metadata'] & { managedFields?: unknown } = object.metadata;
  delete metadata.managedFields;
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
  let failures = 0;
  /** Lists that a stale continue token cut short in a row; from the second on the list is read in one piece. */
  let expiredLists = 0;

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
    metrics?.client.lists.inc({ name });
    store.replace(objects, version, writesBefore, !synced);
    expiredLists = 0;
    needsList = false;
    if (synced) return;
    synced = true;
    first.resolve();
    logger.debug('cache filled', { objects: objects.length });
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

  /** Follows one watch to its end; answers whether it did any good. */
  async function watch(signal: AbortSignal): Promise<boolean> {
    const { min, max } = tuning.watchSeconds;
    const started = clock.monotonic();
    let events = 0;
    metrics?.client.watches.inc({ name });
    const stream = transport.watch({
      path,
      query: {
        labelSelector,
        allowWatchBookmarks: true,
        resourceVersion: store.resourceVersion,
        timeoutSeconds: Math.round(min + random() * (max - min)),
      },
      idleMs: tuning.idleMs,
      signal,
    });
    try {
      for await (const batch of stream) {
        for (const event of batch) take(event);
        events += batch.length;
        failures = 0;
      }
    } catch (error) {
      // What lived and worked for a while starts again without the memory of older failures.
      if (clock.monotonic() - started >= shortWatchMs && !isRefusal(error)) failures = 0;
      throw error;
    }
    return events > 0 || clock.monotonic() - started >= shortWatchMs;
  }

  /** Milliseconds to wait after an error, which it also records. */
  function digest(error: unknown): number {
    const attempt = failures++;
    metrics?.client.watchFailures.inc({ name });
    logFailure(error, attempt);
    if (isGone(error) && !needsList) {
      needsList = true;
      return 0;
    }
    if (isGone(error)) expiredLists++;
    if (startsFromList(error, failures)) needsList = true;
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    return Math.max(asked, jittered(backoffDelay(tuning.backoff, attempt), random));
  }

  function logFailure(error: unknown, attempt: number): void {
    // A connection that ends is everyday life; what keeps failing is worth a line, and not one every time.
    const level = attempt > 0 && Number.isInteger(Math.log2(attempt)) ? 'warn' : 'debug';
    const message = needsList ? 'list failed, trying again' : 'watch failed, trying again';
    logger[level](message, { failures: attempt + 1, error });
  }

  async function step(signal: AbortSignal): Promise<number> {
    try {
      if (needsList) await list(signal);
      if (await watch(signal)) {
        failures = 0;
        return 0;
      }
      return jittered(backoffDelay(tuning.backoff, failures++), random);
    } catch (error) {
      return signal.aborted ? 0 : digest(error);
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = await step(signal);
        if (waitMs > 0) await sleep(clock, waitMs, signal);
      }
    },
    synced: () => synced,
    whenSynced: first.promise,
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApiError;
}

/** Whether the version that the store holds is no longer worth a watch. 410 is dealt with apart. */
function startsFromList(error: unknown, failures: number): boolean {
  if (!(error instanceof ApiError)) return false;
  if (isNotFound(error)) return true; // the CRD went; what comes back is another collection
  const tooLarge =
    error.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') === true;
  if (tooLarge) return true; // etcd was restored from a backup and counts from an earlier version
  return error.status !== 429 && error.status !== 503 && failures >= refusalsBeforeList;
}
