/** Conditions and phase of a run that has not ended. */
import { REASONS } from '../api/conditions';
import type { FinetunePhase, SparseFinetune } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import type { Pod } from '../kube/resources';
import { disruption, isNodeSilent, lateRemedy, whereabouts, type Trouble } from '../workload/pod-state';
import { explainEarlierPod } from './earlier-pod';
import { queueVerdict } from './queue';
import { explainHeldOpen } from './sidecar';
import type { Situation } from './situation';

/** What a situation means for the phase and the conditions about the present. */
export type View = {
  phase: FinetunePhase;
  job: Verdict;
  training: Verdict;
  suspended?: Verdict;
};

function waitingView(phase: FinetunePhase, job: Verdict): View {
  return { phase, job, training: unknown(job.reason, job.message) };
}

export const jobExists = yes(REASONS.jobCreated, 'The Job exists.');

export type Active = Exclude<Situation, { kind: 'over' | 'complete' | 'failed' | 'givenUp' }>;
type Hindered = Extract<
  Active,
  { kind: 'held' | 'conflict' | 'refused' | 'jobDeleting' | 'podRefused' | 'blocked' }
>;
type Stopping = Extract<
  Active,
  { kind: 'suspended' | 'suspending' | 'queued' | 'ending' | 'failing' | 'sidecar' }
>;
type Going = Exclude<Active, Hindered | Stopping>;

const HINDERED: readonly string[] = ['held', 'conflict', 'refused', 'jobDeleting', 'podRefused', 'blocked'];
const STOPPING: readonly string[] = ['suspended', 'suspending', 'queued', 'ending', 'failing', 'sidecar'];

const isHindered = (situation: Active): situation is Hindered => HINDERED.includes(situation.kind);
const isStopping = (situation: Active): situation is Stopping => STOPPING.includes(situation.kind);

export function view(situation: Active, finetune: SparseFinetune, now: Date): View {
  if (isHindered(situation)) return hinderedView(situation, finetune, now);
  if (isStopping(situation)) return stoppingView(situation, finetune, now);
  return goingView(situation, finetune, now);
}

function goingView(situation: Going, finetune: SparseFinetune, now: Date): View {
  switch (situation.kind) {
    case 'noJob':
      return waitingView('Pending', unknown(REASONS.jobMissing, 'The Job is about to be created.'));
    case 'waiting':
      return waitingView('Pending', unknown(REASONS.waitingForPod, explainWait(situation, now)));
    case 'retrying':
      return retryingView(situation, finetune);
    case 'running':
      return { phase: 'Running', job: jobExists, training: runningVerdict(situation.pod, finetune) };
  }
}

function runningVerdict(pod: Pod, { status }: SparseFinetune): Verdict {
  if (!isNodeSilent(pod)) {
    return status?.progress?.phase === 'fetching'
      ? yes(REASONS.fetching, 'The trainer is fetching files, as far as status.progress says.')
      : yes(REASONS.running, 'The trainer is running.');
  }
  return unknown(
    REASONS.nodeSilent,
    `The node of ${whereabouts(pod)} no longer answers, so it is unknown whether the trainer still runs. If the node stays away, Kubernetes evicts the pod (after 5 minutes, unless spec.trainer.tolerations say otherwise).`,
  );
}

/** Time without a pod after which the Job controller does not seem to work. */
const POD_DUE_AFTER_MS = 60_000;

function explainWait({ job, pod }: Extract<Active, { kind: 'waiting' }>, now: Date): string {
  if (pod !== undefined) return explainStart(pod);
  const since = Date.parse(job?.status?.startTime ?? job?.metadata.creationTimestamp ?? '');
  return now.getTime() - since >= POD_DUE_AFTER_MS
    ? `The Job has had no pod for over a minute: "kubectl describe job ${job?.metadata.name ?? ''}" says what it waits for, and whether its controller (in kube-controller-manager) has seen it.`
    : 'The Job exists; its pod is about to start.';
}

function explainStart(pod: Pod): string {
  const where = whereabouts(pod);
  return pod.spec?.nodeName === undefined
    ? `The ${where} waits for a node.`
    : `The ${where} is about to start: its volumes are mounted and its images pulled. If that takes long, "kubectl describe pod ${pod.metadata.name}" says why.`;
}

function stoppingView(situation: Stopping, finetune: SparseFinetune, now: Date): View {
  switch (situation.kind) {
    case 'suspended':
      return suspension(situation, finetune);
    case 'suspending':
      return withPod(suspension(situation, finetune), situation.pod, now);
    case 'queued':
      return queuedView(situation, finetune, now);
    case 'ending':
      return endingView(situation.pod, now);
    case 'failing':
      return failingView(situation, now);
    case 'sidecar':
      return sidecarView(situation);
  }
}

/** The view of a stop that waits for its pod to end, which a lost node never reports. */
function withPod(seen: View, pod: Pod | undefined, now: Date): View {
  const remedy = pod && lateRemedy(pod, now);
  if (pod === undefined || remedy === undefined) return seen;
  return { ...seen, job: no(REASONS.podLost, `The ${whereabouts(pod)} has not ended. ${remedy}`) };
}

