import type { KubeObject, ObjectKey, Resource } from '../runtime/objects';

export type WriteOptions = { fieldManager?: string; signal?: AbortSignal };

export type ApplyOptions<T> = WriteOptions & {
  /** Take fields over from other managers; default true, as a controller should. */
  force?: boolean;
  /**
   * The object as the cache holds it. When it already is what would be applied, nothing is sent and it is returned.
   */
  live?: T | undefined;
};

export type StatusOptions = WriteOptions & {
  /** Also require that the object has not changed since it was read (a 409 otherwise). */
  requireUnchanged?: boolean;
};

export type DeleteOptions = {
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Delete only this very object, not a later one of the same name. */
  uid?: string;
  gracePeriodSeconds?: number;
  signal?: AbortSignal;
};

export type ListOptions = {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  signal?: AbortSignal;
};

/** What apply sends: the fields this operator owns and no others. */
export type Desired<T extends KubeObject> = T;

/** The only writer of our objects and their children. Each write's answer enters the caches (read-your-writes). */
export type KubeClient = {
  /** Server-side apply under the field manager sparsedm-operator; returns the stored object. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: Desired<T>,
    options?: ApplyOptions<T>,
  ): Promise<T>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /**
   * Merge patch of exactly the fields in which `status` differs from `object.status` (null for those it lacks), against
   * the same uid. Sends nothing and answers false when there is no difference.
   */
  patchStatus<T extends KubeObject & { status?: unknown }>(
    resource: Resource<T>,
    object: T,
    status: NonNullable<T['status']>,
    options?: StatusOptions,
  ): Promise<boolean>;
  /** Answers false when the object was already gone. */
  delete(resource: Resource, key: ObjectKey, options?: DeleteOptions): Promise<boolean>;
  /** Straight from the API server; undefined when there is no such object. */
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<T[]>;
};
