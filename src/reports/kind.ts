import type { KubeObject, Resource } from '../runtime/objects';
import type { ReportAddress } from './address';
import type { Parsed } from './fields';
import type { Reporter } from './review';

/** An object whose status holds what its pods report. */
export type Reported = KubeObject & { status?: object };

/**
 * What reports mean for one kind of object. The mailbox takes those of any kind: it knows who may send them, and how
 * often they are written.
 */
export type ReportKind<T extends Reported = Reported, R extends object = object> = {
  /** Name in metrics. */
  name: string;
  resource: Resource<T>;
  address: ReportAddress;
  /** What controls a pod of the object, from the pod upwards: a Job, or a ReplicaSet and its Deployment. */
  controllers: readonly Resource[];
  parse(body: unknown): Parsed<R>;
  /** The part of the report that counts, by the pod that sent it; absent where all of it does. */
  partFrom?(report: R, reporter: Reporter): R;
  /** Whether the user wants to see the report at once. */
  isUrgent(object: T, report: R): boolean;
  /** The status with the report in it; undefined where the object takes no more reports. */
  apply(object: T, report: R, now: Date): NonNullable<T['status']> | undefined;
};
