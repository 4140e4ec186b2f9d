/**
 * An annotation of the Deployment keeps what was applied to it last. With it the operator finds and restores manual
 * changes, and leaves the template of an older operator as it is, so that an upgrade restarts nothing.
 */
import type { SparseInferenceService } from '../api/types';
import { differences } from '../kube/patch';
import type { Deployment } from '../kube/resources';
import { quantityValue } from '../workload/quantity';
import { deploymentMetadata, INPUTS_ANNOTATION } from './deployment';

type Spec = NonNullable<Deployment['spec']>;
/** The replicas are written separately. */
export type AppliedSpec = Omit<Spec, 'replicas'>;

export const APPLIED_ANNOTATION = 'sparsedm.io/applied-spec';

/**
 * Longest spec that is recorded, in characters; a longer one is not compared. An object's annotations may take 256 KiB
 * in total.
 */
const LONGEST_RECORD = 128 * 1024;

export function withRecord(deployment: Deployment): Deployment {
  const { replicas: _, ...spec } = deployment.spec ?? ({} as Spec);
  const text = JSON.stringify(spec);
  const annotations = {
    ...deployment.metadata.annotations,
    [APPLIED_ANNOTATION]: text.length > LONGEST_RECORD ? '' : text,
  };
  return { ...deployment, metadata: { ...deployment.metadata, annotations } };
}

/** Also true of a record that was too long to keep. */
export function hasRecord({ metadata }: Deployment): boolean {
  return metadata.annotations?.[APPLIED_ANNOTATION] !== undefined;
}

/** Why changes by others are not restored; undefined where they are. */
export function explainLongRecord({ metadata }: Deployment): string | undefined {
  if (metadata.annotations?.[APPLIED_ANNOTATION] !== '') return undefined;
  return `The spec of the Deployment ${metadata.name} is longer than ${LONGEST_RECORD / 1024} KiB, too long to be recorded, so what others change in it is not restored: shorten spec.server.`;
}

export function readRecord({ metadata }: Deployment): AppliedSpec | undefined {
  try {
    const spec: unknown = JSON.parse(metadata.annotations?.[APPLIED_ANNOTATION] ?? '');
    return typeof spec === 'object' && spec !== null ? (spec as AppliedSpec) : undefined;
  } catch {
    return undefined;
  }
}

/** The Deployment as recorded, with the strategy that is due. */
export function fromRecord(
  service: SparseInferenceService,
  live: Deployment,
  record: AppliedSpec,
  strategy: Spec['strategy'] = record.strategy,
): Deployment {
  const inputs = live.metadata.annotations?.[INPUTS_ANNOTATION] ?? '';
  return withRecord({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: deploymentMetadata(service, inputs),
    spec: { ...record, ...(strategy === undefined ? {} : { strategy }) },
  });
}

/** The fields that are not as desired. Fields that others have added are left alone. */
export function drift(live: Deployment, desired: Deployment): string[] {
  const labels = { labels: live.metadata.labels };
  return [
    ...differences({ metadata: labels }, { metadata: { labels: desired.metadata.labels } }),
    ...differences({ spec: comparable(live.spec) }, { spec: comparable(desired.spec) }),
  ];
}

/** The API server rewrites quantities (0.5 as 500m), so they are compared as numbers. */
function comparable(spec: Spec | undefined): unknown {
  const pod = spec?.template.spec;
  if (pod === undefined) return spec;
  const containers = pod.containers.map((container) => ({
    ...container,
    resources: Object.fromEntries(
      Object.entries(container.resources ?? {}).map(([kind, quantities]) => [kind, asNumbers(quantities)]),
    ),
  }));
  return { ...spec, template: { ...spec?.template, spec: { ...pod, containers } } };
}

function asNumbers(quantities: unknown): Record<string, number> {
  const entries = Object.entries((quantities ?? {}) as Record<string, string>);
  return Object.fromEntries(entries.map(([name, text]) => [name, quantityValue(text)]));
}

type Fields = { [part: string]: Fields };

/**
 * The part of a Deployment's spec that a field manager applied, according to the API server's managedFields (FieldsV1).
 * Read once for a Deployment that is older than the records.
 */
export function ownedSpec(live: Deployment, manager: string): AppliedSpec | undefined {
  const entry = live.metadata.managedFields?.find(
    ({ manager: name, operation, subresource }) =>
      name === manager && operation === 'Apply' && subresource === undefined,
  );
  const fields = (entry?.fieldsV1 as Fields | undefined)?.['f:spec'];
  if (fields === undefined) return undefined;
  const { replicas: _, ...spec } = owned(live.spec, fields) as Spec;
  return spec;
}

function owned(value: unknown, fields: Fields): unknown {
  const parts = Object.keys(fields).filter((part) => part !== '.');
  if (Array.isArray(value)) {
    if (parts.length === 0) return value;
    return value.flatMap((item: unknown) => {
      const part = parts.find((key) => isItem(item, key));
      return part === undefined ? [] : [owned(item, fields[part] ?? {})];
    });
  }
  if (typeof value !== 'object' || value === null) return value;
  if (parts.length === 0) return '.' in fields ? {} : value;
  const object = value as Record<string, unknown>;
  const names = parts.map((part) => part.slice(2)).filter((name) => object[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, owned(object[name], fields[`f:${name}`] ?? {})]));
}

/** `k:{"name":"server"}` names an item by its keys, `v:"x"` by its value. */
function isItem(item: unknown, part: string): boolean {
  const key: unknown = JSON.parse(part.slice(2));
  if (part.startsWith('v:')) return item === key;
  return Object.entries(key as object).every(
    ([name, value]) => (item as Record<string, unknown>)[name] === value,
  );
}
