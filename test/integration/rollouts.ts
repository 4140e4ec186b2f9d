/**
 * What the tests of rollouts share: an operator that can start anew, services whose Deployment controller the tests
 * play, and gateways that count.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { labels } from '../../src/kube/names';
import { deployments, pods, type Deployment, type Pod } from '../../src/kube/resources';
import { createTally, type Counted, type Tally } from '../../src/rollout/tally';
import { realClock } from '../../src/runtime/clock';
import { eventually, openApiServer, type ApiServer } from './harness';
import {
  conditionOf,
  createAccount,
  startOperator,
  writeStatus,
  type RunningOperator,
  mergeSpec,
} from './operator';
import { podToken } from './serving';
import { service, type Changes } from './specs';

/** Of the file that called `useRollouts`. */
export let server: ApiServer;
/** The one that runs now. */
export let operator: RunningOperator;
let tally: Tally;
export const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

const component = 'app.kubernetes.io/component';

async function start(): Promise<void> {
  tally = createTally({ clock: realClock });
  const gateway = { namespace: server.namespace, name: 'gateway', selector: `${component}=gateway` };
  operator = await startOperator(server, { userAgent, tally, gateway });
}

/** The pod of a gateway, which nobody runs: the services' requests are led to it. */
async function createGatewayPod(): Promise<void> {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'gateway', namespace: server.namespace, labels: { [component]: 'gateway' } },
    spec: { containers: [{ name: 'gateway', image: 'sparsedm/operator:test' }] },
  };
  await server.client.create(pods, pod);
  await tellGateway('True');
}

export async function tellGateway(status: 'True' | 'False'): Promise<void> {
  const pod = (await server.client.get(pods, keyOf('gateway')))!;
  await writeStatus(server, pods, pod, {
    phase: 'Running',
    podIP: '10.1.2.3',
    podIPs: [{ ip: '10.1.2.3' }],
    conditions: [{ type: 'Ready', status }],
  });
}

export async function restart(): Promise<void> {
  await operator.stop();
  await start();
}

export async function restartWithoutGateway(): Promise<void> {
  await operator.stop();
  operator = await startOperator(server, { userAgent, tally });
}

/** An API server with a gateway's pod, and an operator, for the tests of a file. */
export function useRollouts(): void {
  beforeAll(async () => {
    server = await openApiServer();
    await createAccount(server, server.namespace);
    await createGatewayPod();
    await start();
  });
  afterAll(async () => {
    await operator.stop();
    await server.close();
  });
}

export const keyOf = (name: string) => ({ namespace: server.namespace, name });
export const read = async (name: string) => (await server.client.get(sparseInferenceServices, keyOf(name)))!;
export const deploymentOf = (name: string) => server.client.get(deployments, keyOf(`${name}-server`));
export const canaryOf = (name: string) => server.client.get(deployments, keyOf(`${name}-canary`));
export const revisionIn = (deployment: Deployment | undefined) =>
  deployment?.spec?.template.metadata?.labels?.[labels.revision];
export const engineIn = (deployment: Deployment | undefined) => {
  const env = deployment?.spec?.template.spec?.containers[0]?.env ?? [];
  return JSON.parse(env.find(({ name }) => name === 'SPARSEDM_ENGINE')?.value ?? '{}') as { steps?: number };
};

/** Steps that take no time but for the requests they need. */
export const rollout = {
  strategy: 'Canary',
  canary: {
    steps: [
      { weight: 25, holdSeconds: 0 },
      { weight: 50, holdSeconds: 0 },
    ],
    analysis: { maxErrorRatePercent: 10, maxLatencyIncreasePercent: 50, minRequests: 5 },
  },
};

export const patchSpec = (name: string, spec: Changes, annotations?: Record<string, string>) =>
  mergeSpec(server, sparseInferenceServices, name, spec, annotations);

