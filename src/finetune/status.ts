import { MEASURES_FID, REASONS, STALLED, USES_GPU, type FinetuneCondition } from '../api/conditions';
import { judgeGate } from '../api/gate';
import type { Progress, SparseFinetune, SparseFinetuneStatus } from '../api/types';
import { conditionsFrom, no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition, timestamp } from '../kube/conditions';
import { trainJobName } from '../kube/names';
import { isOwnedBy } from '../kube/owner';
import { defined } from '../runtime/defined';
import { isOver } from '../workload/pod-state';
import { countAttempts, imageOf } from './attempts';
import { gpuVerdict } from './gpus';
import { metricVerdict } from './metric';
import { ownResults } from './own';
import { lasting } from './progress';
import { withParts, type FinetuneReport } from './report';
import { explainAddresses } from './report-address';
import { explainHeldOpen, type HeldOpen } from './sidecar';
import { judge, type Observed, type Situation } from './situation';
import { jobExists, notSuspended, view, type Active, type View } from './view';

/** Time without a report after which a running trainer counts as silent. */
export const REPORT_SILENCE_MS = 60_000;

/**
 * The status that follows from what is observed. The parts that the report endpoint writes stay as they are, except at
 * the end, when the trainer's final report replaces them.
 */
export function buildStatus(observed: Observed, now: Date): SparseFinetuneStatus {
  const { finetune } = observed;
  const situation = judge(observed, now);
  if (situation.kind === 'over') return atGeneration(finetune, afterwards(observed, now));
  const base = bookkeeping(observed);
  if (situation.kind === 'complete') return completeStatus(observed, base, situation, now);
  if (situation.kind === 'failed') return failedStatus(observed, base, situation, now);
  if (situation.kind === 'givenUp') {
    const { failure } = situation;
    return failedStatus(observed, base, { kind: 'failed', failure, at: undefined, hasJob: false }, now);
  }
  return activeStatus(observed, base, situation, now);
}

/** The status so far, with attempts, start and the current Job. */
function bookkeeping({ finetune, job, pods }: Observed): SparseFinetuneStatus {
  const before = finetune.status ?? {};
  const ours = job !== undefined && isOwnedBy(job, finetune) ? job : undefined;
  const attempts = countAttempts(before.attempts, pods);
  const startTime = before.startTime ?? ours?.status?.startTime;
  const image = imageOf(pods);
  return {
    ...before,
    ...defined({
      attempts,
      startTime,
      jobUid: ours?.metadata.uid,
      trainer: image === undefined ? undefined : { ...before.trainer, image },
    }),
  };
}

/** Updates a finished run when the sidecars that held its Job open have ended. */
function afterwards({ finetune, pods }: Observed, now: Date): SparseFinetuneStatus {
  const status = finetune.status ?? {};
  const told = findCondition(status.conditions, 'JobReady');
  if (told?.reason !== REASONS.sidecarRuns || pods.some((pod) => !isOver(pod))) return status;
  return withConditions(finetune, status, { JobReady: jobExists }, now);
}

/** A finished run keeps its status; only the generation follows changes of the few mutable fields. */
function atGeneration(finetune: SparseFinetune, before: SparseFinetuneStatus): SparseFinetuneStatus {
  const generation = finetune.metadata.generation ?? 0;
  return {
    ...before,
    observedGeneration: generation,
    conditions: (before.conditions ?? []).map((each) => ({ ...each, observedGeneration: generation })),
  };
}

type Verdicts = Record<FinetuneCondition, Verdict> & { [STALLED]: Verdict | undefined };
type Warnings = Partial<Record<typeof MEASURES_FID | typeof USES_GPU, Verdict | undefined>>;

function withConditions(
  finetune: SparseFinetune,
  status: SparseFinetuneStatus,
  verdicts: Partial<Verdicts> & Warnings,
  now: Date,
): SparseFinetuneStatus {
  const observedGeneration = finetune.metadata.generation ?? 0;
  return {
    ...status,
    observedGeneration,
    conditions: conditionsFrom(status.conditions, verdicts, observedGeneration, now),
  };
}

/** What a user may not have meant, and does not end the run. */
function warningsOf({ finetune, gpus }: Observed, { fid, trainer }: SparseFinetuneStatus): Warnings {
  return {
    [MEASURES_FID]: metricVerdict(finetune, fid),
    [USES_GPU]: gpuVerdict(finetune, trainer, gpus),
  };
}

