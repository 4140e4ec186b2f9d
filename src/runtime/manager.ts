import type { Owned, Reconciler, WatchOptions, Watched } from './controller';
import type { KubeObject, Resource } from './objects';
import type { Store } from './store';

export type ControllerSpec<T extends KubeObject = KubeObject> = {
  name: string;
  for: Resource<T>;
  forOptions?: WatchOptions<T>;
  owns?: readonly Owned[];
  watches?: readonly Watched[];
  reconciler: Reconciler;
  /** Reconciles at one time, each of another key; default 4. */
  concurrency?: number;
};

export type Readiness = { ready: boolean; waitingFor: readonly string[] };

export type Task = {
  name: string;
  /** Start only as leader; otherwise with the manager. */
  leaderOnly?: boolean;
  run(signal: AbortSignal): Promise<void>;
};

export type Manager = {
  /** The shared cache of a resource; one reflector however often it is asked for. */
  watch<T extends KubeObject>(resource: Resource<T>, options?: WatchOptions<T>): Store<T>;
  controller<T extends KubeObject>(spec: ControllerSpec<T>): void;
  /** Something that runs beside the controllers until the signal aborts. */
  task(task: Task): void;
  /** Puts what a write returned into the caches. */
  observe<T extends KubeObject>(resource: Resource<T>, object: T): void;
  /** Runs until the signal aborts and everything has drained. Rejects with LeadershipLostError on loss of the lease. */
  start(signal: AbortSignal): Promise<void>;
  readiness(): Readiness;
  isLeader(): boolean;
};
