/** How the pods of a service are spread over hosts and zones. */
import type { SparseInferenceService } from '../api/types';
import { TEMPLATE_LABEL } from '../kube/cached';
import { serverLabels } from '../kube/names';
import type { PodTemplate } from '../kube/resources';

type Constraints = NonNullable<NonNullable<PodTemplate['spec']>['topologySpreadConstraints']>;

/** Soft, so that a pod is never kept waiting for its place. */
const EVENLY = ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
  topologyKey,
  whenUnsatisfiable: 'ScheduleAnyway' as const,
}));

/**
 * Counts the pods of one template alone: those of the version before it, which end in the rollout, would otherwise push
 * the new ones away from their hosts.
 */
export function spreadOf({ metadata, spec }: SparseInferenceService): Constraints | undefined {
  const asked = spec.server?.topologySpreadConstraints ?? EVENLY;
  if (asked.length === 0) return undefined;
  return asked.map((constraint) => ({
    maxSkew: 1,
    ...constraint,
    labelSelector: { matchLabels: serverLabels(metadata.name) },
    matchLabelKeys: [TEMPLATE_LABEL],
  }));
}