function activeStatus(
  observed: Observed,
  base: SparseFinetuneStatus,
  situation: Active,
  now: Date,
): SparseFinetuneStatus {
  const { finetune, refusal } = observed;
  const seen = view(situation, finetune, now);
  const verdicts: Verdicts = {
    // A refused change of the Job does not end the run.
    JobReady: refusal === undefined ? seen.job : no(refusal.reason, refusal.message),
    Training: seen.training,
    Reporting: reporting(situation, base, now, observed),
    QualityGatePassed: unknown(REASONS.notMeasured, 'The gate is judged when the run has succeeded.'),
    Suspended: seen.suspended ?? notSuspended,
    Succeeded: unknown(seen.training.reason, seen.training.message),
    Finished: no(REASONS.inProgress, 'The run has not ended.'),
    [STALLED]: undefined,
  };
  const known = withoutOutdated(finetune, base, seen.phase);
  const warnings = warningsOf(observed, base);
  return withConditions(finetune, { ...known, phase: seen.phase }, { ...verdicts, ...warnings }, now);
}

/** Speed, time left and phase belong to a running trainer: not to one that has stopped, nor to the previous one. */
function withoutOutdated(
  { status: before }: SparseFinetune,
  status: SparseFinetuneStatus,
  phase: View['phase'],
): SparseFinetuneStatus {
  const isSamePod = before?.attempts?.podUid === status.attempts?.podUid;
  if (status.progress === undefined || (phase === 'Running' && isSamePod)) return status;
  return { ...status, progress: lasting(status.progress) };
}

