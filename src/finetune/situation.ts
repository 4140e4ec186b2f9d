import type { SparseFinetune } from '../api/types';
import { controllerOf, isOwnedBy } from '../kube/owner';
import type { Job, Pod, Service } from '../kube/resources';
import {
  byCreation,
  disruption,
  isDeleting,
  isOver,
  isRunning,
  lastExit,
  startTrouble,
  type Trouble,
} from '../workload/pod-state';
import type { Refusal } from '../workload/refusal';
import { firstStart } from './attempts';
import { causeOf, endsTheJob, failedPod, failureOf } from './exit';
import type { ClusterGpus } from './gpus';
import { isSuspendedByOthers, TRAINER_CONTAINER } from './job';
import { hasLostAnother, isFirst, nodesOf } from './nodes';
import { isFinished } from './progress';
import { isQueued, type Queue } from './queue';
import { parseTerminationMessage, type FinetuneReport } from './report';
import type { ReportAddresses } from './report-address';
import { heldOpen, type HeldOpen } from './sidecar';

export type Observed = {
  finetune: SparseFinetune;
  /** The Job with the child's name, whether ours or not. */
  job: Job | undefined;
  /** Pods of the finetune's Jobs. */
  pods: readonly Pod[];
  /** A pod with the run's label that has not ended and does not belong to its Job. */
  earlierPod?: Pod | undefined;
  /** Where the pod reports to, looked up when it is silent. */
  addresses?: ReportAddresses | undefined;
  /** Field managers other than the operator that have suspended the Job, where they were looked up. */
  holders?: readonly string[] | undefined;
  /** The cluster's, looked up while a run that asks for none is on a CPU. */
  gpus?: ClusterGpus | undefined;
  /** Of a run of several pods. */
  service?: Service | undefined;
  /** Of a run with spec.queueName that has a Job. */
  queue?: Queue | undefined;
  /** Why the API server refused the Job in this pass. */
  refusal?: Refusal | undefined;
  /** The API server's message to the Job controller when it refused the pod. */
  podRefusal?: string | undefined;
};

/** State of a run, derived from the cluster's state alone. */
export type Situation =
  | { kind: 'over' }
  | { kind: 'conflict'; job: Job }
  | { kind: 'refused'; trouble: Trouble }
  | { kind: 'noJob' }
  | { kind: 'held'; pod: Pod }
  /** `pod` has to end first. */
  | { kind: 'jobDeleting'; pod: Pod | undefined }
  /** By the spec, or by another controller such as a queue. */
  | { kind: 'suspended'; byOthers: boolean; holders: readonly string[] | undefined }
  | { kind: 'suspending'; byOthers: boolean; holders: readonly string[] | undefined; pod: Pod | undefined }
  /** The queue of the spec holds the Job. `pod` has to end first, where the queue took back its place. */
  | { kind: 'queued'; queue: Queue; pod: Pod | undefined }
  | { kind: 'podRefused'; message: string }
  /** Waiting for the pod to start, or for the Job controller to create one. */
  | { kind: 'waiting'; job: Job | undefined; pod: Pod | undefined }
  /** The pod is terminating, and the Job creates another when it has ended. */
  | { kind: 'ending'; pod: Pod }
  | { kind: 'blocked'; trouble: Trouble }
  | { kind: 'running'; pod: Pod }
  /** `counts` is false when Kubernetes removed the pod. */
  | { kind: 'retrying'; failure: Trouble; counts: boolean }
  /** The trainer has ended without a result, and its pod keeps running. */
  | { kind: 'sidecar'; held: HeldOpen; failure: Trouble | undefined }
  /** The Job has failed, and `pod` has to end before it says so. */
  | { kind: 'failing'; failure: Trouble; pod: Pod | undefined }
  | { kind: 'complete'; report: FinetuneReport | undefined; at: string | undefined; held?: HeldOpen }
  | { kind: 'failed'; failure: Trouble; at: string | undefined; hasJob: boolean; held?: HeldOpen }
  /** No pod has started in time; the Job is to go. */
  | { kind: 'givenUp'; failure: Trouble };

export function jobCondition(job: Job, type: string) {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');
}

/**
 * Pods that belong to the run: those of its Job, or of the Job before. A label is not enough, since anybody can write
 * one; nor are names and times, since an earlier SparseFinetune of the same name had Jobs of the same name, and the
 * clocks of API servers differ.
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
  return podsOf(job, pods).findLast((pod) => pod.status?.phase === 'Succeeded' && isFirst(pod));
}

export function judge(observed: Observed, now: Date): Situation {
  const { finetune, job } = observed;
  if (isFinished(finetune)) return { kind: 'over' };
  if (job === undefined) return judgeWithoutJob(observed);
  if (!isOwnedBy(job, finetune))
    return isLeftOver(job, finetune) ? { kind: 'jobDeleting', pod: undefined } : { kind: 'conflict', job };
  return judgeEnd(job, observed) ?? inTime(judgeActive(job, observed, now), observed, now);
}

/** A Job that can never be stored ends the run: its spec is immutable. */
function judgeWithoutJob({ refusal, earlierPod }: Observed): Situation {
  if (refusal === undefined)
    return earlierPod === undefined ? { kind: 'noJob' } : { kind: 'held', pod: earlierPod };
  if (!refusal.final) return { kind: 'refused', trouble: refusal };
  const message = `The API server refuses the Job: ${refusal.message}. Correct that in a new SparseFinetune.`;
  return { kind: 'failed', failure: { reason: refusal.reason, message }, at: undefined, hasJob: false };
}