/** Plays the Deployment controller: all pods of the template are available. */
export async function rollOut(deployment: Deployment | undefined): Promise<void> {
  if (deployment === undefined) return;
  const replicas = deployment.spec?.replicas ?? 0;
  const status = {
    observedGeneration: deployment.metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  };
  const same = Object.entries(status).every(
    ([field, value]) => ((deployment.status ?? {}) as Record<string, unknown>)[field] === value,
  );
  if (!same) await writeStatus(server, deployments, deployment, status);
}

type Sent = { requests: number; failed?: number; seconds?: number };

const none: Counted = { requests: 0, failed: 0, latency: { count: 0, sumSeconds: 0 } };

function count(before: Counted, { requests, failed = 0, seconds = 1 }: Sent): Counted {
  const answered = requests - failed;
  return {
    requests: before.requests + requests,
    failed: before.failed + failed,
    latency: {
      count: before.latency.count + answered,
      sumSeconds: before.latency.sumSeconds + answered * seconds,
    },
  };
}

/** A gateway that counts. */
export class Gateway {
  readonly #counted = new Map<string, Counted>();

  constructor(readonly name: string) {}

  async tell(sent: Record<string, Sent> = {}): Promise<void> {
    for (const [revision, each] of Object.entries(sent))
      this.#counted.set(revision, count(this.#counted.get(revision) ?? none, each));
    const uid = (await read(this.name)).metadata.uid!;
    const revisions = Object.fromEntries(this.#counted);
    tally.hear(`${server.namespace}/${this.name}`, uid, { gateway: 'g', revisions });
  }
}

export async function waitFor(
  name: string,
  play: (one: SparseInferenceService) => Promise<unknown>,
  meets: (one: SparseInferenceService) => boolean,
  timeoutMs = 30_000,
): Promise<SparseInferenceService> {
  let last: SparseInferenceService | undefined;
  try {
    return await eventually(
      async () => {
        last = await read(name);
        if (meets(last)) return last;
        await play(last);
        return false;
      },
      { timeoutMs, intervalMs: 100 },
    );
  } catch (error) {
    throw new Error(`${name} is not as expected: ${JSON.stringify(last?.status, null, 1)}`, { cause: error });
  }
}

export const phaseIs =
  (phase: string, step?: number) =>
  ({ status }: SparseInferenceService) =>
    status?.rollout?.phase === phase && (step === undefined || status.rollout.step === step);
export const reasonIs = (type: string, reason: string) => (one: SparseInferenceService) =>
  conditionOf(one, type)?.reason === reason;

/** Both Deployments' controllers. */
export async function playControllers({ metadata: { name } }: SparseInferenceService): Promise<void> {
  await rollOut(await deploymentOf(name));
  await rollOut(await canaryOf(name));
}

/** A service of `steps: 10` that serves. */
export async function serve(name: string, spec: Changes = {}): Promise<SparseInferenceService> {
  const made = service(name, server.namespace, { replicas: 4, engine: { steps: 10 }, rollout, ...spec });
  await server.client.create(sparseInferenceServices, made, { fieldManager: 'test' });
  return waitFor(name, playControllers, ({ status }) => status?.revisions?.length === 1);
}

export async function report(name: string, pod: Pod, topic: string, body: object): Promise<void> {
  const answer = await fetch(`${operator.reportsUrl}/v1/services/${server.namespace}/${name}/${topic}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await podToken(server, pod)}` },
    body: JSON.stringify(body),
  });
  expect(`${topic} ${answer.status}`).toMatch(/ 20[04]$/);
}

type OperatorEvent = { reason: string; note: string; regarding: { name: string } };

export async function eventsOf(name: string): Promise<OperatorEvent[]> {
  const { items } = await server.transport.request<{ items: OperatorEvent[] }>({
    method: 'GET',
    path: `/apis/events.k8s.io/v1/namespaces/${server.namespace}/events`,
  });
  return items.filter(({ regarding }) => regarding.name === name);
}

export const sent = (one: SparseInferenceService, canary: Sent) => {
  const { revision = '', from = '' } = one.status?.rollout ?? {};
  return { [revision]: canary, [from]: { requests: 10 } };
};
