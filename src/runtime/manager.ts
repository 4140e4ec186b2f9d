import { createCache, type Cache, type CacheState, type WatchOptions } from './cache/cache';
import type { ReflectorTuning } from './cache/reflector';
import type { Store, StoreChange } from './cache/store';
import { sleep, type Clock } from './clock';
import { createController, type Controller, type Owned, type Reconciler, type Watched } from './controller';
import type { Transport } from './http/transport';
import { createLeaderElector, type LeaderElector, type LeaderState, type LeaderTiming } from './leader';
import { keyOf, keyText, resourceName, type KubeObject, type ObjectKey, type Resource } from './objects';
import type { Priority, QueueState } from './queue/queue';
import type { Logger } from './telemetry/logger';
import type { Metrics } from './telemetry/metrics';
import type { Tracing } from './telemetry/tracing';

export type ControllerSpec<T extends KubeObject = KubeObject> = {
  name: string;
  for: Resource<T>;
  owns?: readonly Owned[];
  watches?: readonly Watched[];
  reconciler: Reconciler;
  /** Concurrent reconciles, each of another key; default 4. */
  concurrency?: number;
};

export type Readiness = { ready: boolean; waitingFor: readonly string[] };

/** The internal state, for /debug: names and numbers, never the contents of objects. */
export type ManagerState = {
  leader: LeaderState;
  controllers: { name: string; concurrency: number; queue: QueueState }[];
  caches: CacheState[];
};

export type Task = {
  name: string;
  /** A task that throws stops the manager. */
  run(signal: AbortSignal): Promise<void>;
};

export type ManagerOptions = {
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  /** Namespaces to watch; empty means all. */
  namespaces?: readonly string[];
  /** Absent: this process leads at once. */
  leaderElection?: { namespace: string; name: string; identity: string; timing?: Partial<LeaderTiming> };
  random?: () => number;
  /** Time for running reconciles to finish on a graceful stop; default 20 s. */
  drainMs?: number;
  tuning?: Partial<ReflectorTuning>;
};

export type Manager = {
  /**
   * The shared cache of a resource and label selector: one reflector for any number of calls. May be called before and
   * after start.
   */
  watch<T extends KubeObject>(resource: Resource<T>, options?: WatchOptions<T>): Store<T>;
  /** Call before start. What it returns asks for passes that no change of an object causes. */
  controller<T extends KubeObject>(spec: ControllerSpec<T>): Pick<Controller, 'enqueueAfter'>;
  /** Something that runs beside the controllers, on every replica, until the signal aborts; call before start. */
  task(task: Task): void;
  /**
   * Puts what a write returned into the caches. The controller named as the writer is not notified, because it already
   * knows: name one only when the object is exactly what its pass decided on.
   */
  observe<T extends KubeObject>(resource: Resource<T>, object: T, writer?: string): void;
  /**
   * Runs until the signal aborts and everything has drained. Rejects with LeadershipLostError when the lease is lost:
   * the process must then exit at once.
   */
  start(signal: AbortSignal): Promise<void>;
  readiness(): Readiness;
  /** Whether the cluster lacked this kind, which was watched with mayBeMissing, at the last look. */
  isMissing(resource: Resource): boolean;
  isLeader(): boolean;
  /** Throws LeadershipLostError unless this process leads: the guard of every write that only the leader may do. */
  assertLeader(): void;
  /**
   * Aborts when reconciles have to end: at the end of the drain time, or when the lease is lost. Their requests use it,
   * so that none is in flight while another process leads.
   */
  readonly abandoned: AbortSignal;
  state(): ManagerState;
};

type Built = { concurrency: number; controller: Controller; attach(): () => void };

const defaultDrainMs = 20_000;
/** Time for reconciles to end after their requests are aborted at the end of the drain. */
const abandonMs = 2_000;

