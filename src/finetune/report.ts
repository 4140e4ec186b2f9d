/** What a trainer's report means for its SparseFinetune. */
import {
  sparseFinetunes,
  type AttemptsStatus,
  type BestStatus,
  type CheckpointStatus,
  type DistanceStatus,
  type ImagesStatus,
  type LatencyStatus,
  type MacsStatus,
  type ModelStatus,
  type Progress,
  type RollbackStatus,
  type SourceStatus,
  type SparseFinetune,
  type SparseFinetuneStatus,
  type SparsityStatus,
  type TrainerStatus,
} from '../api/types';
import { timestamp } from '../kube/conditions';
import { jobs } from '../kube/resources';
import {
  count,
  decimal,
  integer,
  lastItems,
  object,
  reader,
  reportedError,
  sentence,
  sha256,
  small,
  text,
  time,
  uri,
  yesOrNo,
  type ReportedError,
} from '../reports/fields';
import type { ReportKind } from '../reports/kind';
import { readFinalReport } from '../reports/termination';
import { defined } from '../runtime/defined';
import { ownResults } from './own';
import { sourcesRule } from '../workload/sources';
import { isFinished, lasting } from './progress';

export type FinetuneReport = {
  progress?: Progress;
  sources?: SourceStatus[];
  checkpoint?: CheckpointStatus;
  sparsity?: SparsityStatus;
  macs?: MacsStatus;
  latency?: LatencyStatus;
  fid?: DistanceStatus;
  images?: ImagesStatus;
  model?: ModelStatus;
  best?: BestStatus;
  rollback?: RollbackStatus;
  attempt?: Pick<AttemptsStatus, 'resumedFromStep'>;
  trainer?: TrainerReport;
  error?: ReportedError;
};

/** What one trainer has used. */
export type TrainerReport = Pick<TrainerStatus, 'device' | 'gpus' | 'gpuSeconds' | 'startedAt'>;

const stage = integer(0, 1000);
const digest = text(128);

const progress = object<Progress>({
  step: count,
  totalSteps: count,
  percent: integer(0, 100),
  display: text(32),
  stage,
  stages: stage,
  stagePattern: text(16),
  maskFlips: count,
  phase: text(64),
  loss: decimal,
  samplesPerSecond: decimal,
  imagesProcessed: count,
  remainingSeconds: count,
  eta: text(32),
  reportedAt: time,
  history: lastItems(
    20,
    object<NonNullable<Progress['history']>[number]>({ step: count, distance: decimal, sparsity: decimal }, [
      'step',
    ]),
  ),
});

export const parseFinetuneReport = reader<FinetuneReport>({
  progress,
  sources: sourcesRule,
  checkpoint: object<CheckpointStatus>({ uri, step: count, maskDigest: digest }),
  sparsity: object<SparsityStatus>({
    pattern: text(16),
    target: decimal,
    achieved: decimal,
    maskedParameters: count,
    totalParameters: count,
    maskedLayers: small,
    skippedLayers: small,
    compliant: yesOrNo,
  }),
  macs: object<MacsStatus>({
    convention: text(32),
    dense: count,
    sparse: count,
    totalDense: count,
    totalSparse: count,
    reductionPercent: decimal,
  }),
  latency: object<LatencyStatus>({
    millisecondsPerImage: decimal,
    batchSize: integer(1, 1_000_000),
    device: text(128),
    precision: text(8),
    sampler: text(64),
    steps: integer(1, 1_000_000),
  }),
  fid: object<DistanceStatus>({
    metric: text(64),
    samples: small,
    dense: decimal,
    sparse: decimal,
    increase: decimal,
    reference: text(64),
    captions: text(64),
    referenceDigest: digest,
    extractorDigest: digest,
    seed: count,
    sampler: text(64),
    steps: small,
    guidance: decimal,
    precision: text(8),
    served: lastItems(
      3,
      object<NonNullable<DistanceStatus['served']>[number]>(
        { precision: text(8), sparse: decimal, increase: decimal, problem: text(1024) },
        ['precision'],
      ),
    ),
    weights: text(128),
    rankDeficient: yesOrNo,
  }),
  images: object<ImagesStatus>({
    compared: small,
    psnr: decimal,
    ssim: decimal,
    clip: object<NonNullable<ImagesStatus['clip']>>({ dense: decimal, sparse: decimal }),
  }),
  model: object<ModelStatus>({ uri, sha256, sizeBytes: count, manifestUri: uri, sampleGridUri: uri }),
  best: object<BestStatus>({ step: count, distance: decimal }),
  rollback: object<RollbackStatus>({
    stage: integer(1, 1000),
    pattern: text(16),
    step: count,
    regressedStep: count,
    message: sentence,
  }),
  trainer: object<TrainerReport>({ device: text(128), gpus: small, gpuSeconds: count, startedAt: time }),
  attempt: object<Pick<AttemptsStatus, 'resumedFromStep'>>({ resumedFromStep: count }),
  error: reportedError,
});

/** The trainer's final report in its termination message, as far as it can be read. */
export function parseTerminationMessage(message: string | undefined): FinetuneReport | undefined {
  return readFinalReport(message, parseFinetuneReport);
}

/** The status with a trainer's report in it. The time is the operator's, since pods' clocks can't be trusted. */
export function withReport(
  status: SparseFinetuneStatus,
  report: FinetuneReport,
  now: Date,
): SparseFinetuneStatus {
  return {
    ...withParts(status, report),
    // A trainer that has just started has no estimate of the time left yet, and the previous trainer's no longer holds.
    progress: { ...lasting(status.progress ?? {}), ...report.progress, reportedAt: timestamp(now) },
  };
}

/** The status with every part of a report but its progress. */
export function withParts(status: SparseFinetuneStatus, report: FinetuneReport): SparseFinetuneStatus {
  const { progress: _progress, error: _error, attempt, trainer, ...parts } = report;
  return {
    ...status,
    ...defined({
      ...parts,
      attempts: attempt && { ...status.attempts, ...attempt },
      trainer: trainer && withUsage(status.trainer, trainer),
    }),
  };
}

/**
 * Each trainer counts from 0, and its start tells it from the one before. Worked example: 100 GPU-seconds, then another
 * trainer with 5, are 105.
 */
function withUsage(before: TrainerStatus = {}, told: TrainerReport): TrainerStatus {
  const isSame = told.startedAt === before.startedAt;
  const earlierGpuSeconds = (isSame ? before.earlierGpuSeconds : before.gpuSeconds) ?? 0;
  const gpuSeconds = Math.max(before.gpuSeconds ?? 0, earlierGpuSeconds + (told.gpuSeconds ?? 0));
  return { ...before, ...told, gpuSeconds, earlierGpuSeconds };
}

/** A new phase or stage, or figures. */
function isUrgent({ status }: SparseFinetune, { progress, fid, model, error }: FinetuneReport): boolean {
  if (fid !== undefined || model !== undefined || error !== undefined) return true;
  const known = status?.progress;
  return progress !== undefined && (progress.phase !== known?.phase || progress.stage !== known?.stage);
}

export const finetuneReports = {
  name: 'finetune',
  resource: sparseFinetunes,
  address: { objects: 'finetunes', topic: 'progress' },
  controllers: [jobs],
  parse: parseFinetuneReport,
  isUrgent,
  apply: (finetune, report, now) =>
    isFinished(finetune) ? undefined : withReport(finetune.status ?? {}, ownResults(finetune, report), now),
} satisfies ReportKind<SparseFinetune, FinetuneReport>;
