/** Stand-ins for Job controller, scheduler and kubelet: they write the status of Jobs and pods. */
import type { SparseFinetune } from '../../src/api/types';
import { findCondition, timestamp } from '../../src/kube/conditions';
import { trainJobName } from '../../src/kube/names';
import { ownerReference } from '../../src/kube/owner';
import { jobs, pods, type Job, type Pod } from '../../src/kube/resources';
import { objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import type { ApiServer } from './api-server';
import { OUTPUT, type Changes } from './specs';

type Cluster = Pick<ApiServer, 'client' | 'namespace'>;

const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

/** Makes the account that every pod needs, in the place of the controller manager. */
export async function createAccount(server: Cluster, namespace: string, name = 'default'): Promise<void> {
  await server.client.create(serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
  });
}

const webhooks: Resource = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
  namespaced: false,
};

/** A required webhook for each new object with the labels, which nothing serves. */
export async function createDownWebhook(
  server: Cluster,
  resource: 'jobs' | 'deployments',
  matchLabels: Record<string, string>,
): Promise<{ remove(): Promise<boolean> }> {
  const name = `down-${server.namespace}-${resource}`;
  const rule = {
    apiGroups: ['*'],
    apiVersions: ['*'],
    operations: ['CREATE', 'UPDATE'],
    resources: [resource],
  };
  const configuration = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'down.example.com',
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [rule],
        failurePolicy: 'Fail',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        objectSelector: { matchLabels },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': server.namespace } },
      },
    ],
  };
  await server.client.create(webhooks, configuration);
  return { remove: () => server.client.delete(webhooks, { namespace: '', name }) };
}

type WithStatus = KubeObject & { status?: unknown };

/** Writes parts of a status, as the controller or kubelet in charge would. */
export async function writeStatus<T extends WithStatus>(
  server: Cluster,
  resource: Resource<T>,
  object: T,
  status: object,
): Promise<void> {
  const live = await server.client.get(resource, {
    namespace: object.metadata.namespace ?? '',
    name: object.metadata.name,
  });
  if (live === undefined) throw new Error(`${object.kind} ${object.metadata.name} is gone`);
  const merged = { ...(live.status as object | undefined), ...status } as NonNullable<T['status']>;
  await server.client.patchStatus(resource, live, merged, { fieldManager: 'test-controller' });
}

export function jobKey(name: string, namespace: string) {
  return { namespace, name: trainJobName(name) };
}

/** A pod as the Job controller makes it from the Job's template. */
export async function createPodOf(server: Cluster, job: Job, suffix: string): Promise<Pod> {
  const { template } = job.spec!;
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${job.metadata.name}-${suffix}`,
      namespace: server.namespace,
      labels: template.metadata!.labels as Record<string, string>,
      ownerReferences: [{ ...ownerReference(job), apiVersion: 'batch/v1', kind: 'Job' }],
    },
    spec: template.spec!,
  };
  return server.client.create(pods, pod, { fieldManager: 'test-controller' });
}

const now = () => timestamp(new Date());

export async function runPod(server: Cluster, pod: Pod): Promise<void> {
  await writeStatus(server, pods, pod, {
    phase: 'Running',
    startTime: now(),
    containerStatuses: [containerStatus({ running: { startedAt: now() } })],
  });
}

/** Ends the pod with an exit code and a termination message. */
export async function endPod(
  server: Cluster,
  pod: Pod,
  exitCode: number,
  message?: unknown,
  reason?: string,
): Promise<void> {
  const terminated = {
    exitCode,
    reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
    startedAt: now(),
    finishedAt: now(),
    ...(message === undefined
      ? {}
      : { message: typeof message === 'string' ? message : JSON.stringify(message) }),
  };
  await writeStatus(server, pods, pod, {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    containerStatuses: [containerStatus({ terminated })],
  });
}

function containerStatus(state: object) {
  return { name: 'trainer', image: 'x', imageID: 'x', ready: 'running' in state, restartCount: 0, state };
}

/** Ends the Job as its controller does: the interim condition first, then the final one. */
export async function completeJob(server: Cluster, job: Job): Promise<void> {
  await writeStatus(server, jobs, job, {
    startTime: now(),
    completionTime: now(),
    succeeded: 1,
    active: 0,
    ready: 0,
    conditions: [
      jobCondition('SuccessCriteriaMet', 'CompletionsReached'),
      jobCondition('Complete', 'CompletionsReached'),
    ],
  });
}

export async function failJob(server: Cluster, job: Job, reason: string, message: string): Promise<void> {
  await writeStatus(server, jobs, job, {
    startTime: now(),
    failed: 1,
    active: 0,
    ready: 0,
    conditions: [jobCondition('FailureTarget', reason, message), jobCondition('Failed', reason, message)],
  });
}

function jobCondition(type: string, reason: string, message = reason) {
  return { type, status: 'True', reason, message, lastTransitionTime: now(), lastProbeTime: now() };
}

export function conditionOf(
  object: { status?: { conditions?: Parameters<typeof findCondition>[0] } },
  type: string,
) {
  return findCondition(object.status?.conditions, type);
}

export const isFinished = (finetune: SparseFinetune) => conditionOf(finetune, 'Finished')?.status === 'True';

/** A trainer's termination message after success. */
export const results = {
  sparsity: {
    pattern: '2:4',
    target: '0.5',
    achieved: '0.5',
    maskedParameters: 100,
    totalParameters: 200,
    maskedLayers: 5,
    skippedLayers: 0,
    compliant: true,
  },
  macs: {
    convention: 'linear',
    dense: 1000,
    sparse: 500,
    totalDense: 1100,
    totalSparse: 600,
    reductionPercent: '50.0',
  },
  latency: { millisecondsPerImage: '8.50', batchSize: 1, device: 'CPU (test)', precision: 'fp32' },
  fid: {
    metric: 'fd-fashion-mnist-cnn',
    samples: 500,
    dense: '100.0',
    sparse: '102.5',
    increase: '2.5',
    reference: 'training-data',
    seed: 0,
    sampler: 'dpm-solver++',
    steps: 20,
    precision: 'fp32',
    served: [{ precision: 'bf16', sparse: '103.5', increase: '3.5' }],
    rankDeficient: true,
  },
  model: {
    uri: OUTPUT,
    sha256: 'b'.repeat(64),
    sizeBytes: 4000,
    manifestUri: `${OUTPUT}/manifest.json`,
  },
  checkpoint: {
    uri: `${OUTPUT}/checkpoints/step-00000300`,
    step: 300,
    maskDigest: `sha256:${'c'.repeat(64)}`,
  },
};

/** Merges these fields into the spec of an object, as kubectl patch does. */
export async function mergeSpec(
  server: Pick<ApiServer, 'transport' | 'namespace'>,
  resource: Resource,
  name: string,
  spec: Changes,
  annotations?: Record<string, string>,
): Promise<void> {
  await server.transport.request({
    method: 'PATCH',
    path: objectPath(resource, { namespace: server.namespace, name }),
    contentType: 'application/merge-patch+json',
    body: { spec, ...(annotations && { metadata: { annotations } }) },
  });
}
