import { compareResourceVersions, keyText, keyOf, type KubeObject } from '../objects';

/** Read side of a cache. Objects are shared: readers must not change them. */
export type Store<T> = {
  get(namespace: string, name: string): T | undefined;
  list(namespace?: string): readonly T[];
  /** Objects under a value of a named index; throws for an undeclared index. */
  byIndex(index: string, value: string): readonly T[];
};

/*
 * Both are declared by way of a method, so that one over Jobs fits where those over objects in general are listed.
 */
/** Values under which an object is found; none keeps it out of the index. */
export type Index<T> = { index(object: T): readonly string[] }['index'];
/** Returns the object to cache. Must return a copy, because the writer of its argument goes on reading it. */
export type Transform<T> = { transform(object: T): T }['transform'];

export type StoreChange<T> = (
  | { type: 'added'; object: T; previous?: undefined }
  | { type: 'updated'; object: T; previous: T }
  | { type: 'deleted'; object: T; previous?: undefined }
) & {
  initial: boolean;
  /** The writer whose write alone led to this state, so that the state is no news to it. */
  writer?: string | undefined;
};

export type StoreListener<T> = (change: StoreChange<T>) => void;

type IndexData = Map<string, Set<string>>;
type Entry<T> = {
  object: T;
  /** Sequence number of the local write that put the object here; 0 when it came from the API server's watch. */
  writtenAt: number;
};

/**
 * The cache of one reflector.
 *
 * Stale-cache protection is read-your-writes: what a write returned is put here at once, so that the next reconcile
 * sees its own child and never makes a second one. This was preferred to client-go's expectations because it needs
 * no counting, no time-out, and gives the reconciler the newest status too. Two rules keep it honest:
 * 1. A written object enters only when it is newer than the watch (`resourceVersion` below): anything older has
 *    been seen by the watch already, perhaps with its deletion, and must not come back.
 * 2. The watch never replaces an entry by an older version, so the event that lags behind our write is dropped.
 */