/** When the running trainer last reported, else when its pod started. */
export function lastHeard(situation: Situation, progress: Progress | undefined): number | undefined {
  if (situation.kind !== 'running') return undefined;
  const { metadata, status } = situation.pod;
  const since = Date.parse(status?.startTime ?? metadata.creationTimestamp ?? '');
  const reported = Date.parse(progress?.reportedAt ?? '');
  const known = [since, reported].filter((time) => !Number.isNaN(time));
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Whether a running trainer has not reported for too long. */
export function isSilent(situation: Situation, progress: Progress | undefined, now: Date): boolean {
  const heard = lastHeard(situation, progress);
  return heard !== undefined && now.getTime() - heard >= REPORT_SILENCE_MS;
}

function reporting(
  situation: Situation,
  { progress }: SparseFinetuneStatus,
  now: Date,
  observed: Observed,
): Verdict {
  const heard = lastHeard(situation, progress);
  if (heard === undefined) return unknown(REASONS.notTraining, 'No trainer is running that could report.');
  if (isSilent(situation, progress, now)) return silence(observed);
  const reported = Date.parse(progress?.reportedAt ?? '');
  return reported >= heard
    ? yes(REASONS.reportsArrive, 'The trainer reports its progress.')
    : unknown(REASONS.waitingForReports, 'The trainer has not reported yet.');
}

/** The cause of a silence is looked up once; later passes repeat it. */
function silence({ finetune, addresses }: Observed): Verdict {
  const told = findCondition(finetune.status?.conditions, 'Reporting');
  if (addresses === undefined && told?.status === 'False') return no(told.reason, told.message);
  if (addresses !== undefined && addresses.pod !== addresses.operator) {
    return no(REASONS.reportsElsewhere, explainAddresses(finetune, addresses));
  }
  return no(
    REASONS.noReports,
    `No report for ${REPORT_SILENCE_MS / 1000} s. Training may still be running; look at the pod's log, and check that the pod reaches the operator's reports port.`,
  );
}

function endedVerdicts(verdict: Verdict, gate: Verdict): Verdicts {
  const succeeded = verdict.status === 'True';
  return {
    JobReady: jobExists,
    Training: no(verdict.reason, succeeded ? 'Training is over.' : verdict.message),
    Reporting: unknown(REASONS.notTraining, 'No trainer is running that could report.'),
    QualityGatePassed: gate,
    Suspended: no(REASONS.notSuspended, 'The run has ended.'),
    Succeeded: verdict,
    Finished: yes(succeeded ? REASONS.succeeded : REASONS.failed, verdict.message),
    [STALLED]: succeeded ? undefined : yes(verdict.reason, verdict.message),
  };
}

function completeStatus(
  observed: Observed,
  base: SparseFinetuneStatus,
  { report, at, held }: Extract<Situation, { kind: 'complete' }>,
  now: Date,
): SparseFinetuneStatus {
  const { finetune } = observed;
  const status = withResults(base, report && ownResults(finetune, report));
  if (status.model?.uri === undefined) {
    const failure = { reason: REASONS.resultsMissing, message: missingResults(finetune, report) };
    return failedStatus(observed, base, { kind: 'failed', failure, at, hasJob: true }, now);
  }
  const ended: SparseFinetuneStatus = {
    ...status,
    phase: 'Succeeded',
    completionTime: status.completionTime ?? at ?? timestamp(now),
    progress: finalProgress(finetune, status),
  };
  const gate = gateVerdict(finetune, status);
  const verdict = successVerdict(status, gate);
  const verdicts = {
    ...endedVerdicts(verdict, gate),
    JobReady: jobAtEnd(finetune, held),
    ...warningsOf(observed, status),
  };
  return withConditions(finetune, ended, verdicts, now);
}

/** A failed gate does not undo the training, but it must show in one line. */
function successVerdict({ model, rollback }: SparseFinetuneStatus, gate: Verdict): Verdict {
  const message = `The sparse model is at ${model?.uri ?? ''}.${rollback === undefined ? '' : ` ${rollback.message ?? ''}`}`;
  if (gate.status === 'True') {
    return yes(rollback === undefined ? REASONS.succeeded : REASONS.rolledBack, message);
  }
  return yes(REASONS.succeededBeyondGate, `${message} Its gate has not passed: ${gate.message}`);
}

/** Deleting the Job of a finished run frees its pod, and no other Job follows. */
function jobAtEnd({ metadata }: SparseFinetune, held: HeldOpen | undefined): Verdict {
  if (held === undefined) return jobExists;
  const { reason, message } = explainHeldOpen(held, `kubectl delete job ${trainJobName(metadata.name)}`);
  return no(reason, message);
}

function missingResults({ spec }: SparseFinetune, report: FinetuneReport | undefined): string {
  const elsewhere = report?.model?.uri;
  return elsewhere === undefined
    ? 'The Job completed, but neither its pod nor a report has the result: create a SparseFinetune with the same spec, which reads the finished result at spec.output.uri.'
    : `The trainer says that its model is at ${elsewhere}, and spec.output.uri is ${spec.output.uri}: check spec.trainer.image, which must hold the same release of the sparsedm package as the operator.`;
}

/** The final report wins over earlier ones, part by part. */
function withResults(base: SparseFinetuneStatus, report: FinetuneReport | undefined): SparseFinetuneStatus {
  if (report === undefined) return base;
  const { progress } = report;
  return {
    ...withParts(base, report),
    ...defined({ progress: progress && { ...base.progress, ...progress } }),
  };
}

/** A run that has rolled back stays at the step of its model. */
function finalProgress({ spec }: SparseFinetune, { progress, rollback }: SparseFinetuneStatus): Progress {
  const totalSteps = progress?.totalSteps ?? spec.training?.steps;
  return {
    ...progress,
    ...(totalSteps === undefined ? {} : { totalSteps, step: rollback?.step ?? totalSteps }),
    percent: 100,
    display: '100%',
    phase: 'done',
    remainingSeconds: 0,
    eta: '0s',
  };
}

function gateVerdict({ spec }: SparseFinetune, { fid, macs }: SparseFinetuneStatus): Verdict {
  if (spec.acceptance === undefined) return yes(REASONS.noGate, 'No gate is set in spec.acceptance.');
  const figures = {
    metric: fid?.metric,
    dense: fid?.dense,
    increase: fid?.increase,
    macsReductionPercent: macs?.reductionPercent,
  };
  const { passed, message } = judgeGate(spec.acceptance, figures, fid?.served);
  if (passed === undefined) return no(REASONS.figuresMissing, message);
  return passed ? yes(REASONS.gatePassed, message) : no(REASONS.gateFailed, message);
}

function failedStatus(
  observed: Observed,
  base: SparseFinetuneStatus,
  { failure, at, hasJob, held }: Extract<Situation, { kind: 'failed' }>,
  now: Date,
): SparseFinetuneStatus {
  const { finetune } = observed;
  const ended: SparseFinetuneStatus = {
    ...base,
    ...defined({ progress: base.progress && lasting(base.progress) }),
    phase: 'Failed',
    completionTime: base.completionTime ?? at ?? timestamp(now),
  };
  const gate = unknown(REASONS.notMeasured, 'The run failed, so there is no model to judge.');
  const verdict = no(failure.reason, failure.message);
  const verdicts = {
    ...endedVerdicts(verdict, gate),
    JobReady: hasJob ? jobAtEnd(finetune, held) : verdict,
    ...warningsOf(observed, base),
  };
  return withConditions(finetune, ended, verdicts, now);
}
