import { createHash } from 'node:crypto';
import type { SparseFinetune } from '../api/types';
import { FIELD_MANAGER } from '../kube/client';
import { annotations, labels as labelNames, trainerLabels, trainJobName } from '../kube/names';
import { ownerReference } from '../kube/owner';
import type { Job } from '../kube/resources';
import { reportUrl } from '../reports/address';
import { defined } from '../runtime/defined';
import type { ClaimUse } from '../workload/claims';
import { workloadPod, type PodDefaults } from '../workload/pod';

import { gpusAsked } from './gpus';
import { indexed, lossRules, nodesOf, rendezvousEnv, withSubdomain } from './nodes';
import { isQueued } from './queue';
import { finetuneReports } from './report';
export type JobSettings = {
  /** Trainer image when the spec names none. */
  image: string;
  /** Base URL of the report endpoint. */
  reportsUrl: string;
  podDefaults: PodDefaults;
};

/** Name of the container whose termination message is the run's final report. */
export const TRAINER_CONTAINER = 'trainer';

/** Variable that tells the trainer where to report. */
export const REPORT_URL = 'SPARSEDM_REPORT_URL';

/** Variable with the number of GPUs that the pod asks for: a trainer that finds none then ends. */
const GPUS = 'SPARSEDM_GPUS';

/** Exit codes after which a retry can't help: wrong configuration, wrong input, divergence. */
export const FINAL_EXIT_CODES: readonly number[] = [2, 3, 4];

/** Time for a checkpoint after SIGTERM. */
const GRACE_SECONDS = 60;

/** The parts of the spec that the trainer reads, exactly as in the custom resource. */
export function trainerConfig({ spec }: SparseFinetune): Record<string, unknown> {
  const { model, dataset, sparsity, training, checkpoint, evaluation, output } = spec;
  return { model, dataset, sparsity, training, checkpoint, evaluation, output };
}

type JobSpec = NonNullable<Job['spec']>;
export type JobControls = { backoffLimit: number; activeDeadlineSeconds?: number };

/**
 * The fields of the Job that follow the spec while it runs; everything else is written once. `suspend` follows it too,
 * but is separate because other controllers may also suspend the Job.
 */
export function jobControls({ spec }: SparseFinetune): JobControls {
  return {
    backoffLimit: spec.backoffLimit ?? 3,
    ...defined({ activeDeadlineSeconds: spec.activeDeadlineSeconds }),
  };
}

/**
 * The Job as it is created. Its template is never written again, so that an operator of a later version leaves a
 * running Job alone. The deadline isn't part of it: it is applied as a control afterwards, which is what lets it be
 * removed again (server-side apply removes only what apply has written).
 */
export function buildJob(finetune: SparseFinetune, settings: JobSettings): Job {
  const { name, namespace = '' } = finetune.metadata;
  const { backoffLimit } = jobControls(finetune);
  const labels = trainerLabels(name);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: trainJobName(name),
      namespace,
      labels: { ...labels, ...defined({ [labelNames.queue]: queueLabel(finetune) }) },
      annotations: {
        [annotations.trainer]: trainerDigest(finetune),
        ...(holdsItself(finetune) ? { [annotations.suspended]: 'true' } : {}),
      },
      ownerReferences: [ownerReference(finetune)],
    },
    spec: {
      ...(suspends(finetune) || isQueued(finetune) ? { suspend: true } : {}),
      backoffLimit,
      ...indexed(finetune),
      // The next pod starts when the last one is gone, so that two pods never write to one output.
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          ...lossRules(finetune, TRAINER_CONTAINER),
          {
            action: 'FailJob',
            onExitCodes: { containerName: TRAINER_CONTAINER, operator: 'In', values: [...FINAL_EXIT_CODES] },
          },
        ],
      },
      template: withSubdomain(
        finetune,
        workloadPod({
          settings: finetune.spec.trainer,
          defaults: settings.podDefaults,
          labels,
          container: { name: TRAINER_CONTAINER, command: ['sparsedm', 'train'] },
          image: settings.image,
          env: {
            SPARSEDM_CONFIG: JSON.stringify(trainerConfig(finetune)),
            SPARSEDM_RUN: `${namespace}/${name}`,
            ...rendezvousEnv(finetune),
            ...(gpusAsked(finetune) > 0 ? { [GPUS]: String(gpusAsked(finetune)) } : {}),
            [REPORT_URL]: reportUrl(settings.reportsUrl, finetuneReports.address, finetune.metadata),
          },
          claims: claimsOf(finetune),
          topologySpreadConstraints: spreadOf(finetune, labels),
          sources: finetune.spec.sources,
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: GRACE_SECONDS,
          sharedMemory: nodesOf(finetune) > 1,
        }),
      ),
    },
  };
}

/** The pods of the run are those that are counted. */
function spreadOf({ spec }: SparseFinetune, matchLabels: Record<string, string>) {
  return spec.trainer?.topologySpreadConstraints?.map((asked) => ({
    ...asked,
    maxSkew: asked.maxSkew ?? 1,
    labelSelector: { matchLabels },
  }));
}