/**
 * Whether this is the Job of an earlier SparseFinetune of the same name, which the garbage collector is about to
 * delete.
 */
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
  const result = judgeResult(podsOf(job, pods));
  if (result !== undefined) return result;
  const failure = explainFailure(failed, finetune, podsOf(job, pods));
  return { kind: 'failed', failure, at: failed.lastTransitionTime, hasJob: true };
}

type JobCondition = NonNullable<ReturnType<typeof jobCondition>>;

/** The trainer's reason is more specific than the Job's; only the deadline is known to the Job alone. */
function explainFailure(failed: JobCondition, { spec }: SparseFinetune, pods: readonly Pod[]): Trouble {
  if (failed.reason === 'DeadlineExceeded') {
    return {
      reason: 'DeadlineExceeded',
      message: `The run was still active after spec.activeDeadlineSeconds (${spec.activeDeadlineSeconds ?? '?'} s): allow more time in a new SparseFinetune with the same spec.output.uri, which resumes from the last checkpoint.`,
    };
  }
  const failure = causeOf(pods);
  if (failure === undefined) {
    return {
      reason: failed.reason ?? 'Failed',
      message: failed.message ?? 'The Job failed without a reason.',
    };
  }
  if (failed.reason !== 'BackoffLimitExceeded') return failure;
  return {
    reason: failure.reason,
    message: `${failure.message} It was tried ${times(pods.filter(isFirst).length)}.`,
  };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

/** When the wait for the first pod ends, in milliseconds since the epoch; undefined when it has no end. */
export function startDueAt({ finetune, job, pods }: Observed): number | undefined {
  const { startDeadlineSeconds } = finetune.spec;
  if (startDeadlineSeconds === undefined || job === undefined) return undefined;
  if (firstStart(finetune.status?.attempts, pods) !== undefined) return undefined;
  const since = Date.parse(job.status?.startTime ?? job.metadata.creationTimestamp ?? '');
  return Number.isNaN(since) ? undefined : since + startDeadlineSeconds * 1000;
}

/** The situation, unless the run has waited for its first pod for too long. */
function inTime(situation: Situation, observed: Observed, now: Date): Situation {
  const why = waitOf(situation);
  if (why === undefined || now.getTime() < (startDueAt(observed) ?? Infinity)) return situation;
  const seconds = observed.finetune.spec.startDeadlineSeconds ?? 0;
  const message = `No pod of the run had started after spec.startDeadlineSeconds (${seconds} s): ${why}`;
  return { kind: 'givenUp', failure: { reason: 'StartDeadlineExceeded', message } };
}

/** What a run without a running pod waits for; undefined for any other. */
function waitOf(situation: Situation): string | undefined {
  if (situation.kind === 'blocked') return situation.trouble.message;
  if (situation.kind === 'podRefused') return situation.message;
  return situation.kind === 'waiting'
    ? 'the node was still mounting its volumes or pulling its image, or there was no pod.'
    : undefined;
}

function judgeActive(job: Job, observed: Observed, now: Date): Situation {
  const own = podsOf(job, observed.pods);
  return (
    judgeStop(job, own, observed) ??
    judgeHeldOpen(own, observed, now) ??
    judgeResult(own) ??
    judgeFailing(job, own, observed) ??
    judgePods(job, own, observed, now)
  );
}

/** A Job that is being deleted or is suspended has pods that must end. */
function judgeStop(job: Job, own: readonly Pod[], observed: Observed): Situation | undefined {
  const { finetune, holders } = observed;
  const pod = own.find((each) => !isOver(each));
  if (job.metadata.deletionTimestamp !== undefined) return { kind: 'jobDeleting', pod };
  const byOthers = isSuspendedByOthers(finetune, job);
  if (finetune.spec.suspend !== true && !byOthers) return judgeQueue(job, observed, pod);
  // A queue suspends the Job itself, once it has seen that it shall.
  return pod === undefined && (!isQueued(finetune) || job.spec?.suspend === true)
    ? { kind: 'suspended', byOthers, holders }
    : { kind: 'suspending', byOthers, holders, pod };
}

function judgeQueue(job: Job, { finetune, queue }: Observed, pod: Pod | undefined): Situation | undefined {
  if (!isQueued(finetune) || job.spec?.suspend !== true) return undefined;
  return { kind: 'queued', queue: queue ?? { isMissing: false, workload: undefined }, pod };
}

/** A trainer that succeeded has left its result, even if another container made the pod fail. */
function judgeResult(own: readonly Pod[]): Situation | undefined {
  for (const pod of own.filter(({ status }) => status?.phase === 'Failed')) {
    const exit = lastExit(pod, TRAINER_CONTAINER);
    const report = exit?.exitCode === 0 ? parseTerminationMessage(exit.message) : undefined;
    if (report?.model !== undefined) return { kind: 'complete', report, at: exit?.finishedAt };
  }
  return undefined;
}

/** The end of the trainer ends the run or the attempt, no matter what else runs in its pod. */
function judgeHeldOpen(own: readonly Pod[], { finetune }: Observed, now: Date): Situation | undefined {
  const held = heldOpen(own, now);
  if (held === undefined) return undefined;
  const at = held.exit.finishedAt;
  if (held.exit.exitCode === 0) {
    const report = parseTerminationMessage(held.exit.message);
    return report?.model === undefined && finetune.status?.model === undefined
      ? { kind: 'sidecar', held, failure: undefined }
      : { kind: 'complete', report, at, held };
  }
  const failure = failureOf(held.pod);
  return endsTheJob(held.pod) && failure !== undefined
    ? { kind: 'failed', failure, at, hasJob: true, held }
    : { kind: 'sidecar', held, failure };
}

/** A failed Job reports its failure only when its pods are gone. */
function judgeFailing(job: Job, own: readonly Pod[], { finetune }: Observed): Situation | undefined {
  const failing = jobCondition(job, 'FailureTarget');
  if (failing === undefined) return undefined;
  const failure = explainFailure(failing, finetune, own);
  return { kind: 'failing', failure, pod: own.find((each) => !isOver(each)) };
}

function judgePods(job: Job, own: readonly Pod[], observed: Observed, now: Date): Situation {
  const { finetune, podRefusal } = observed;
  const live = own.filter((pod) => !isOver(pod) && !isDeleting(pod));
  if (live.length > 0) return judgeLive(job, own, live, nodesOf(finetune));
  const ending = own.findLast((pod) => !isOver(pod));
  if (ending !== undefined) return { kind: 'ending', pod: ending };
  // No other pod follows this one, and the Job is about to report its end.
  const last = succeededPod(job, own) ?? own.findLast(endsTheJob) ?? lastOfAll(job, own, now);
  if (last !== undefined) return { kind: 'running', pod: last };
  const failed = failedPod(own);
  if (podRefusal !== undefined) return { kind: 'podRefused', message: podRefusal };
  return failed === undefined ? { kind: 'waiting', job, pod: undefined } : retrying(failed);
}

/** Whether the pod counts against backoffLimit. */
function counts(pod: Pod): boolean {
  if (failureOf(pod) === undefined || disruption(pod) !== undefined) return false;
  return !hasLostAnother(lastExit(pod, TRAINER_CONTAINER));
}

function retrying(pod: Pod): Situation {
  const failure = failureOf(pod) ?? { reason: 'Failed', message: 'The attempt failed.' };
  return { kind: 'retrying', failure, counts: counts(pod) };
}

/** Largest difference assumed between the clocks of the operator and the Job controller. */
const CLOCK_SKEW_MS = 2_000;

/** The pod after which there is no further attempt: all attempts are used up, or the deadline has passed. */
function lastOfAll({ spec, status }: Job, own: readonly Pod[], now: Date): Pod | undefined {
  const counted = own.filter(counts);
  const deadline = Date.parse(status?.startTime ?? '') + (spec?.activeDeadlineSeconds ?? Infinity) * 1000;
  const isPast = now.getTime() >= deadline - CLOCK_SKEW_MS;
  return isPast || counted.length > (spec?.backoffLimit ?? Infinity) ? own.at(-1) : undefined;
}

/** Several pods train only when all are there: the first that is not says what the run waits for. */
function judgeLive(job: Job, own: readonly Pod[], live: readonly Pod[], nodes: number): Situation {
  const first = live.findLast(isFirst) ?? live.at(-1)!;
  if (nodes === 1) return judgePod(first);
  const late = live.map(judgePod).find(({ kind }) => kind !== 'running');
  if (late !== undefined) return late;
  const done = own.filter(({ status }) => status?.phase === 'Succeeded').length;
  if (live.length + done >= nodes) return { kind: 'running', pod: first };
  const failed = failedPod(own);
  return failed === undefined ? { kind: 'waiting', job, pod: undefined } : retrying(failed);
}

function judgePod(pod: Pod): Situation {
  const trouble = startTrouble(pod, TRAINER_CONTAINER);
  if (trouble !== undefined) return { kind: 'blocked', trouble };
  return isRunning(pod) ? { kind: 'running', pod } : { kind: 'waiting', job: undefined, pod };
}