function queuedView(
  { queue, pod }: Extract<Active, { kind: 'queued' }>,
  finetune: SparseFinetune,
  now: Date,
): View {
  const verdict = queueVerdict(finetune, queue);
  const leaving =
    pod === undefined ? '' : `The ${whereabouts(pod)} is terminating, since the queue took back its place. `;
  return withPod(waitingView('Pending', { ...verdict, message: `${leaving}${verdict.message}` }), pod, now);
}

function endingView(pod: Pod, now: Date): View {
  const why = disruption(pod);
  const because = why === undefined ? '' : ` (${why.reason}: ${why.message})`;
  const message = `The ${whereabouts(pod)} is terminating${because}, and the next one resumes from its last checkpoint.`;
  return withPod(waitingView('Pending', unknown(REASONS.podEnding, message)), pod, now);
}

function failingView({ failure, pod }: Extract<Active, { kind: 'failing' }>, now: Date): View {
  const wait = pod === undefined ? '' : ` The ${whereabouts(pod)} has to end before the run does.`;
  const seen: View = {
    phase: 'Running',
    job: jobExists,
    training: no(failure.reason, `${failure.message}${wait}`),
  };
  return withPod(seen, pod, now);
}

function sidecarView({ held, failure }: Extract<Active, { kind: 'sidecar' }>): View {
  const { reason, message } = explainHeldOpen(held, `kubectl delete pod ${held.pod.metadata.name}`);
  const before = failure === undefined ? '' : `${failure.message} The next attempt can't begin yet. `;
  return waitingView('Pending', no(reason, `${before}${message}`));
}

function hinderedView(situation: Hindered, finetune: SparseFinetune, now: Date): View {
  switch (situation.kind) {
    case 'held':
      return troubledView(explainEarlierPod(finetune, situation.pod, now));
    case 'conflict':
      return waitingView('Pending', no(REASONS.nameConflict, conflictMessage(situation.job.metadata.name)));
    case 'refused':
    case 'blocked':
      return troubledView(situation.trouble);
    case 'jobDeleting':
      return withPod(deletingView(situation.pod), situation.pod, now);
    case 'podRefused':
      return waitingView('Pending', no(REASONS.podsRefused, situation.message));
  }
}

function deletingView(pod: Pod | undefined): View {
  const until = pod === undefined ? '' : ` when the ${whereabouts(pod)} has ended`;
  return waitingView(
    'Pending',
    no(REASONS.jobDeleting, `The Job is being deleted; a new one follows${until}.`),
  );
}

function troubledView({ reason, message }: Trouble): View {
  return waitingView('Pending', no(reason, message));
}

function conflictMessage(name: string): string {
  return `The Job ${name} exists and belongs to another owner, so it is left alone: delete or rename it, or use another name for the SparseFinetune.`;
}

function retryingView(
  { failure, counts }: Extract<Active, { kind: 'retrying' }>,
  { spec }: SparseFinetune,
): View {
  const message = counts
    ? `An attempt failed, and the Job starts another (spec.backoffLimit allows ${spec.backoffLimit ?? 3} more than the first). ${failure.message}`
    : `Kubernetes removed the pod, which does not count against spec.backoffLimit, and the Job starts another. ${failure.message}`;
  return { phase: 'Pending', job: jobExists, training: no(REASONS.retrying, message) };
}

function suspension(
  situation: Extract<Active, { kind: 'suspended' | 'suspending' }>,
  finetune: SparseFinetune,
): View {
  const stopped = situation.kind === 'suspended';
  return situation.byOthers ? heldView(stopped, finetune, situation.holders) : suspendedView(stopped);
}

export const notSuspended = no(REASONS.notSuspended, 'The run is not suspended.');

function suspendedView(stopped: boolean): View {
  const message = stopped
    ? 'spec.suspend is true: set it to false, and the run resumes from its last checkpoint.'
    : 'spec.suspend is true: the trainer is saving a checkpoint and stopping.';
  return {
    phase: 'Suspended',
    job: jobExists,
    training: no(REASONS.suspended, message),
    suspended: stopped ? yes(REASONS.suspended, 'No pod is running.') : notSuspended,
  };
}

/** Suspended by others. Their names were looked up when the suspension was first seen. */
function heldView(stopped: boolean, finetune: SparseFinetune, holders: readonly string[] | undefined): View {
  const told = findCondition(finetune.status?.conditions, 'Training')?.message;
  const message = holders === undefined && told !== undefined ? told : explainHold(finetune, holders ?? []);
  return {
    phase: 'Suspended',
    job: jobExists,
    training: no(REASONS.heldByOthers, message),
    suspended: stopped ? yes(REASONS.heldByOthers, message) : notSuspended,
  };
}

function explainHold({ metadata }: SparseFinetune, holders: readonly string[]): string {
  const who =
    holders.length > 0
      ? `The field manager ${holders.map((name) => `"${name}"`).join(' and ')} has suspended the Job`
      : 'An admission webhook, as queues have, created the Job suspended';
  return `${who}, and spec.suspend does not ask for it. The operator leaves it alone, and the run continues when the suspension is lifted. Where a queue like Kueue holds it, "kubectl get workloads --namespace ${metadata.namespace ?? ''}" says what it waits for.`;
}