function trainerDigest({ spec }: SparseFinetune): string {
  return createHash('sha256')
    .update(JSON.stringify(spec.trainer ?? {}))
    .digest('hex')
    .slice(0, 16);
}

/**
 * Whether spec.trainer has changed since the Job was made, which the schema allows until a pod has started. From then
 * on nothing restarts it, neither a new default of the schema nor another version of the operator.
 */
export function isOutdated(finetune: SparseFinetune, { metadata }: Job): boolean {
  if (finetune.status?.attempts?.startedAt !== undefined) return false;
  const made = metadata.annotations?.[annotations.trainer];
  return made !== undefined && made !== trainerDigest(finetune);
}

/** Every URI of the spec that may lie in a volume claim. */
function claimsOf({ spec }: SparseFinetune): ClaimUse[] {
  const { model, dataset, evaluation, output } = spec;
  return [
    { uri: model.pretrained?.uri },
    { uri: model.teacher?.pretrained.uri },
    { uri: model.textEncoderUri },
    { uri: dataset.uri },
    { uri: evaluation?.dataset?.uri },
    { uri: evaluation?.extractorUri },
    { uri: evaluation?.referenceStatsUri },
    { uri: evaluation?.autoencoderUri },
    { uri: evaluation?.clipUri },
    { uri: output.uri, writes: true },
  ];
}

/**
 * The Job that server-side apply sends to bring the controls of an existing Job in line with the spec. `holders` are
 * the other field managers that have suspended it as well.
 */
export function controlledJob(finetune: SparseFinetune, job: Job, holders: readonly string[] = []): Job {
  const { name, namespace, uid } = job.metadata;
  const { annotation, suspend } = suspension(finetune, job, holders);
  const queue = queueLabel(finetune, job);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: defined({
      name,
      namespace,
      // Keeps this from touching another Job that has since taken the name.
      uid,
      labels: queue === undefined ? undefined : { [labelNames.queue]: queue },
      annotations: annotation && { [annotations.suspended]: annotation },
    }),
    spec: { ...defined({ suspend }), ...jobControls(finetune) } as JobSpec,
  };
}

type Suspension = { annotation?: 'true' | 'false'; suspend?: boolean };

/**
 * Written only while spec.suspend is true, and once after it was; a suspension that others also hold is left to them.
 */
function suspension(finetune: SparseFinetune, job: Job, holders: readonly string[]): Suspension {
  if (isQueued(finetune)) return {};
  if (suspends(finetune)) return { annotation: 'true', suspend: true };
  if (!isSuspendedByUs(job)) return {};
  return { annotation: 'false', ...(holders.length === 0 ? { suspend: false } : {}) };
}

function suspends({ spec }: SparseFinetune): boolean {
  return spec.suspend === true;
}

/** Whether the Job's suspend follows spec.suspend. That of a run in a queue is the queue's. */
function holdsItself(finetune: SparseFinetune): boolean {
  return suspends(finetune) && !isQueued(finetune);
}

/** The label that gives the Job to its queue: a run that is suspended before it was in the queue stays out of it. */
function queueLabel(finetune: SparseFinetune, job?: Job): string | undefined {
  return suspends(finetune) ? job?.metadata.labels?.[labelNames.queue] : finetune.spec.queueName;
}

function isSuspendedByUs({ metadata }: Job): boolean {
  return metadata.annotations?.[annotations.suspended] === 'true';
}

/** Whether the Job is suspended although neither the spec nor our last write asks for it, nor a queue of the spec. */
export function isSuspendedByOthers(finetune: SparseFinetune, job: Job): boolean {
  if (isQueued(finetune)) return false;
  return job.spec?.suspend === true && !suspends(finetune) && !isSuspendedByUs(job);
}

/** Field managers other than the operator that have set the Job's suspend, from a Job as the API server holds it. */
export function suspendManagers({ metadata }: Job): string[] {
  const { managedFields = [] } = metadata as { managedFields?: ManagedFields[] };
  const owners = managedFields.filter(({ fieldsV1 }) => fieldsV1?.['f:spec']?.['f:suspend'] !== undefined);
  return [...new Set(owners.map(({ manager }) => manager))].filter((name) => name !== FIELD_MANAGER).sort();
}

type ManagedFields = { manager: string; fieldsV1?: { 'f:spec'?: { 'f:suspend'?: object } } };

export function controlsDiffer(finetune: SparseFinetune, job: Job): boolean {
  const want = jobControls(finetune);
  const { suspend = false, backoffLimit, activeDeadlineSeconds } = job.spec ?? {};
  const isHeld = suspend && isSuspendedByUs(job);
  const follows = isQueued(finetune) || (suspends(finetune) ? isHeld : !isSuspendedByUs(job));
  const queue = job.metadata.labels?.[labelNames.queue];
  return (
    !follows ||
    queueLabel(finetune, job) !== queue ||
    want.backoffLimit !== backoffLimit ||
    want.activeDeadlineSeconds !== activeDeadlineSeconds
  );
}