export function createManager(options: ManagerOptions): Manager {
  const { transport, clock, logger, metrics } = options;
  const namespaces = options.namespaces ?? [];
  const caches = new Map<string, Cache>();
  const built: Built[] = [];
  const tasks: Task[] = [];
  const reflecting = new AbortController();
  const abandon = new AbortController();
  let started = false;
  const elector =
    options.leaderElection === undefined
      ? alwaysLeader()
      : createLeaderElector({
          transport,
          clock,
          logger,
          metrics,
          lease: { namespace: options.leaderElection.namespace, name: options.leaderElection.name },
          identity: options.leaderElection.identity,
          ...(options.leaderElection.timing === undefined ? {} : { timing: options.leaderElection.timing }),
          ...(options.random === undefined ? {} : { random: options.random }),
        });

  function cacheFor<T extends KubeObject>(resource: Resource<T>, watch: WatchOptions<T> = {}): Cache<T> {
    const id = `${resourceName(resource)}/${resource.version}?${watch.labelSelector ?? ''}@${watch.namespaces?.join() ?? ''}`;
    // The key names the resource, and one resource constant has one type.
    let cache = caches.get(id) as Cache<T> | undefined;
    if (cache === undefined) {
      cache = createCache({ ...options, namespaces, resource, watch });
      caches.set(id, cache);
      if (started) cache.start(reflecting.signal);
    }
    cache.extend(watch);
    return cache;
  }

  function controller<T extends KubeObject>(spec: ControllerSpec<T>): Pick<Controller, 'enqueueAfter'> {
    const { concurrency = 4 } = spec;
    const created = createController({
      name: spec.name,
      reconciler: spec.reconciler,
      concurrency,
      clock,
      logger,
      metrics,
      tracing: options.tracing,
    });
    const primary = cacheFor(spec.for);
    const sources: (() => () => void)[] = [
      () => follow(primary, (object) => [keyOf(object)], enqueue(), { writer: spec.name, priority: demand }),
      ...(spec.owns ?? []).map((owned) => {
        const cache = cacheFor(owned.resource, owned);
        return () => follow(cache, (object) => ownerKeys(object, spec.for, owned), enqueue(owned.settleMs));
      }),
      ...(spec.watches ?? []).map((watched) => {
        const cache = cacheFor(watched.resource, watched);
        return () => follow(cache, (object) => watched.toKeys(object), enqueue(watched.settleMs));
      }),
    ];
    /** Most objects of a first list have long since settled. */
    function enqueue(settleMs = 0): Enqueue {
      return (key, priority) =>
        settleMs > 0 && priority === 'normal'
          ? created.enqueueAfter(key, settleMs)
          : created.enqueue(key, priority);
    }
    built.push({
      concurrency,
      controller: created,
      attach() {
        const detach = sources.map((source) => source());
        // Everything that happened before this process led shows in the state of the objects.
        for (const object of primary.store.list()) created.enqueue(keyOf(object), 'low');
        return () => detach.forEach((end) => end());
      },
    });
    return created;
  }

  function readiness(): Readiness {
    const waitingFor = [...caches.values()].filter((cache) => !cache.synced()).map((cache) => cache.name);
    return { ready: started && waitingFor.length === 0, waitingFor };
  }

  async function whenSynced(signal: AbortSignal): Promise<boolean> {
    const all = Promise.all([...caches.values()].map((cache) => cache.whenSynced));
    await Promise.race([all, aborted(signal)]);
    return !signal.aborted;
  }

  /** Works as leader until the stop, then until drained. */
  async function lead(signal: AbortSignal): Promise<void> {
    const detach = built.map((each) => each.attach());
    const running = Promise.all(built.map((each) => each.controller.run(signal)));
    try {
      await Promise.race([aborted(signal), failure(running)]);
      logger.info('stopping, waiting for running reconciles');
      await drained(running);
    } finally {
      detach.forEach((end) => end());
    }
  }

  async function drained(running: Promise<unknown>): Promise<void> {
    const drainMs = options.drainMs ?? defaultDrainMs;
    const settled = new AbortController();
    const done = running.finally(() => settled.abort());
    await Promise.race([done, sleep(clock, drainMs, settled.signal)]);
    if (settled.signal.aborted) return;
    logger.warn('reconciles still run at the end of the drain time, giving them up', { drainMs });
    abandon.abort();
    await Promise.race([done, sleep(clock, abandonMs, settled.signal)]);
  }

  async function campaign(signal: AbortSignal): Promise<void> {
    if (!(await whenSynced(signal))) return;
    if (!(await elector.acquire(signal))) return;
    const letGo = new AbortController();
    const held = elector.hold(letGo.signal);
    // Lost by the other branch of the race as well, but a rejection must never be left unobserved.
    held.catch(() => abandon.abort());
    try {
      await Promise.race([lead(signal), failure(held)]);
    } finally {
      letGo.abort();
    }
    await held;
    await elector.release();
  }

  async function start(signal: AbortSignal): Promise<void> {
    if (started) throw new Error('the manager has been started before');
    started = true;
    for (const cache of caches.values()) cache.start(reflecting.signal);
    const stop = new AbortController();
    const forward = () => stop.abort();
    if (signal.aborted) stop.abort();
    signal.addEventListener('abort', forward, { once: true });
    const background = runTasks(tasks, stop.signal);
    try {
      await Promise.race([campaign(stop.signal), failure(background)]);
    } finally {
      signal.removeEventListener('abort', forward);
      stop.abort();
      reflecting.abort();
    }
    await background;
  }

  return {
    watch: (resource, watch) => cacheFor(resource, watch).store,
    controller,
    task: (task) => void tasks.push(task),
    observe(resource, object, writer) {
      for (const cache of caches.values()) {
        if (cache.holds(resource)) cache.observeWrite(object, writer);
      }
    },
    start,
    readiness,
    isMissing: (resource) => [...caches.values()].some((cache) => cache.holds(resource) && cache.missing()),
    isLeader: () => elector.isLeader(),
    assertLeader: () => elector.assertLeader(),
    abandoned: abandon.signal,
    state: () => ({
      leader: elector.state(),
      controllers: built.map(({ concurrency, controller: { name, queue } }) => ({
        name,
        concurrency,
        queue: queue.state(),
      })),
      caches: [...caches.values()].flatMap((cache) => cache.state()),
    }),
  };
}