export class ObjectStore<T extends KubeObject> implements Store<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #indexes = new Map<string, { index: Index<T>; data: IndexData }>();
  readonly #listeners = new Set<StoreListener<T>>();
  #resourceVersion: string | undefined;
  #writes = 0;

  constructor(indexes: Readonly<Record<string, Index<T>>> = {}) {
    for (const [name, index] of Object.entries(indexes)) this.addIndex(name, index);
  }

  /** Adds an index, also after objects have arrived. The same name again keeps the first function. */
  addIndex(name: string, index: Index<T>): void {
    if (this.#indexes.has(name)) return;
    const data: IndexData = new Map();
    this.#indexes.set(name, { index, data });
    for (const [key, { object }] of this.#entries) insert(data, index(object), key);
  }

  /** Calls the listener for each later change; the returned function ends that. */
  subscribe(listener: StoreListener<T>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Resource version of the watch; undefined before the first list. */
  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  /** Number of local writes so far; a reflector reads it before it lists. */
  get writes(): number {
    return this.#writes;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#entries.get(keyText({ namespace, name }))?.object;
  }

  list(namespace?: string): readonly T[] {
    const objects = [...this.#entries.values()].map((entry) => entry.object);
    return namespace === undefined
      ? objects
      : objects.filter((object) => (object.metadata.namespace ?? '') === namespace);
  }

  byIndex(name: string, value: string): readonly T[] {
    const found = this.#indexes.get(name);
    if (found === undefined) throw new Error(`unknown index "${name}"`);
    const keys = found.data.get(value) ?? [];
    return [...keys].flatMap((key) => this.#entries.get(key)?.object ?? []);
  }

  /**
   * Takes over a complete list read at resourceVersion, as a difference: readers never see an empty store, and what
   * the list lacks is reported as deleted. `writesBefore` is `writes` as it was when the list was requested: only a
   * younger write that is also newer than the list survives it. (A restored etcd counts backwards, so that versions
   * alone would keep ghosts.)
   */
  replace(objects: Iterable<T>, resourceVersion: string, writesBefore: number, initial = false): void {
    this.#resourceVersion = resourceVersion;
    const listed = new Set<string>();
    for (const object of objects) {
      const key = keyText(keyOf(object));
      listed.add(key);
      if (!this.#outlives(key, object.metadata.resourceVersion, writesBefore))
        this.#put(key, object, 0, initial);
    }
    for (const key of [...this.#entries.keys()]) {
      if (!listed.has(key) && !this.#outlives(key, resourceVersion, writesBefore)) this.#remove(key, initial);
    }
  }

  /** ADDED or MODIFIED from the watch. */
  applyEvent(object: T): void {
    this.moveTo(object.metadata.resourceVersion);
    const key = keyText(keyOf(object));
    const held = this.#entries.get(key)?.object.metadata.resourceVersion;
    const order = compareResourceVersions(held, object.metadata.resourceVersion);
    if (order === undefined || order < 0) this.#put(key, object, 0, false);
  }

  /** DELETED from the watch; the object carries the version of its deletion. */
  deleteEvent(object: T): void {
    this.moveTo(object.metadata.resourceVersion);
    const key = keyText(keyOf(object));
    const held = this.#entries.get(key);
    const order = compareResourceVersions(
      held?.object.metadata.resourceVersion,
      object.metadata.resourceVersion,
    );
    if (held !== undefined && (order === undefined || order <= 0)) this.#remove(key, false);
  }

  /** The watch has delivered everything up to this version (an event or a bookmark). */
  moveTo(resourceVersion: string | undefined): void {
    if (resourceVersion !== undefined) this.#resourceVersion = resourceVersion;
  }

  /**
   * Read-your-writes: takes what a create, apply or patch of ours returned. Returns whether it was newer and is kept.
   * Name the writer only when the object is exactly what it already knows.
   */
  observeWrite(object: T, writer?: string): boolean {
    const { resourceVersion } = object.metadata;
    const key = keyText(keyOf(object));
    if (!isNewer(resourceVersion, this.#resourceVersion)) return false;
    const held = this.#entries.get(key)?.object;
    if (held !== undefined && !isNewer(resourceVersion, held.metadata.resourceVersion)) return false;
    this.#put(key, object, ++this.#writes, false, writer);
    return true;
  }

  #outlives(key: string, resourceVersion: string | undefined, writesBefore: number): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.writtenAt <= writesBefore) return false;
    return isNewer(entry.object.metadata.resourceVersion, resourceVersion);
  }

  #put(key: string, object: T, writtenAt: number, initial: boolean, writer?: string): void {
    const previous = this.#entries.get(key)?.object;
    this.#entries.set(key, { object, writtenAt });
    const sameVersion =
      previous !== undefined && previous.metadata.resourceVersion === object.metadata.resourceVersion;
    if (sameVersion && object.metadata.resourceVersion !== undefined) return;
    for (const { index, data } of this.#indexes.values()) {
      if (previous !== undefined) erase(data, index(previous), key);
      insert(data, index(object), key);
    }
    if (previous === undefined) this.#notify({ type: 'added', object, initial, writer });
    else this.#notify({ type: 'updated', object, previous, initial, writer });
  }

  #remove(key: string, initial: boolean): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    for (const { index, data } of this.#indexes.values()) erase(data, index(entry.object), key);
    this.#notify({ type: 'deleted', object: entry.object, initial });
  }

  #notify(change: StoreChange<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** Several stores, one per watched namespace, read as one. */
export function unionStore<T>(stores: readonly Store<T>[]): Store<T> {
  return {
    get(namespace, name) {
      for (const store of stores) {
        const found = store.get(namespace, name);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    list: (namespace) => stores.flatMap((store) => store.list(namespace)),
    byIndex: (index, value) => stores.flatMap((store) => store.byIndex(index, value)),
  };
}

function isNewer(version: string | undefined, than: string | undefined): boolean {
  const order = compareResourceVersions(version, than);
  return order !== undefined && order > 0;
}

function insert(data: IndexData, values: readonly string[], key: string): void {
  for (const value of values) {
    const keys = data.get(value);
    if (keys === undefined) data.set(value, new Set([key]));
    else keys.add(key);
  }
}

function erase(data: IndexData, values: readonly string[], key: string): void {
  for (const value of values) {
    const keys = data.get(value);
    keys?.delete(key);
    if (keys?.size === 0) data.delete(value);
  }
}
