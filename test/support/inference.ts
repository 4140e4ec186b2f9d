/** Services, their models, Deployments and pods as the API server would hold them. */
import type {
  SparseFinetune,
  SparseFinetuneStatus,
  SparseInferenceService,
  SparseInferenceServiceSpec,
  SparseInferenceServiceStatus,
} from '../../src/api/types';
import { buildDeployment } from '../../src/inference/deployment';
import { withRecord } from '../../src/inference/record';
import type { Condition, ConditionStatus } from '../../src/kube/conditions';
import type { Deployment, Pod } from '../../src/kube/resources';
import { POD_DEFAULTS } from '../../src/workload/pod';

export const settings = {
  image: 'server:1',
  reportsUrl: 'http://operator.system.svc:8082',
  podDefaults: POD_DEFAULTS,
};
export const uriModel = { uri: 'pvc://models/shirts' };

export function aService(
  spec: Partial<SparseInferenceServiceSpec> = {},
  status?: SparseInferenceServiceStatus,
): SparseInferenceService {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'shirts', namespace: 'ml', uid: 'service-uid', generation: 2 },
    spec: { model: uriModel, replicas: 2, ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

export function condition(
  type: string,
  status: ConditionStatus,
  reason: string,
  message = `${reason}.`,
): Condition {
  return { type, status, reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' };
}

export const succeeded: SparseFinetuneStatus = {
  phase: 'Succeeded',
  conditions: [condition('QualityGatePassed', 'True', 'NoGate'), condition('Succeeded', 'True', 'Succeeded')],
  model: { uri: 'pvc://models/tuned', sha256: 'a'.repeat(64), sizeBytes: 1 },
  sparsity: { pattern: '2:4', compliant: true },
  fid: { metric: 'fd-x', dense: '100', sparse: '103', increase: '3', samples: 500 },
  macs: { convention: 'linear', dense: 10, sparse: 5, totalDense: 11, reductionPercent: '50' },
};

export function aFinetune(status: SparseFinetuneStatus, uid = 'finetune-uid'): SparseFinetune {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'tuned', namespace: 'ml', uid },
    spec: {} as SparseFinetune['spec'],
    status,
  };
}

export function aDeployment(
  service: SparseInferenceService,
  status: Deployment['status'] = {},
  generation = 1,
): Deployment {
  const built = withRecord(buildDeployment(service, uriModel, settings));
  return { ...built, metadata: { ...built.metadata, uid: 'deployment-uid', generation }, status };
}

export function rolledOut(replicas: number, observedGeneration = 1): Deployment['status'] {
  return {
    observedGeneration,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  };
}

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

export function aServerPod(container: Partial<ContainerStatus>, name = 'a', phase = 'Running'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ml', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' },
    status: {
      phase,
      containerStatuses: [
        { name: 'server', image: 'x', imageID: 'x', ready: false, restartCount: 0, ...container },
      ],
    },
  };
}
