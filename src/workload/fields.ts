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
/** Lists of which the settings have the last items, behind those of the operator. */
const LISTS = [
  { items: /^spec\.containers\[0\]\.env\[(\d+)\]/, name: 'env', isOfPod: false },
  { items: /^spec\.containers\[0\]\.volumeMounts\[(\d+)\]/, name: 'volumeMounts', isOfPod: false },
  { items: /^spec\.volumes\[(\d+)\]/, name: 'volumes', isOfPod: true },
] as const;

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
  const name = renamed(inTemplate) ?? item(inTemplate, settings, template);
  return name === undefined ? field : `${part}.${name}`;
}

function renamed(field: string): string | undefined {
  for (const [part, name] of RENAMED) if (part.test(field)) return field.replace(part, name);
  for (const part of [IN_CONTAINER, IN_POD]) if (part.test(field)) return field.replace(part, '');
  return undefined;
}

function item(
  field: string,
  settings: PodSettings | undefined,
  template: PodTemplate | undefined,
): string | undefined {
  const list = LISTS.find(({ items }) => items.test(field));
  if (list === undefined) return undefined;
  const { items, name, isOfPod } = list;
  const holder = isOfPod ? template?.spec : template?.spec?.containers[0];
  const index = Number(items.exec(field)![1]) - (lengthOf(holder, name) - lengthOf(settings, name));
  return index < 0 ? undefined : field.replace(items, `${name}[${index}]`);
}

function lengthOf(holder: object | undefined, name: string): number {
  const list = (holder as Record<string, unknown> | undefined)?.[name];
  return Array.isArray(list) ? list.length : 0;
}
