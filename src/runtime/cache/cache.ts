import type { Clock } from '../clock';
import type { Transport } from '../http/transport';
import { resourceName, type KubeObject, type Resource } from '../objects';
import type { Logger } from '../telemetry/logger';
import type { Metrics } from '../telemetry/metrics';
import { createReflector, stripManagedFields, type ReflectorState, type ReflectorTuning } from './reflector';
import { parseSelector } from './selector';
import { ObjectStore, unionStore, type Index, type Store, type StoreListener, type Transform } from './store';

export type WatchOptions<T> = {
  labelSelector?: string;
  /** Namespaces in place of the manager's; not empty. */
  namespaces?: readonly string[];
  /** Drops unread parts of an object before it is cached; managedFields are always dropped. */
  transform?: Transform<T>;
  indexes?: Readonly<Record<string, Index<T>>>;
  /** Whether the cluster may lack this kind: the cache is then empty, and filled once the kind is there. */
  mayBeMissing?: boolean;
};

export type CacheOptions<T extends KubeObject> = {
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  random?: () => number;
  tuning?: Partial<ReflectorTuning>;
  /** Empty means all, in one reflector. */
  namespaces: readonly string[];
  resource: Resource<T>;
  watch: WatchOptions<T>;
};

/** State of one reflector and its store, for /debug. */
export type CacheState = ReflectorState & {
  resource: string;
  labelSelector?: string;
  /** Absent: all. */
  namespace?: string;
  objects: number;
  resourceVersion?: string;
};

/** The cache of one resource under one label selector: a reflector and a store per watched namespace. */
export type Cache<T extends KubeObject = KubeObject> = {
  readonly name: string;
  readonly store: Store<T>;
  /** Adds indexes; refuses a second transform. */
  extend(watch: WatchOptions<T>): void;
  subscribe(listener: StoreListener<T>): () => void;
  start(signal: AbortSignal): void;
  synced(): boolean;
  readonly whenSynced: Promise<unknown>;
  /** Whether the cluster lacked this kind at the last look. */
  missing(): boolean;
  holds(resource: Resource): boolean;
  observeWrite(object: KubeObject, writer?: string): void;
  state(): CacheState[];
};

export function createCache<T extends KubeObject>(options: CacheOptions<T>): Cache<T> {
  const { resource, watch } = options;
  const namespaces = watch.namespaces ?? options.namespaces;
  const scopes: readonly (string | undefined)[] =
    resource.namespaced && namespaces.length > 0 ? namespaces : [undefined];
  const matches = parseSelector(watch.labelSelector ?? '');
  const { transform } = watch;
  const parts = scopes.map((namespace) => {
    const store = new ObjectStore<T>();
    const reflector = createReflector({
      transport: options.transport,
      clock: options.clock,
      logger: options.logger,
      metrics: options.metrics,
      ...(options.random === undefined ? {} : { random: options.random }),
      ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
      resource,
      store,
      ...(namespace === undefined ? {} : { namespace }),
      ...(watch.labelSelector === undefined ? {} : { labelSelector: watch.labelSelector }),
      ...(transform === undefined ? {} : { transform }),
      mayBeMissing: watch.mayBeMissing === true,
    });
    return { namespace, store, reflector };
  });
  const [only, ...others] = parts.map((part) => part.store);

  function partOf(object: KubeObject) {
    return parts.find(({ namespace }) => namespace === undefined || namespace === object.metadata.namespace);
  }

  return {
    name: resourceName(resource),
    store: only !== undefined && others.length === 0 ? only : unionStore(parts.map((part) => part.store)),
    extend(more) {
      if (more.transform !== undefined && more.transform !== transform) {
        throw new Error(`${resourceName(resource)} is watched already, with another transform`);
      }
      for (const [name, index] of Object.entries(more.indexes ?? {})) {
        for (const { store } of parts) store.addIndex(name, index);
      }
    },
    subscribe(listener) {
      const ends = parts.map(({ store }) => store.subscribe(listener));
      return () => ends.forEach((end) => end());
    },
    start(signal) {
      for (const { reflector } of parts) void reflector.run(signal);
    },
    synced: () => parts.every(({ reflector }) => reflector.synced()),
    missing: () => parts.some(({ reflector }) => reflector.missing()),
    whenSynced: Promise.all(parts.map(({ reflector }) => reflector.whenSynced)),
    state: () =>
      parts.map(({ namespace, store, reflector }) => ({
        resource: resourceName(resource),
        ...(watch.labelSelector === undefined ? {} : { labelSelector: watch.labelSelector }),
        ...(namespace === undefined ? {} : { namespace }),
        objects: store.size,
        ...(store.resourceVersion === undefined ? {} : { resourceVersion: store.resourceVersion }),
        ...reflector.state(),
      })),
    holds: (other) => other.group === resource.group && other.plural === resource.plural,
    observeWrite(object, writer) {
      if (!matches(object.metadata.labels ?? {})) return;
      const kept = transform === undefined ? (object as T) : transform(object as T);
      partOf(object)?.store.observeWrite(stripManagedFields(kept), writer);
    },
  };
}
