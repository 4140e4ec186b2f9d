import { MEASURES_FID, REASONS, USES_GPU } from '../api/conditions';
import type { AttemptsStatus, SparseFinetune, SparseFinetuneStatus } from '../api/types';
import { findCondition } from '../kube/conditions';
import { equalJson } from '../kube/patch';
import type { Transition } from '../runtime/events';

/** The events for a change of status: none while nothing changes for the user. */
export function transitions({ status: before }: SparseFinetune, after: SparseFinetuneStatus): Transition[] {
  const found = [
    phaseChange(before, after),
    ...newTroubles(before, after),
    newAttempt(before, after),
    fetch(before, after),
  ];
  return withoutRepeats(found.filter((each) => each !== undefined));
}

/** One cause may move several conditions. */
function withoutRepeats(found: readonly Transition[]): Transition[] {
  return found.filter(
    ({ reason, message }, index) =>
      index === found.findIndex((each) => each.reason === reason && each.message === message),
  );
}

function entered({ phase, conditions }: SparseFinetuneStatus): Transition | undefined {
  if (phase === 'Running') {
    return { type: 'Normal', reason: 'TrainingStarted', message: 'The trainer is running.' };
  }
  const training = findCondition(conditions, 'Training');
  if (phase !== 'Suspended' || training === undefined) return undefined;
  return { type: 'Normal', reason: training.reason, message: training.message };
}

function phaseChange(
  before: SparseFinetuneStatus | undefined,
  after: SparseFinetuneStatus,
): Transition | undefined {
  if (after.phase === undefined || before?.phase === after.phase) return undefined;
  const end = findCondition(after.conditions, 'Succeeded');
  if (end === undefined || end.status === 'Unknown') return entered(after);
  return { type: end.status === 'True' ? 'Normal' : 'Warning', reason: end.reason, message: end.message };
}

/**
 * Conditions whose turning False is a warning; the event of a stalled run comes from its phase or its Job's condition.
 */
const TROUBLES = ['JobReady', 'Reporting', 'QualityGatePassed', MEASURES_FID, USES_GPU];

function newTroubles(before: SparseFinetuneStatus | undefined, after: SparseFinetuneStatus): Transition[] {
  return TROUBLES.flatMap((type) => {
    const now = findCondition(after.conditions, type);
    const was = findCondition(before?.conditions, type);
    if (now?.status !== 'False' || (was?.status === 'False' && was.reason === now.reason)) return [];
    return [{ type: 'Warning' as const, reason: now.reason, message: now.message }];
  });
}

/** The beginning and the end of a fetch. */
function fetch(
  before: SparseFinetuneStatus | undefined,
  after: SparseFinetuneStatus,
): Transition | undefined {
  const now = findCondition(after.conditions, 'Training');
  const was = findCondition(before?.conditions, 'Training')?.reason;
  if (now === undefined || now.reason === was) return undefined;
  if (now.reason === REASONS.fetching) {
    return { type: 'Normal', reason: now.reason, message: 'The trainer is fetching files.' };
  }
  if (was !== REASONS.fetching || now.reason !== REASONS.running) return undefined;
  const uris = (after.sources ?? []).map(({ uri }) => uri);
  return { type: 'Normal', reason: 'Fetched', message: `The trainer has fetched ${uris.join(', ')}.` };
}

function newAttempt(
  before: SparseFinetuneStatus | undefined,
  after: SparseFinetuneStatus,
): Transition | undefined {
  const retrying = findCondition(after.conditions, 'Training');
  const known = findCondition(before?.conditions, 'Training');
  if (retrying?.reason !== 'Retrying' || known?.reason === 'Retrying') return undefined;
  return {
    type: 'Warning',
    reason: after.attempts?.lastExitReason ?? 'AttemptFailed',
    message: retrying.message,
  };
}

/**
 * Whether a later status will include this change too, so that it may be skipped: a change of a run on its way, without
 * a trouble and without a new attempt, whose pod may be gone by the next look.
 */
export function isOvertaken(finetune: SparseFinetune, after: SparseFinetuneStatus): boolean {
  const before = finetune.status;
  if (!isOnItsWay(before) || !isOnItsWay(after) || equalJson(before, after)) return false;
  if (hasNewAttempt(before?.attempts, after.attempts)) return false;
  return transitions(finetune, after).every(({ type }) => type === 'Normal');
}

function isOnItsWay(status: SparseFinetuneStatus | undefined): boolean {
  return [undefined, 'Pending', 'Running'].includes(status?.phase);
}

/** The first attempt is only the start of the run. */
function hasNewAttempt(before: AttemptsStatus | undefined, after: AttemptsStatus | undefined): boolean {
  const known = Math.max(1, before?.number ?? 0);
  return (after?.number ?? 0) > known || after?.lastExitReason !== before?.lastExitReason;
}
