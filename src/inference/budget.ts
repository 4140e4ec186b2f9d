/** The PodDisruptionBudget: how many serving pods a drain may evict at once. */
import type { SparseInferenceService } from '../api/types';
import { serverDeploymentName, serverLabels } from '../kube/names';
import { podDisruptionBudgets, type PodDisruptionBudget } from '../kube/resources';
import { childMetadata } from './child-metadata';
import type { ChildKind } from './children';
import { mayHaveSeveral } from './scaling';

/** One pod at a time: a drain goes on as soon as the evicted pod's successor serves, and a lone pod never blocks it. */
const DEFAULT_BUDGET = { maxUnavailable: 1 };

export const budgetKind: ChildKind<PodDisruptionBudget> = {
  resource: podDisruptionBudgets,
  field: 'spec.podDisruptionBudget',
  nameOf: serverDeploymentName,
  build: ({ service }) => buildBudget(service),
};

/** Undefined for a service of a single pod that asks for none. */
export function buildBudget(service: SparseInferenceService): PodDisruptionBudget | undefined {
  const { metadata, spec } = service;
  const asked = spec.podDisruptionBudget ?? (mayHaveSeveral(service) ? DEFAULT_BUDGET : undefined);
  if (asked === undefined) return undefined;
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: childMetadata(service, serverDeploymentName(metadata.name)),
    spec: {
      ...asked,
      selector: { matchLabels: serverLabels(metadata.name) },
      // A pod that does not serve loses nobody a request; by default it would block a drain for ever.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
}
