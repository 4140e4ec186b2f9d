/** The status of a study: pure, from its rows. */
import { REASONS, STALLED, type StudyCondition } from '../api/conditions';
import type { SparseStudy, SparseStudyStatus, StudyRun } from '../api/types';
import { conditionsFrom, no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition, isTrue, timestamp } from '../kube/conditions';
import { studyResultsName } from '../kube/names';
import type { Transition } from '../runtime/events';
import { defined } from '../runtime/defined';
import { bestOf } from './figures';
import { hasEnded, isActive } from './runs';

export type Observed = {
  study: SparseStudy;
  /** Empty until the SparseFinetune to copy is known. */
  runs: readonly StudyRun[];
  /** UID of the SparseFinetune that is copied. */
  finetuneUid: string | undefined;
  /** Why no further run can be created for now. */
  obstacle: { reason: string; message: string } | undefined;
};

type Counts = Record<'total' | 'waiting' | 'active' | 'succeeded' | 'failed', number>;

export function isFinished({ status }: SparseStudy): boolean {
  return isTrue(status?.conditions, 'Finished');
}

function countsOf(runs: readonly StudyRun[]): Counts {
  const count = (isCounted: (run: StudyRun) => boolean) => runs.filter(isCounted).length;
  return {
    total: runs.length,
    waiting: count(({ phase }) => phase === 'Waiting'),
    active: count(isActive),
    succeeded: count(({ phase }) => phase === 'Succeeded'),
    failed: count(({ phase }) => phase === 'Failed'),
  };
}

function hasTooManyFailures({ spec }: SparseStudy, { failed }: Counts): boolean {
  return failed > (spec.maxFailedRuns ?? 3);
}

/** Names of the runs to create now. */
export function due({ study, runs }: Observed): StudyRun[] {
  const counts = countsOf(runs);
  if (study.spec.suspend === true || hasTooManyFailures(study, counts)) return [];
  const free = Math.max(0, (study.spec.parallelism ?? 1) - counts.active);
  return runs.filter(({ phase }) => phase === 'Waiting').slice(0, free);
}

function succeeded(study: SparseStudy, counts: Counts): Verdict {
  const { total, waiting, active, failed } = counts;
  const display = `${total - waiting - active} of ${total} runs have ended`;
  if (hasTooManyFailures(study, counts)) {
    const left = active > 0 ? `the ${active} under way go on to their end` : `${waiting} were not started`;
    const message = `${failed} runs failed, and maxFailedRuns is ${study.spec.maxFailedRuns ?? 3}: ${left}. status.runs says why each failed; raise maxFailedRuns to go on.`;
    return no(REASONS.tooManyFailures, message);
  }
  if (total === 0 || active + waiting > 0) return unknown(REASONS.inProgress, `${display}.`);
  if (counts.succeeded === 0) return no(REASONS.failed, 'Every run failed; status.runs says why.');
  const but = failed === 0 ? '' : `, ${failed} of them without a model`;
  const where = `The tables are in the ConfigMap ${studyResultsName(study.metadata.name)}.`;
  return yes(REASONS.succeeded, `All ${total} runs have ended${but}. ${where}`);
}

function phaseOf(
  { study, runs, obstacle }: Observed,
  counts: Counts,
  end: Verdict,
  finished: boolean,
): NonNullable<SparseStudyStatus['phase']> {
  if (finished) return end.status === 'True' ? 'Succeeded' : 'Failed';
  if (study.spec.suspend === true) return 'Suspended';
  const isIdle = counts.active === 0 && runs.every((run) => !hasEnded(run));
  return isIdle || (counts.active === 0 && obstacle !== undefined) ? 'Pending' : 'Running';
}

function suspendedVerdict({ spec }: SparseStudy): Verdict {
  if (spec.suspend !== true) return no(REASONS.notSuspended, 'spec.suspend is false.');
  const message =
    'spec.suspend is true: no run is started, and those under way stop after they have saved a checkpoint.';
  return yes(REASONS.suspended, message);
}

function finishedVerdict(end: Verdict, isAtEnd: boolean): Verdict {
  if (isAtEnd) return { ...end, status: 'True' };
  return no(REASONS.inProgress, 'The study has not ended.');
}

export function buildStatus(observed: Observed, now: Date): SparseStudyStatus {
  const { study, runs, finetuneUid, obstacle } = observed;
  const counts = countsOf(runs);
  const end = succeeded(study, counts);
  const isAtEnd = counts.active === 0 && end.status !== 'Unknown';
  const best = bestOf(runs);
  const verdicts: Record<StudyCondition, Verdict> & Record<typeof STALLED, Verdict | undefined> = {
    Suspended: suspendedVerdict(study),
    Succeeded: end,
    Finished: finishedVerdict(end, isAtEnd),
    [STALLED]: obstacle && yes(obstacle.reason, obstacle.message),
  };
  const observedGeneration = study.metadata.generation ?? 0;
  return defined({
    observedGeneration,
    phase: phaseOf(observed, counts, end, isAtEnd),
    ...times(observed, isAtEnd, now),
    conditions: conditionsFrom(study.status?.conditions, verdicts, observedGeneration, now),
    finetuneUid,
    counts: { ...counts, display: `${counts.succeeded + counts.failed}/${counts.total}` },
    best: best && { name: best.name, distance: best.distance },
    results: best && studyResultsName(study.metadata.name),
    runs: runs.length === 0 ? undefined : [...runs],
  });
}

function times({ study: { status }, runs }: Observed, isAtEnd: boolean, now: Date) {
  const hasBegun = runs.some(({ phase }) => phase !== 'Waiting');
  return {
    startTime: status?.startTime ?? (hasBegun ? timestamp(now) : undefined),
    completionTime: isAtEnd ? (status?.completionTime ?? timestamp(now)) : undefined,
  };
}

/** The events for a change of status: of its phase, of what stands in the way, and each run that failed. */
export function transitions({ status: before }: SparseStudy, after: SparseStudyStatus): Transition[] {
  return [...phaseChange(before, after), ...newObstacle(before, after), ...newFailures(before, after)];
}

function phaseChange(before: SparseStudyStatus | undefined, after: SparseStudyStatus): Transition[] {
  if (before?.phase === after.phase) return [];
  if (after.phase === 'Running') return [{ type: 'Normal', reason: 'Running', message: 'Runs are started.' }];
  if (after.phase === 'Suspended') {
    return [{ type: 'Normal', reason: REASONS.suspended, message: 'spec.suspend is true.' }];
  }
  const end = findCondition(after.conditions, 'Succeeded');
  if (end === undefined || after.phase === 'Pending') return [];
  return [{ type: end.status === 'True' ? 'Normal' : 'Warning', reason: end.reason, message: end.message }];
}

function newObstacle(before: SparseStudyStatus | undefined, after: SparseStudyStatus): Transition[] {
  const stalled = findCondition(after.conditions, STALLED);
  const was = findCondition(before?.conditions, STALLED);
  if (stalled === undefined || was?.reason === stalled.reason) return [];
  return [{ type: 'Warning', reason: stalled.reason, message: stalled.message }];
}

function newFailures(before: SparseStudyStatus | undefined, after: SparseStudyStatus): Transition[] {
  const failed = (status: SparseStudyStatus | undefined) =>
    (status?.runs ?? []).filter(({ phase }) => phase === 'Failed');
  const known = new Set(failed(before).map(({ name }) => name));
  return failed(after)
    .filter(({ name }) => !known.has(name))
    .map(({ name, message = '' }) => ({
      type: 'Warning',
      reason: 'RunFailed',
      message: `${name}: ${message}`,
    }));
}
