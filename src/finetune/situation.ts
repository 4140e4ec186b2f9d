import type { SparseFinetune } from '../api/types';
import { isTrue } from '../kube/conditions';
import { controllerOf, isOwnedBy } from '../kube/owner';
import type { Job, Pod } from '../kube/resources';
import { parseTerminationMessage, type FinetuneReport } from '../reports/body';
import {
  byCreation,
  isDeleting,
  isOver,
  isRunning,
  lastExit,
  startTrouble,
  type Trouble,
} from '../workload/pod-state';
import type { Refusal } from '../workload/refusal';
import { endsTheJob, failureOf } from './exit';
import { isSuspendedByOthers, TRAINER_CONTAINER } from './job';

export type Observed = {
  finetune: SparseFinetune;
  /** Whatever Job has the child's name, ours or not. */
  job: Job | undefined;
  /** Pods of the finetune's Jobs. */
  pods: readonly Pod[];
  /** A pod of the run's name that has not ended and is none of its Job's. */
  earlierPod?: Pod | undefined;
  /** Field managers other than the operator that have suspended the Job, where they were looked up. */
  holders?: readonly string[] | undefined;
  /** Why the API server refused the Job in this pass. */
  refusal?: Refusal | undefined;
  /** The API server's words to the Job controller when it refused the pod. */
  podRefusal?: string | undefined;
};

/** Where a run is, read from the cluster's state alone. */
export type Situation =
  | { kind: 'over' }
  | { kind: 'conflict'; job: Job }
  | { kind: 'refused'; trouble: Trouble }
  | { kind: 'noJob' }
  | { kind: 'held'; pod: Pod }
  | { kind: 'jobDeleting' }
  /** By the spec, or by others whom the Job belongs to as well: a queue. */
  | { kind: 'suspended' | 'suspending'; byOthers: boolean; holders: readonly string[] | undefined }
  | { kind: 'podRefused'; message: string }
  | { kind: 'waiting' }
  | { kind: 'blocked'; trouble: Trouble }
  | { kind: 'running'; pod: Pod }
  | { kind: 'retrying'; failure: Trouble }
  | { kind: 'complete'; report: FinetuneReport | undefined; at: string | undefined }
  | { kind: 'failed'; failure: Trouble; at: string | undefined; hasJob: boolean };

export function isFinished({ status }: SparseFinetune): boolean {
  return isTrue(status?.conditions, 'Finished');
}

export function jobCondition(job: Job, type: string) {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
}

/**
 * Pods that belong to the run by more than a label, which anybody can write: of its Job, or of the one that was in force
 * before. Names and times would not do, for an earlier SparseFinetune of the same name had Jobs of the same name, and
 * the clocks of API servers differ.
 */
export function podsOfRun(finetune: SparseFinetune, job: Job | undefined, pods: readonly Pod[]): Pod[] {
  const own = job !== undefined && isOwnedBy(job, finetune) ? job.metadata.uid : undefined;
  const uids = [own, finetune.status?.jobUid].filter((uid) => uid !== undefined);
  return pods.filter((pod) => uids.includes(controllerOf(pod)?.uid ?? ''));
}

export function podsOf(job: Job, pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => isOwnedBy(pod, job)).sort(byCreation);
}

/** The pod that did the work, once the Job is complete. */
export function succeededPod(job: Job, pods: readonly Pod[]): Pod | undefined {
  return podsOf(job, pods).findLast((pod) => pod.status?.phase === 'Succeeded');
}

export function judge(observed: Observed): Situation {
  const { finetune, job } = observed;
  if (isFinished(finetune)) return { kind: 'over' };
  if (job === undefined) return judgeWithoutJob(observed);
  if (!isOwnedBy(job, finetune))
    return isLeftOver(job, finetune) ? { kind: 'jobDeleting' } : { kind: 'conflict', job };
  return judgeEnd(job, observed) ?? judgeActive(job, observed);
}

