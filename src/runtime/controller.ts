import type { KubeObject, ObjectKey, Resource } from './objects';
import type { Index } from './store';

export type ReconcileResult = { requeueAfterMs?: number } | undefined;

export type Reconciler = {
  /**
   * Brings one object's world closer to its spec. Throws TerminalError for what no retry can mend, anything else to be
   * retried with back-off; the signal aborts when the process stops or loses the lease.
   */
  reconcile(key: ObjectKey, signal?: AbortSignal): Promise<ReconcileResult | void>;
};

export type WatchOptions<T> = {
  labelSelector?: string;
  /** Drops what is never read before an object is cached; managedFields are always dropped. */
  transform?(object: T): T;
  indexes?: Readonly<Record<string, Index<T>>>;
};

/** Objects of which changes enqueue the owner that controls them. */
export type Owned<T extends KubeObject = KubeObject> = WatchOptions<T> & {
  resource: Resource<T>;
  ownerKind: string;
};

/** Objects of which changes enqueue whatever keys they map to; called for the old and the new state. */
export type Watched<T extends KubeObject = KubeObject> = WatchOptions<T> & {
  resource: Resource<T>;
  toKeys(object: T): readonly ObjectKey[];
};
