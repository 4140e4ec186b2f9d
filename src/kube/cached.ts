/**
 * What the caches keep of Jobs and pods: only the parts that the operator reads. Ten thousand runs have ten thousand of
 * each, and most of a Job and a pod is the template that we wrote ourselves.
 */
import { defined } from '../runtime/defined';
import type { ObjectMeta } from '../runtime/objects';
import { annotations, labels } from './names';
import type { Job, Pod } from './resources';

/** Label by which a Deployment's controller tells the pods of one template from those of another. */
export const TEMPLATE_LABEL = 'pod-template-hash';

function cachedLabels(given: ObjectMeta['labels'] = {}): Record<string, string> {
  const kept = Object.values(labels).filter((label) => given[label] !== undefined);
  return Object.fromEntries(kept.map((label) => [label, given[label] ?? '']));
}

function cachedMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation } = metadata;
  const { creationTimestamp, deletionTimestamp, ownerReferences } = metadata;
  return {
    name,
    labels: cachedLabels(metadata.labels),
    ...defined({ namespace, uid, resourceVersion, generation }),
    ...defined({ creationTimestamp, deletionTimestamp, ownerReferences }),
  };
}

/** Annotations of ours that the operator reads. */
function cachedAnnotations(given: ObjectMeta['annotations'] = {}): Pick<ObjectMeta, 'annotations'> {
  const kept = Object.values(annotations).filter((name) => given[name] !== undefined);
  if (kept.length === 0) return {};
  return { annotations: Object.fromEntries(kept.map((name) => [name, given[name] ?? ''])) };
}

type JobSpec = NonNullable<Job['spec']>;

/** A Job without its template, which is never compared or written again. */
export function cachedJob({ apiVersion, kind, metadata, spec, status }: Job): Job {
  const { suspend, backoffLimit, activeDeadlineSeconds } = spec ?? {};
  return {
    apiVersion,
    kind,
    metadata: { ...cachedMetadata(metadata), ...cachedAnnotations(metadata.annotations) },
    spec: defined({ suspend, backoffLimit, activeDeadlineSeconds }) as JobSpec,
    ...defined({ status }),
  };
}

type PodSpec = NonNullable<Pod['spec']>;

/** What a server's pod asks of a node: it shows whether another pod would fit into its place. */
function cachedNeeds({ nodeSelector, affinity, tolerations, containers, volumes }: PodSpec): PodSpec {
  return {
    ...defined({ nodeSelector, affinity, tolerations }),
    containers: containers.map(({ name, resources }) => ({ name, ...defined({ resources }) })),
    volumes: (volumes ?? []).filter(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined),
  };
}

/**
 * A pod with only the node of its spec, which the user needs when the pod does not end; a server's pod also keeps what
 * it asks of a node and the label of its template.
 */
export function cachedPod({ apiVersion, kind, metadata, spec, status = {} }: Pod): Pod {
  const { phase, reason, message, startTime, conditions, containerStatuses } = status;
  const cached = cachedMetadata(metadata);
  const serves = metadata.labels?.[labels.service] !== undefined;
  const template = serves ? metadata.labels?.[TEMPLATE_LABEL] : undefined;
  const kept = {
    ...defined({ nodeName: spec?.nodeName }),
    ...(serves && spec !== undefined && cachedNeeds(spec)),
  };
  if (template !== undefined) cached.labels = { ...cached.labels, [TEMPLATE_LABEL]: template };
  return {
    apiVersion,
    kind,
    metadata: cached,
    ...(Object.keys(kept).length === 0 ? {} : { spec: kept as PodSpec }),
    status: defined({ phase, reason, message, startTime, conditions, containerStatuses }),
  };
}
