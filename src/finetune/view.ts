/** What a run that goes on shows of its situation. */
import { REASONS } from '../api/conditions';
import type { FinetunePhase, SparseFinetune } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import type { Trouble } from '../workload/pod-state';
import { explainEarlierPod } from './earlier-pod';
import type { Situation } from './situation';

/** What each situation means for the conditions that speak about the present. */
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

export type Active = Exclude<Situation, { kind: 'over' | 'complete' | 'failed' }>;
type Hindered = Extract<
  Active,
  { kind: 'held' | 'conflict' | 'refused' | 'jobDeleting' | 'podRefused' | 'blocked' }
>;

function isHindered(situation: Active): situation is Hindered {
  return ['held', 'conflict', 'refused', 'jobDeleting', 'podRefused', 'blocked'].includes(situation.kind);
}

export function view(situation: Active, finetune: SparseFinetune, now: Date): View {
  if (isHindered(situation)) return hinderedView(situation, finetune, now);
  switch (situation.kind) {
    case 'noJob':
      return waitingView('Pending', unknown(REASONS.jobMissing, 'The Job is about to be created.'));
    case 'waiting':
      return waitingView(
        'Pending',
        unknown(REASONS.waitingForPod, 'The Job exists; its pod is about to start.'),
      );
    case 'retrying':
      return retryingView(situation.failure, finetune);
    case 'suspending':
    case 'suspended':
      return situation.byOthers
        ? heldView(situation.kind === 'suspended', finetune, situation.holders)
        : suspendedView(situation.kind === 'suspended');
    case 'running':
      return { phase: 'Running', job: jobExists, training: yes(REASONS.running, 'The trainer runs.') };
  }
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
      return waitingView('Pending', no(REASONS.jobDeleting, 'The Job is being deleted; a new one follows.'));
    case 'podRefused':
      return waitingView('Pending', no(REASONS.podsRefused, situation.message));
  }
}

function troubledView({ reason, message }: Trouble): View {
  return waitingView('Pending', no(reason, message));
}

function conflictMessage(name: string): string {
  return `The Job ${name} exists and belongs to somebody else, so it is left alone: delete or rename it, or use another name for the SparseFinetune.`;
}

function retryingView(failure: Trouble, { spec }: SparseFinetune): View {
  const message = `The last attempt failed, and the Job tries again (backoffLimit ${spec.backoffLimit ?? 3}). ${failure.message}`;
  return { phase: 'Pending', job: jobExists, training: no(REASONS.retrying, message) };
}

export const notSuspended = no(REASONS.notSuspended, 'The run is not suspended.');

function suspendedView(stopped: boolean): View {
  const message = stopped
    ? 'spec.suspend is true: set it to false, and the run goes on from its last checkpoint.'
    : 'spec.suspend is true: the trainer saves a checkpoint and stops.';
  return {
    phase: 'Suspended',
    job: jobExists,
    training: no(REASONS.suspended, message),
    suspended: stopped ? yes(REASONS.suspended, 'No pod runs.') : notSuspended,
  };
}

/** Suspended by others whom the Job obeys too. Who that is was said when it was first seen. */
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
      : 'The Job was made suspended by an admission webhook, as those of queues do';
  return `${who}, and spec.suspend does not ask for it. It is left alone, and the run goes on when it is let go. Where a queue like Kueue holds it, "kubectl get workloads --namespace ${metadata.namespace ?? ''}" says what it waits for.`;
}
