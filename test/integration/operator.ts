/**
 * The whole operator against the real API server, with the tests in the place of Job controller, Deployment
 * controller, scheduler and kubelet: they write the status of Jobs, Deployments and pods.
 */
import { readFile } from 'node:fs/promises';
import { inject } from 'vitest';
import { sparseFinetunes, type SparseFinetune } from '../../src/api/types';
import type { Config } from '../../src/config';
import { findCondition, timestamp } from '../../src/kube/conditions';
import { trainJobName } from '../../src/kube/names';
import { ownerReference } from '../../src/kube/owner';
import { jobs, pods, type Job, type Pod } from '../../src/kube/resources';
import { createOperator } from '../../src/operator';
import { realClock } from '../../src/runtime/clock';
import { loadConnection } from '../../src/runtime/credentials';
import { silentLogger, type Logger } from '../../src/runtime/logger';
import { createMetrics } from '../../src/runtime/metrics';
import type { KubeObject, Resource } from '../../src/runtime/objects';
import { createTransport } from '../../src/runtime/transport';
import { eventually, type ApiServer } from './harness';
import { finetune, type Changes } from './specs';

export type RunningOperator = {
  /** Base URL of its report endpoint. */
  reportsUrl: string;
  metrics: ReturnType<typeof createMetrics>;
  stop(): Promise<void>;
};

export type OperatorOptions = { images?: Config['images']; userAgent?: string; logger?: Logger };

/** Starts an operator on the server's namespace; returns when its caches are filled and its endpoint listens. */
export async function startOperator(
  server: Pick<ApiServer, 'kubeconfig' | 'namespace'>,
  options: OperatorOptions = {},
): Promise<RunningOperator> {
  const metrics = createMetrics();
  const transport = createTransport({
    connection: loadConnection({ kubeconfig: server.kubeconfig }),
    clock: realClock,
    metrics,
    userAgent: options.userAgent ?? 'sparsedm-operator/test',
  });
  const config: Config = {
    namespaces: [server.namespace],
    leaderElection: {
      enabled: false,
      leaseName: 'x',
      leaseNamespace: server.namespace,
      identity: 'test',
      timing: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
    },
    ports: { metrics: 0, health: 0, reports: 0 },
    reportsUrl: 'http://sparsedm-operator.sparsedm-system.svc:8082',
    images: options.images ?? { trainer: 'sparsedm/trainer:test', server: 'sparsedm/serving:test' },
    logLevel: 'info',
    kubeconfig: server.kubeconfig,
    context: undefined,
    concurrency: 4,
  };
  let port = 0;
  const operator = createOperator({
    config,
    transport,
    clock: realClock,
    logger: options.logger ?? silentLogger,
    metrics,
    onReportsListening: (bound) => (port = bound),
  });
  const stopping = new AbortController();
  const running = operator.run(stopping.signal);
  running.catch(() => undefined);
  await Promise.race([running, eventually(() => operator.readiness().ready && port !== 0)]);
  return {
    reportsUrl: `http://127.0.0.1:${port}`,
    metrics,
    async stop() {
      stopping.abort();
      try {
        await running;
      } finally {
        await transport.close();
      }
    },
  };
}

const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

/** Makes the account that every pod needs; without a controller manager nobody else does. */
export async function createAccount(server: ApiServer, namespace: string, name = 'default'): Promise<void> {
  await server.client.create(serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
  });
}

type WithStatus = KubeObject & { status?: unknown };

