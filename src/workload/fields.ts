import type { PodSettings } from '../api/types';
import type { PodTemplate } from '../kube/resources';

/** Fields of a pod template whose name in the settings differs. */
const RENAMED: readonly [part: RegExp, field: string][] = [
  [/^(?:metadata\.)?labels\b/, 'podLabels'],
  [/^(?:metadata\.)?annotations\b/, 'podAnnotations'],
];
const IN_CONTAINER = /^spec\.containers\[0\]\.(?=image\b|imagePullPolicy\b|resources\b|envFrom\b)/;
const IN_POD =
  /^spec\.(?=(?:imagePullSecrets|nodeSelector|tolerations|affinity|topologySpreadConstraints|serviceAccountName|priorityClassName|runtimeClassName|schedulerName|securityContext)\b)/;
const VARIABLE = /^spec\.containers\[0\]\.env\[(\d+)\]/;

/**
 * The field of our object behind a field of its Job or Deployment, for messages of the API server:
 * spec.template.spec.containers[0].resources.limits is spec.trainer.resources.limits. A field that no setting makes
 * keeps its name.
 */
export function settingBehind(
  field: string,
  part: 'spec.trainer' | 'spec.server',
  settings: PodSettings | undefined,
  template: PodTemplate | undefined,
): string {
  const inTemplate = /^spec\.template\.(.*)$/.exec(field)?.[1];
  if (inTemplate === undefined) return field;
  const name = renamed(inTemplate) ?? variable(inTemplate, ownVariables(settings, template));
  return name === undefined ? field : `${part}.${name}`;
}

function renamed(field: string): string | undefined {
  for (const [part, name] of RENAMED) if (part.test(field)) return field.replace(part, name);
  for (const part of [IN_CONTAINER, IN_POD]) if (part.test(field)) return field.replace(part, '');
  return undefined;
}

/** Number of variables before those of the settings. */
function ownVariables(settings: PodSettings | undefined, template: PodTemplate | undefined): number {
  const all = template?.spec?.containers[0]?.env ?? [];
  return all.length - (settings?.env ?? []).length;
}

function variable(field: string, own: number): string | undefined {
  const index = VARIABLE.exec(field)?.[1];
  if (index === undefined || Number(index) < own) return undefined;
  return field.replace(VARIABLE, `env[${Number(index) - own}]`);
}
