import { createHash } from 'node:crypto';

/** Longest name of a Service, a label value and a DNS label. */
const longestLabel = 63;

export function trainJobName(finetune: string): string {
  return childName(finetune, '-train');
}

export function serverDeploymentName(service: string): string {
  return childName(service, '-server');
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
  /** On the pods of a service: the version that they serve. */
  revision: 'sparsedm.io/revision',
} as const;

export const annotations = {
  /**
   * On a Job, written together with its suspend: "true" while that follows spec.suspend, "false" once it was lifted. A
   * suspension without it has another owner, for example a queue.
   */
  suspended: 'sparsedm.io/suspended',
} as const;

export const managedBy = 'sparsedm-operator';
export const trainerApp = 'sparsedm-trainer';
export const serverApp = 'sparsedm-server';

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
