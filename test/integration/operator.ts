/**
 * The whole operator against the real API server, with the tests in the place of Job controller, Deployment
 * controller, scheduler and kubelet: they write the status of Jobs, Deployments and pods.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, inject } from 'vitest';
import { sparseFinetunes, type SparseFinetune } from '../../src/api/types';
import type { Config } from '../../src/config';
import { jobs, type Job, type Pod } from '../../src/kube/resources';
import { createOperator } from '../../src/operator';
import type { Tally } from '../../src/rollout/tally';
import { realClock } from '../../src/runtime/clock';
import type { Transport } from '../../src/runtime/http/transport';
import type { Logger } from '../../src/runtime/telemetry/logger';
import { createMetrics } from '../../src/runtime/telemetry/metrics';
import { POD_DEFAULTS } from '../../src/workload/pod';
import { silentLogger } from '../support/silent-logger';
import { eventually, openApiServer, operatorTransport, type ApiServer } from './harness';
import { finetune, type Changes } from './specs';
import {
  completeJob,
  createAccount,
  createPodOf,
  endPod,
  isFinished,
  jobKey,
  results,
  runPod,
} from './stand-ins';

export * from './stand-ins';

export type RunningOperator = {
  /** Base URL of its report endpoint. */
  reportsUrl: string;
  metrics: ReturnType<typeof createMetrics>;
  stop(): Promise<void>;
};

export type OperatorOptions = {
  images?: Config['images'];
  userAgent?: string;
  /** Its name in the election of a leader; without one it leads at once. */
  identity?: string;
  logger?: Logger;
  keda?: boolean;
  /** What gateways report, in the place of gateways. */
  tally?: Tally;
  /** Puts something between the operator and the API server. */
  wrap?: (transport: Transport) => Transport;
  gateway?: Config['gateway'];
};

/** Starts an operator on the server's namespace; returns when its caches are filled and its endpoint listens. */
export async function startOperator(
  server: Pick<ApiServer, 'kubeconfig' | 'namespace'>,
  options: OperatorOptions = {},
): Promise<RunningOperator> {
  const metrics = createMetrics();
  const transport = operatorTransport(server.kubeconfig, metrics, options.userAgent);
  const config: Config = {
    gateway: options.gateway,
    namespaces: [server.namespace],
    leaderElection: {
      enabled: options.identity !== undefined,
      leaseName: 'x',
      leaseNamespace: server.namespace,
      identity: options.identity ?? 'test',
      timing: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
    },
    ports: { metrics: 0, health: 0, reports: 0 },
    reportsUrl: 'http://sparsedm-operator.sparsedm-system.svc:8082',
    images: options.images ?? { trainer: 'sparsedm/trainer:test', server: 'sparsedm/serving:test' },
    podDefaults: POD_DEFAULTS,
    logLevel: 'info',
    kubeconfig: server.kubeconfig,
    context: undefined,
    concurrency: 4,
    keda: options.keda ?? false,
    debugEndpoints: false,
  };
  let port = 0;
  const operator = createOperator({
    config,
    transport: options.wrap?.(transport) ?? transport,
    clock: realClock,
    logger: options.logger ?? silentLogger,
    metrics,
    ...(options.tally ? { tally: options.tally } : {}),
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

/** Gives the tests of a file a namespace, with the account that every pod needs, and an operator on it. */
export function useOperator(
  options: OperatorOptions,
  set: (server: ApiServer, operator: RunningOperator) => unknown,
): void {
  let server: ApiServer;
  let operator: RunningOperator;
  beforeAll(async () => {
    server = await openApiServer();
    await createAccount(server, server.namespace);
    operator = await startOperator(server, options);
    set(server, operator);
  });
  afterAll(async () => {
    await operator.stop();
    await server.close();
  });
}

export async function findJob(server: ApiServer, name: string): Promise<Job> {
  return eventually(async () => (await server.client.get(jobs, jobKey(name, server.namespace))) ?? false);
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

/** Creates a SparseFinetune and simulates its run up to a running pod. */
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

/** Simulates its run to success. */
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
