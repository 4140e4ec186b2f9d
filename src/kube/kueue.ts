/** What the operator reads and writes of Kueue (kueue.x-k8s.io/v1beta2). */
import { defined } from '../runtime/defined';
import type { KubeObject, Resource } from '../runtime/objects';
import type { Condition } from './conditions';
import { annotations } from './names';

/** Kueue's view of one Job: what it asks of its queue, and whether it may start. */
export type Workload = KubeObject & {
  spec?: { queueName?: string; active?: boolean };
  status?: {
    conditions?: Omit<Condition, 'observedGeneration'>[];
    admissionChecks?: { name: string; state: string; message?: string }[];
  };
};

export const workloads: Resource<Workload> = {
  group: 'kueue.x-k8s.io',
  version: 'v1beta2',
  plural: 'workloads',
  kind: 'Workload',
  namespaced: true,
};

/** A Workload without its pod templates, of which a cluster may have thousands. */
export function cachedWorkload({ apiVersion, kind, metadata, spec, status }: Workload): Workload {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp } = metadata;
  const { deletionTimestamp, ownerReferences } = metadata;
  const suspended = metadata.annotations?.[annotations.suspended];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...defined({ namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp }),
      ...defined({
        ownerReferences,
        annotations: suspended === undefined ? undefined : { [annotations.suspended]: suspended },
      }),
    },
    spec: defined({ queueName: spec?.queueName, active: spec?.active }),
    status: defined({ conditions: status?.conditions, admissionChecks: status?.admissionChecks }),
  };
}
