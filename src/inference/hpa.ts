/** Scaling by a HorizontalPodAutoscaler on the scale subresource, with the metrics that the user names. */
import type { SparseInferenceService } from '../api/types';
import { scalerName } from '../kube/names';
import { horizontalPodAutoscalers, type HorizontalPodAutoscaler } from '../kube/resources';
import { childMetadata } from './child-metadata';
import type { ChildKind } from './children';
import { engineOf } from './scaling';

export const hpaKind: ChildKind<HorizontalPodAutoscaler> = {
  resource: horizontalPodAutoscalers,
  field: 'spec.scaling.engine',
  nameOf: scalerName,
  build: ({ service }) => buildHorizontalPodAutoscaler(service),
};

export function buildHorizontalPodAutoscaler(
  service: SparseInferenceService,
): HorizontalPodAutoscaler | undefined {
  const { metadata, spec } = service;
  const { scaling } = spec;
  if (engineOf(service) !== 'hpa' || scaling?.maxReplicas === undefined) return undefined;
  const { minReplicas = 1, maxReplicas, metrics = [] } = scaling;
  const { scaleDownStabilizationSeconds: stabilizationWindowSeconds = 300 } = scaling;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: childMetadata(service, scalerName(metadata.name)),
    spec: {
      scaleTargetRef: { apiVersion: service.apiVersion, kind: service.kind, name: metadata.name },
      minReplicas,
      maxReplicas,
      metrics: metrics as NonNullable<HorizontalPodAutoscaler['spec']>['metrics'] & object,
      behavior: { scaleDown: { stabilizationWindowSeconds } },
    },
  };
}