/** Writes parts of a status, as the controller or kubelet in charge would. */
export async function writeStatus<T extends WithStatus>(
  server: ApiServer,
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

export async function findJob(server: ApiServer, name: string): Promise<Job> {
  return eventually(async () => (await server.client.get(jobs, jobKey(name, server.namespace))) ?? false);
}

/** A pod as the Job controller makes it from the Job's template. */
export async function createPodOf(server: ApiServer, job: Job, suffix: string): Promise<Pod> {
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

export async function runPod(server: ApiServer, pod: Pod): Promise<void> {
  await writeStatus(server, pods, pod, {
    phase: 'Running',
    startTime: now(),
    containerStatuses: [containerStatus({ running: { startedAt: now() } })],
  });
}

/** Ends the pod with an exit code and a termination message. */
export async function endPod(
  server: ApiServer,
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
export async function completeJob(server: ApiServer, job: Job): Promise<void> {
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

export async function failJob(server: ApiServer, job: Job, reason: string, message: string): Promise<void> {
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

/** Waits until the SparseFinetune meets the condition. */
export async function finetuneWhere(
  server: ApiServer,
  name: string,
  meets: (finetune: SparseFinetune) => boolean,
  timeoutMs = 15_000,
): Promise<SparseFinetune> {
  let last: SparseFinetune | undefined;
  try {
    return await eventually(
      async () => {
        last = await server.client.get(sparseFinetunes, { namespace: server.namespace, name });
        return last !== undefined && meets(last) ? last : false;
      },
      { timeoutMs },
    );
  } catch (error) {
    throw new Error(`SparseFinetune ${name} is not as expected: ${JSON.stringify(last?.status, null, 1)}`, {
      cause: error,
    });
  }
}

export function conditionOf(
  object: { status?: { conditions?: Parameters<typeof findCondition>[0] } },
  type: string,
) {
  return findCondition(object.status?.conditions, type);
}

export const isFinished = (finetune: SparseFinetune) => conditionOf(finetune, 'Finished')?.status === 'True';

/** A trainer's last word when all went well. */
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
  fid: {
    metric: 'fd-fashion-mnist-cnn',
    samples: 500,
    dense: '100.0',
    sparse: '102.5',
    increase: '2.5',
    seed: 0,
    sampler: 'dpm-solver++',
    steps: 20,
    rankDeficient: true,
  },
  model: {
    uri: 'pvc://models/run',
    sha256: 'b'.repeat(64),
    sizeBytes: 4000,
    manifestUri: 'pvc://models/run/manifest.json',
  },
  checkpoint: {
    uri: 'pvc://models/run/checkpoints/step-00000300',
    step: 300,
    maskDigest: `sha256:${'c'.repeat(64)}`,
  },
};

/** Creates a SparseFinetune and plays its story up to a pod that runs. */
export async function runFinetune(
  server: ApiServer,
  name: string,
  spec: Changes = {},
): Promise<{ job: Job; pod: Pod }> {
  const made = finetune(name, server.namespace, spec);
  await server.client.create(sparseFinetunes, made, { fieldManager: 'test' });
  const job = await findJob(server, name);
  const pod = await createPodOf(server, job, 'a');
  await runPod(server, pod);
  return { job, pod };
}

/** Plays its story to a good end. */
export async function succeedFinetune(
  server: ApiServer,
  name: string,
  spec: Changes = {},
  lastWord: object = results,
): Promise<SparseFinetune> {
  const { job, pod } = await runFinetune(server, name, spec);
  await endPod(server, pod, 0, lastWord);
  await completeJob(server, job);
  return finetuneWhere(server, name, isFinished);
}

/** Verbs with which a user agent has changed the API since the call, from the API server's audit log. */
export async function writesOf(userAgent: string, namespace: string): Promise<string[]> {
  const text = await readFile(inject('auditLog'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.includes(userAgent))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ userAgent: agent, objectRef }) => agent === userAgent && objectRef?.namespace === namespace)
    .filter(({ verb, objectRef }) => WRITES.includes(verb) && objectRef?.resource !== 'events')
    .map(
      ({ verb, objectRef }) =>
        `${verb} ${objectRef?.resource}/${objectRef?.subresource ?? ''} ${objectRef?.name ?? ''}`,
    );
}

const WRITES = ['create', 'update', 'patch', 'delete'];

type AuditEvent = {
  verb: string;
  userAgent?: string;
  objectRef?: { resource: string; subresource?: string; name?: string; namespace?: string };
};
