import { createHash } from 'node:crypto';

/** Longest name of a Service, a label value and a DNS label. */
const longestLabel = 63;

export function trainJobName(finetune: string): string {
  return childName(finetune, '-train');
}

export function serverDeploymentName(service: string): string {
  return childName(service, '-server');
}

/** A second Deployment, for as long as a canary runs. */
export function canaryDeploymentName(service: string): string {
  return childName(service, '-canary');
}

/** What an autoscaler outside of the operator is told by: KEDA's objects, or a HorizontalPodAutoscaler. */
export function scalerName(service: string): string {
  return childName(service, '-scaler');
}

/** Of a version of a service, which the digest tells from all others: also the name of its ControllerRevision. */
export function revisionName(service: string, digest: string): string {
  return childName(service, `-${digest.slice(0, REVISION_DIGITS)}`);
}

/** With the longest name of a service and a hyphen, these are the 63 characters of a label's value. */
const REVISION_DIGITS = 10;

/** The run of a study by its number, from 1. */
export function studyRunName(study: string, number: number): string {
  return childName(study, `-${number}`);
}

/** The ConfigMap with a study's tables and its plot. */
export function studyResultsName(study: string): string {
  return childName(study, '-results');
}

export function serviceName(service: string): string {
  return childName(service, '');
}

/**
 * Deterministic name of a child. The schema keeps parents to 52 characters, so that every suffix fits; a longer parent
 * is cut and made unique by a hash of its full name.
 */
export function childName(parent: string, suffix: string): string {
  const name = parent + suffix;
  if (name.length <= longestLabel) return name;
  const hash = createHash('sha256').update(parent).digest('hex').slice(0, 8);
  const kept = parent.slice(0, longestLabel - suffix.length - hash.length - 1).replace(/[-.]+$/, '');
  return `${kept}-${hash}${suffix}`;
}

export const labels = {
  name: 'app.kubernetes.io/name',
  managedBy: 'app.kubernetes.io/managed-by',
  finetune: 'sparsedm.io/finetune',
  service: 'sparsedm.io/service',
  /** On the runs of a study. */
  study: 'sparsedm.io/study',
  /** On the pods of a service: the version that they serve. */
  revision: 'sparsedm.io/revision',
  /** On a Job: the LocalQueue of Kueue that decides when it starts. */
  queue: 'kueue.x-k8s.io/queue-name',
  /** On the pods of an Indexed Job: their number, from 0. */
  index: 'batch.kubernetes.io/job-completion-index',
} as const;

export const annotations = {
  /**
   * On a Job, written together with its suspend: "true" while that follows spec.suspend, "false" once it was lifted. A
   * suspension without it has another owner, for example a queue. On a Workload: "true" while spec.suspend deactivates it.
   * On a SparseFinetune of a study: "true" while the study's spec.suspend holds it.
   */
  suspended: 'sparsedm.io/suspended',
  /** On a Job: the digest of the spec.trainer that its pods were made from. */
  trainer: 'sparsedm.io/trainer-digest',
} as const;

export const managedBy = 'sparsedm-operator';
export const trainerApp = 'sparsedm-trainer';
export const serverApp = 'sparsedm-server';
export const canaryApp = 'sparsedm-canary';

/** Port of a server pod. */
export const serverPort = 8080;

/** Audience of the token with which pods report; it is valid for nothing else. */
export const reportAudience = 'sparsedm.io';

/** Selects every child of the operator. */
export const childSelector = `${labels.managedBy}=${managedBy}`;

export function trainerLabels(finetune: string): Record<string, string> {
  return { [labels.name]: trainerApp, [labels.managedBy]: managedBy, [labels.finetune]: finetune };
}

export function serverLabels(service: string): Record<string, string> {
  return { [labels.name]: serverApp, [labels.managedBy]: managedBy, [labels.service]: service };
}

/**
 * Neither the selector of what serves nor that of the Service covers the canary's pods: they get requests through the
 * gateway alone.
 */
export function canaryLabels(service: string, revision: string): Record<string, string> {
  return { ...serverLabels(service), [labels.name]: canaryApp, [labels.revision]: revision };
}