type Enqueue = (key: ObjectKey, priority: Priority) => void;

function follow<T extends KubeObject>(
  cache: Cache<T>,
  toKeys: (object: T) => readonly ObjectKey[],
  enqueue: Enqueue,
  { writer, priority = news }: { writer?: string; priority?: (change: StoreChange<T>) => Priority } = {},
): () => void {
  return cache.subscribe((change: StoreChange<T>) => {
    if (change.writer !== undefined && change.writer === writer) return;
    const keys = toKeys(change.object);
    const urgency = priority(change);
    for (const key of keys) enqueue(key, urgency);
    if (change.previous === undefined) return;
    // A key added twice is two passes where a worker waits: it takes the first at once.
    const known = new Set(keys.map(keyText));
    for (const key of toKeys(change.previous)) if (!known.has(keyText(key))) enqueue(key, urgency);
  });
}

function news({ initial }: StoreChange<KubeObject>): Priority {
  return initial ? 'low' : 'normal';
}

/** Of the controller's own objects, those that are new or have a new spec come first: a user waits for them. */
function demand(change: StoreChange<KubeObject>): Priority {
  if (change.initial || change.previous === undefined) return change.initial ? 'low' : 'high';
  const [before, after] = [change.previous.metadata, change.object.metadata];
  const same = before.generation === after.generation && before.deletionTimestamp === after.deletionTimestamp;
  return same ? 'normal' : 'high';
}

/** The key of the object that controls this one, when it is of the controller's kind. */
function ownerKeys(object: KubeObject, owner: Resource, owned: Owned): ObjectKey[] {
  const reference = object.metadata.ownerReferences?.find((each) => each.controller === true);
  if (reference === undefined || reference.kind !== owned.ownerKind) return [];
  const group = reference.apiVersion.includes('/') ? (reference.apiVersion.split('/')[0] ?? '') : '';
  if (group !== owner.group) return [];
  return [{ namespace: owner.namespaced ? (object.metadata.namespace ?? '') : '', name: reference.name }];
}

function runTasks(tasks: readonly Task[], signal: AbortSignal): Promise<unknown> {
  const running = tasks.map(async (task) => {
    try {
      await task.run(signal);
    } catch (error) {
      throw new Error(`task ${task.name} failed`, { cause: error });
    }
  });
  const all = Promise.all(running);
  all.catch(() => undefined); // its caller sees the error
  return all;
}

/** Never resolves; rejects as the promise does. */
function failure(promise: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    promise.catch(reject);
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function alwaysLeader(): LeaderElector {
  return {
    acquire: (signal) => Promise.resolve(!signal.aborted),
    hold: (signal) => aborted(signal),
    release: () => Promise.resolve(),
    isLeader: () => true,
    assertLeader: () => undefined,
    state: () => ({ leading: true }),
  };
}