/** A Job that can never be stored ends the run: its spec is immutable. */
function judgeWithoutJob({ refusal, earlierPod }: Observed): Situation {
  if (refusal === undefined)
    return earlierPod === undefined ? { kind: 'noJob' } : { kind: 'held', pod: earlierPod };
  if (!refusal.final) return { kind: 'refused', trouble: refusal };
  const message = `The API server refuses the Job: ${refusal.message}. Correct that in a new SparseFinetune.`;
  return { kind: 'failed', failure: { reason: refusal.reason, message }, at: undefined, hasJob: false };
}

/** The Job of an earlier SparseFinetune of the same name, which the garbage collector is about to take. */
function isLeftOver(job: Job, { kind, metadata }: SparseFinetune): boolean {
  const owner = controllerOf(job);
  return owner?.kind === kind && owner.name === metadata.name;
}

function judgeEnd(job: Job, { finetune, pods }: Observed): Situation | undefined {
  const complete = jobCondition(job, 'Complete');
  if (complete !== undefined) {
    const pod = succeededPod(job, pods);
    const message = pod && lastExit(pod, TRAINER_CONTAINER)?.message;
    const at = job.status?.completionTime ?? complete.lastTransitionTime;
    return { kind: 'complete', report: parseTerminationMessage(message), at };
  }
  const failed = jobCondition(job, 'Failed');
  if (failed === undefined) return undefined;
  const failure = explainFailure(failed, finetune, podsOf(job, pods));
  return { kind: 'failed', failure, at: failed.lastTransitionTime, hasJob: true };
}

type JobCondition = NonNullable<ReturnType<typeof jobCondition>>;

/** The trainer's reason says more than the Job's; only the deadline is known to the Job alone. */
function explainFailure(failed: JobCondition, { spec }: SparseFinetune, pods: readonly Pod[]): Trouble {
  if (failed.reason === 'DeadlineExceeded') {
    return {
      reason: 'DeadlineExceeded',
      message: `The run was still active after activeDeadlineSeconds (${spec.activeDeadlineSeconds ?? '?'} s): allow more time in a new SparseFinetune with the same output.uri, which goes on from the last checkpoint.`,
    };
  }
  const failure = pods.map(failureOf).findLast((each) => each !== undefined);
  if (failure === undefined) {
    return {
      reason: failed.reason ?? 'Failed',
      message: failed.message ?? 'The Job failed without saying why.',
    };
  }
  if (failed.reason !== 'BackoffLimitExceeded') return failure;
  return { reason: failure.reason, message: `${failure.message} It was tried ${times(pods.length)}.` };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function judgeActive(job: Job, { finetune, pods, podRefusal, holders }: Observed): Situation {
  if (job.metadata.deletionTimestamp !== undefined) return { kind: 'jobDeleting' };
  const own = podsOf(job, pods);
  const current = own.findLast((pod) => !isOver(pod) && !isDeleting(pod));
  const byOthers = isSuspendedByOthers(finetune, job);
  if (finetune.spec.suspend === true || byOthers) {
    return { kind: own.some((pod) => !isOver(pod)) ? 'suspending' : 'suspended', byOthers, holders };
  }
  if (current !== undefined) return judgePod(current);
  // Nothing follows that pod, and the Job will say so in a moment.
  const last = succeededPod(job, pods) ?? own.findLast(endsTheJob);
  if (last !== undefined) return { kind: 'running', pod: last };
  const failure = own.map(failureOf).findLast((each) => each !== undefined);
  if (podRefusal !== undefined) return { kind: 'podRefused', message: podRefusal };
  return failure === undefined ? { kind: 'waiting' } : { kind: 'retrying', failure };
}

function judgePod(pod: Pod): Situation {
  const trouble = startTrouble(pod, TRAINER_CONTAINER);
  if (trouble !== undefined) return { kind: 'blocked', trouble };
  return isRunning(pod) ? { kind: 'running', pod } : { kind: 'waiting' };
}
