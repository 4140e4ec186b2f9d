/** Training runs, their Jobs and pods as the API server would hold them. */
import type { SparseFinetune, SparseFinetuneSpec, SparseFinetuneStatus } from '../../src/api/types';
import type { ClusterGpus } from '../../src/finetune/gpus';
import { buildJob } from '../../src/finetune/job';
import { JOB_INDEX, jobOfWorkload } from '../../src/finetune/queue';
import type { QueueDependencies } from '../../src/finetune/reconcile';
import type { Condition } from '../../src/kube/conditions';
import { ownerReference } from '../../src/kube/owner';
import type { Workload } from '../../src/kube/kueue';
import type { Job, Pod } from '../../src/kube/resources';
import { ObjectStore } from '../../src/runtime/cache/store';
import { POD_DEFAULTS } from '../../src/workload/pod';

export const settings = {
  image: 'trainer:1',
  reportsUrl: 'http://operator.system.svc:8082',
  podDefaults: POD_DEFAULTS,
};

/** A cluster without Kueue. */
export const noQueues: QueueDependencies = {
  workloads: new ObjectStore<Workload>({ [JOB_INDEX]: jobOfWorkload }),
  isMissing: () => true,
  positions: { of: () => Promise.resolve(undefined) },
};

/** Of an operator that may not list nodes. */
export const noGpus = (): Promise<ClusterGpus | undefined> => Promise.resolve(undefined);

export const startedAt = '2026-01-01T00:00:00Z';

export function aFinetune(
  spec: Partial<SparseFinetuneSpec> = {},
  status?: SparseFinetuneStatus,
): SparseFinetune {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'shirts', namespace: 'ml', uid: 'finetune-uid', generation: 3 },
    spec: {
      model: { preset: 'fashion-mnist-uvit-tiny', pretrained: { uri: 'file:///opt/w.safetensors' } },
      dataset: { format: 'fashion-mnist', uri: 'pvc://data/fashion' },
      training: { steps: 300 },
      output: { uri: 'pvc://models/shirts' },
      ...spec,
    },
    status: status ?? { observedGeneration: -1 }, // the schema's default
  };
}

export function aJob(finetune: SparseFinetune, status: Job['status'] = {}, uid = 'job-uid'): Job {
  const job = buildJob(finetune, settings);
  return { ...job, metadata: { ...job.metadata, uid }, status };
}

export function ended(type: 'Complete' | 'Failed', reason = type as string): Job['status'] {
  const at = '2026-01-01T01:00:00Z';
  return { conditions: [{ type, status: 'True', reason, message: `${reason}.`, lastTransitionTime: at }] };
}

type PodStatus = NonNullable<Pod['status']>;
type Terminated = { exitCode: number; reason?: string; message?: string };

export function aPod(job: Job, name: string, status: PodStatus, createdAt = startedAt): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'ml',
      uid: `${name}-uid`,
      creationTimestamp: createdAt,
      ownerReferences: [{ ...ownerReference(job), kind: 'Job' }],
    },
    status,
  };
}

export const running: PodStatus = { phase: 'Running', startTime: startedAt };

export function terminated({ exitCode, reason, message }: Terminated): PodStatus {
  const state = {
    terminated: {
      exitCode,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    },
  };
  return {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [{ name: 'trainer', image: 'x', imageID: 'x', ready: false, restartCount: 0, state }],
  };
}

export function finished(phase: 'Succeeded' | 'Failed', completionTime = startedAt): SparseFinetuneStatus {
  const condition: Condition = {
    type: 'Finished',
    status: 'True',
    reason: phase,
    message: `${phase}.`,
    lastTransitionTime: completionTime,
  };
  return { phase, completionTime, conditions: [condition] };
}
