/**
 * Rollouts against the real API server: the tests play the Deployment controller, the kubelet and the gateways, and
 * start the operator anew where a canary has to survive that.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { NO_LOAD } from '../../src/autoscale/load';
import { labels } from '../../src/kube/names';
import {
  controllerRevisions,
  deployments,
  endpointSlices,
  pods,
  type Deployment,
  type Pod,
} from '../../src/kube/resources';
import { createTally, type Counted, type Tally } from '../../src/rollout/tally';
import { realClock } from '../../src/runtime/clock';

import { eventually, openApiServer, type ApiServer } from './harness';
import {
  conditionOf,
  createAccount,
  startOperator,
  writeStatus,
  writesOf,
  type RunningOperator,
  mergeSpec,
} from './operator';
import { createServingPod, podToken } from './serving';
import { service, type Changes } from './specs';

let server: ApiServer;
let operator: RunningOperator;
let tally: Tally;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

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

async function tellGateway(status: 'True' | 'False'): Promise<void> {
  const pod = (await server.client.get(pods, keyOf('gateway')))!;
  await writeStatus(server, pods, pod, {
    phase: 'Running',
    podIP: '10.1.2.3',
    podIPs: [{ ip: '10.1.2.3' }],
    conditions: [{ type: 'Ready', status }],
  });
}

async function restart(): Promise<void> {
  await operator.stop();
  await start();
}

async function restartWithoutGateway(): Promise<void> {
  await operator.stop();
  operator = await startOperator(server, { userAgent, tally });
}

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

const keyOf = (name: string) => ({ namespace: server.namespace, name });
const read = async (name: string) => (await server.client.get(sparseInferenceServices, keyOf(name)))!;
const deploymentOf = (name: string) => server.client.get(deployments, keyOf(`${name}-server`));
const canaryOf = (name: string) => server.client.get(deployments, keyOf(`${name}-canary`));
const revisionIn = (deployment: Deployment | undefined) =>
  deployment?.spec?.template.metadata?.labels?.[labels.revision];
const engineIn = (deployment: Deployment | undefined) => {
  const env = deployment?.spec?.template.spec?.containers[0]?.env ?? [];
  return JSON.parse(env.find(({ name }) => name === 'SPARSEDM_ENGINE')?.value ?? '{}') as { steps?: number };
};

/** Steps that take no time but for the requests they need. */
const rollout = {
  strategy: 'Canary',
  canary: {
    steps: [
      { weight: 25, holdSeconds: 0 },
      { weight: 50, holdSeconds: 0 },
    ],
    analysis: { maxErrorRatePercent: 10, maxLatencyIncreasePercent: 50, minRequests: 5 },
  },
};

const patchSpec = (name: string, spec: Changes, annotations?: Record<string, string>) =>
  mergeSpec(server, sparseInferenceServices, name, spec, annotations);

/** Plays the Deployment controller: all pods of the template are available. */
async function rollOut(deployment: Deployment | undefined): Promise<void> {
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

/** A gateway that counts. */
class Gateway {
  readonly #counted = new Map<string, Counted>();

  constructor(readonly name: string) {}

  async tell(
    sent: Record<string, { requests: number; failed?: number; seconds?: number }> = {},
  ): Promise<void> {
    for (const [revision, { requests, failed = 0, seconds = 1 }] of Object.entries(sent)) {
      const before = this.#counted.get(revision);
      const answered = requests - failed;
      this.#counted.set(revision, {
        requests: (before?.requests ?? 0) + requests,
        failed: (before?.failed ?? 0) + failed,
        latency: {
          count: (before?.latency.count ?? 0) + answered,
          sumSeconds: (before?.latency.sumSeconds ?? 0) + answered * seconds,
        },
      });
    }
    const uid = (await read(this.name)).metadata.uid!;
    const revisions = Object.fromEntries(this.#counted);
    tally.hear(`${server.namespace}/${this.name}`, uid, { gateway: 'g', revisions });
  }
}

async function waitFor(
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

const phaseIs =
  (phase: string, step?: number) =>
  ({ status }: SparseInferenceService) =>
    status?.rollout?.phase === phase && (step === undefined || status.rollout.step === step);
const reasonIs = (type: string, reason: string) => (one: SparseInferenceService) =>
  conditionOf(one, type)?.reason === reason;

/** Both Deployments' controllers. */
async function playControllers({ metadata: { name } }: SparseInferenceService): Promise<void> {
  await rollOut(await deploymentOf(name));
  await rollOut(await canaryOf(name));
}

/** A service of `steps: 10` that serves. */
async function serve(name: string, spec: Changes = {}): Promise<SparseInferenceService> {
  const made = service(name, server.namespace, { replicas: 4, engine: { steps: 10 }, rollout, ...spec });
  await server.client.create(sparseInferenceServices, made, { fieldManager: 'test' });
  return waitFor(name, playControllers, ({ status }) => status?.revisions?.length === 1);
}

async function report(name: string, pod: Pod, topic: string, body: object): Promise<void> {
  const answer = await fetch(`${operator.reportsUrl}/v1/services/${server.namespace}/${name}/${topic}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await podToken(server, pod)}` },
    body: JSON.stringify(body),
  });
  expect(`${topic} ${answer.status}`).toMatch(/ 20[04]$/);
}

type OperatorEvent = { reason: string; note: string; regarding: { name: string } };

async function eventsOf(name: string): Promise<OperatorEvent[]> {
  const { items } = await server.transport.request<{ items: OperatorEvent[] }>({
    method: 'GET',
    path: `/apis/events.k8s.io/v1/namespaces/${server.namespace}/events`,
  });
  return items.filter(({ regarding }) => regarding.name === name);
}

const sent = (
  one: SparseInferenceService,
  canary: { requests: number; failed?: number; seconds?: number },
) => {
  const { revision = '', from = '' } = one.status?.rollout ?? {};
  return { [revision]: canary, [from]: { requests: 10 } };
};

describe('a canary', () => {
  it('walks its steps beside what serves, takes its place, and ends', async () => {
    const before = await serve('walks');
    const first = before.status?.revisions?.[0]?.name;
    const stable = await deploymentOf('walks');
    await patchSpec('walks', { engine: { steps: 20 } });

    const begun = await waitFor('walks', () => Promise.resolve(), phaseIs('Progressing', 0));
    const canary = await eventually(async () => (await canaryOf('walks')) ?? false);
    const second = begun.status?.rollout?.revision;
    expect(begun.status?.rollout).toMatchObject({ strategy: 'Canary', from: first, weightPercent: 0 });
    expect(begun.status?.traffic?.canary).toEqual({ revision: second, weightPercent: 0 });
    expect(conditionOf(begun, 'UpToDate')).toMatchObject({ status: 'Unknown', reason: 'Canary' });
    expect(conditionOf(begun, 'Ready')?.status).toBe('True');
    expect(conditionOf(begun, 'Reconciling')?.status).toBe('True');
    expect(canary.spec?.replicas).toBe(1);
    expect(engineIn(canary).steps).toBe(20);
    expect(revisionIn(canary)).toBe(second);
    const own = canary.spec?.template.metadata?.labels as Record<string, string>;
    const selector = Object.entries(stable?.spec?.selector.matchLabels ?? {});
    expect(selector.every(([key, value]) => own[key] === value)).toBe(false);
    expect(own[labels.service]).toBe('walks');

    const gateway = new Gateway('walks');
    const one = await waitFor('walks', playControllers, phaseIs('Progressing', 1));
    expect(one.status?.traffic?.canary).toEqual({ revision: second, weightPercent: 25 });
    expect((await deploymentOf('walks'))?.spec?.template).toEqual(stable?.spec?.template);
    await gateway.tell();
    // Told once: what came later would count for the next step.
    await gateway.tell(sent(one, { requests: 10 }));
    const isHalf = ({ status }: SparseInferenceService) => status?.traffic?.canary?.weightPercent === 50;
    await waitFor('walks', playControllers, isHalf);
    expect((await canaryOf('walks'))?.spec?.replicas).toBe(2);
    expect((await deploymentOf('walks'))?.spec?.template).toEqual(stable?.spec?.template);

    const promoting = await waitFor(
      'walks',
      (now) => gateway.tell(sent(now, { requests: 10 })),
      phaseIs('Promoting'),
    );
    expect(promoting.status?.traffic?.canary?.weightPercent).toBeGreaterThanOrEqual(50);
    await eventually(async () => engineIn(await deploymentOf('walks')).steps === 20);
    expect(await canaryOf('walks')).toBeDefined();
    const done = await waitFor('walks', playControllers, phaseIs('Complete'));
    expect(await canaryOf('walks')).toBeUndefined();
    expect(done.status?.traffic?.canary).toBeUndefined();
    expect(conditionOf(done, 'UpToDate')).toMatchObject({ status: 'True', reason: 'UpToDate' });
    expect(done.status?.revisions).toMatchObject([
      { number: 1, name: first, model: 'pvc://models/shirts', image: 'sparsedm/serving:test' },
      { number: 2, name: second, changed: 'engine.steps' },
    ]);
    await eventually(async () => {
      const told = (await eventsOf('walks')).map(({ reason }) => reason);
      return ['CanaryStarted', 'CanaryStep', 'CanaryPassed', 'CanaryEnds', 'CanaryEnded'].every((reason) =>
        told.includes(reason),
      );
    });
  });

  it.each([
    [
      'fails',
      { requests: 10, failed: 4 },
      /4 of its 10 requests failed \(40 %, bound 10 %\), and 0 of 10 of/,
    ],
    ['slows', { requests: 10, seconds: 2 }, /Its mean latency is 2 s, \+100 % against 1 s \(bound \+50 %\)/],
  ])(
    'that %s is rolled back by itself, and tried again on request alone',
    async (name, canary, wantWords) => {
      await serve(name);
      const stable = await deploymentOf(name);
      await patchSpec(name, { engine: { steps: 20 } });
      const gateway = new Gateway(name);
      await waitFor(name, playControllers, phaseIs('Progressing', 1));
      await gateway.tell();
      const one = await read(name);
      await gateway.tell(sent(one, canary));
      const seen = await waitFor(name, playControllers, phaseIs('RolledBack'));
      expect(seen.status?.rollout?.message).toMatch(wantWords);
      expect(seen.status?.rollout?.message).toContain('rolled back at step 1 of 2 (25 %)');
      expect(seen.status?.traffic?.canary).toBeUndefined();
      expect(conditionOf(seen, 'UpToDate')).toMatchObject({ status: 'False', reason: 'RolledBack' });
      expect(conditionOf(seen, 'UpToDate')?.message).toContain('kubectl annotate');
      expect(conditionOf(seen, 'Stalled')?.status).toBe('True');
      expect(conditionOf(seen, 'Ready')?.status).toBe('True');
      expect(seen.status?.phase).toBe('Degraded');
      expect(await canaryOf(name)).toBeUndefined();
      expect((await deploymentOf(name))?.spec?.template).toEqual(stable?.spec?.template);
      const told = await eventually(
        async () => (await eventsOf(name)).find(({ reason }) => reason === 'RolledBack') ?? false,
      );
      expect(told.note).toMatch(wantWords);

      await restart();
      await patchSpec(name, { replicas: 3 });
      await waitFor(name, playControllers, ({ status }) => status?.readyReplicas === 3);
      expect((await read(name)).status?.rollout?.phase).toBe('RolledBack');
      expect(await canaryOf(name)).toBeUndefined();

      await patchSpec(name, {}, { 'sparsedm.io/restarted-at': 'now' });
      const again = await waitFor(name, playControllers, phaseIs('Progressing'));
      expect(again.status?.rollout?.revision).not.toBe(seen.status?.rollout?.revision);
    },
  );

  it('comes to its end with an operator that starts anew at every step', async () => {
    await serve('restarts');
    await patchSpec('restarts', { engine: { steps: 20 } });
    const gateway = new Gateway('restarts');
    const seen: string[] = [];
    await waitFor(
      'restarts',
      async (now) => {
        const { phase, step, weightPercent } = now.status?.rollout ?? {};
        const place = `${phase} ${step} ${phase === 'Promoting' ? '' : weightPercent}`;
        if (seen.at(-1) !== place) {
          seen.push(place);
          await restart();
          await gateway.tell();
        }
        await playControllers(now);
        if (step !== 0) await gateway.tell(sent(now, { requests: 6 }));
      },
      (one) => phaseIs('Complete')(one) && one.status?.revisions?.length === 2,
      60_000,
    );
    expect(seen.filter((place) => !place.startsWith('Complete'))).toEqual(
      expect.arrayContaining(['Progressing 0 0', 'Progressing 1 25']),
    );
    expect(seen.length).toBeGreaterThanOrEqual(4);
    expect(engineIn(await deploymentOf('restarts')).steps).toBe(20);
    expect(await canaryOf('restarts')).toBeUndefined();
  });

  it('gives way to a newer version, and never are there three', async () => {
    await serve('newer');
    await patchSpec('newer', { engine: { steps: 20 } });
    await waitFor('newer', playControllers, phaseIs('Progressing', 1));
    const [canary] = [await canaryOf('newer')];
    // It ends slowly.
    const pod = await createServingPod(server, canary!, 'slow');
    await patchSpec('newer', { engine: { steps: 30 } });
    await eventually(async () => (await canaryOf('newer')) === undefined);
    const held = await waitFor('newer', playControllers, phaseIs('Withdrawing'));
    expect(held.status?.traffic?.canary?.weightPercent).toBe(0);
    expect(engineIn(await deploymentOf('newer')).steps).toBe(10);
    await server.client.delete(pods, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    await waitFor('newer', playControllers, phaseIs('Progressing', 1));
    expect(engineIn(await canaryOf('newer')).steps).toBe(30);
    expect(engineIn(await deploymentOf('newer')).steps).toBe(10);
    await eventually(async () =>
      (await eventsOf('newer')).some(({ reason }) => reason === 'CanaryWithdrawn'),
    );
  });

  it('whose pods are not ready in time is rolled back, and says what they lack', async () => {
    await serve('late', { rollout: { ...rollout, progressDeadlineSeconds: 10 } });
    await patchSpec('late', { engine: { steps: 20 } });
    const canary = await eventually(async () => (await canaryOf('late')) ?? false);
    expect(canary.spec?.progressDeadlineSeconds).toBe(10);
    const pod = await createServingPod(server, canary, 'a');
    const message = '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.';
    await writeStatus(server, pods, pod, {
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
    const noPods = async () => rollOut(await deploymentOf('late'));
    const waits = await waitFor(
      'late',
      noPods,
      ({ status }) => status?.rollout?.message.includes(message) === true,
    );
    expect(waits.status?.rollout?.message).toContain('0 of the 1 pods');
    const rolling = await waitFor('late', noPods, phaseIs('RollingBack'));
    expect(rolling.status?.rollout?.message).toContain('within 10 s');
    expect(rolling.status?.rollout?.message).toContain(message);
    await eventually(async () => (await canaryOf('late')) === undefined);
    await server.client.delete(pods, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    await waitFor('late', noPods, phaseIs('RolledBack'));
  });

  it('waits for requests, says so, and writes nothing meanwhile', async () => {
    await serve('quiet');
    await patchSpec('quiet', { engine: { steps: 20 } });
    const isWaiting = ({ status }: SparseInferenceService) =>
      status?.rollout?.message.includes('0 of the 5 of minRequests') === true;
    await waitFor('quiet', playControllers, isWaiting);
    const writes = async () =>
      (await writesOf(userAgent, server.namespace)).filter((line) => line.includes('quiet')).length;
    const looks = async () =>
      (await operator.metrics.controller.reconciles.get()).values.reduce((sum, { value }) => sum + value, 0);
    const [before, looked] = [await writes(), await looks()];
    await eventually(async () => (await looks()) >= looked + 6, { timeoutMs: 20_000 });
    expect(await writes()).toBe(before);
  });

  it('counts on where an operator that ended had come to', async () => {
    await serve('counts');
    await patchSpec('counts', { engine: { steps: 20 } });
    const gateway = new Gateway('counts');
    const one = await waitFor('counts', playControllers, phaseIs('Progressing', 1));
    await gateway.tell();
    await gateway.tell(sent(one, { requests: 4 }));
    const isKept = ({ status }: SparseInferenceService) => status?.rollout?.counted?.canary.requests === 4;
    const kept = await waitFor('counts', playControllers, isKept);
    expect(kept.status?.rollout?.counted).toEqual({
      canary: { requests: 4, failed: 0, answered: 4, answerMilliseconds: 4_000 },
      stable: { requests: 10, failed: 0, answered: 10, answerMilliseconds: 10_000 },
    });
    await restart();
    await gateway.tell();
    const { revision = '' } = one.status?.rollout ?? {};
    // With one more there are the 5 of minRequests.
    await gateway.tell({ [revision]: { requests: 1 } });
    const passed = await waitFor('counts', playControllers, phaseIs('Progressing', 2));
    expect(passed.status?.rollout?.counted).toBeUndefined();
  });

  it('may report like every other pod of its service, but not what the engine of the serving version is', async () => {
    await serve('reports');
    const stable = await createServingPod(server, (await deploymentOf('reports'))!, 'a');
    await report('reports', stable, 'engine', { engine: { backend: 'cusparselt' } });
    await patchSpec('reports', { engine: { steps: 20 } });
    const canary = await eventually(async () => (await canaryOf('reports')) ?? false);
    const pod = await createServingPod(server, canary, 'a');
    const message = 'no node yet';
    await writeStatus(server, pods, pod, {
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
    // By then the operator's cache holds the pod.
    await waitFor(
      'reports',
      () => Promise.resolve(),
      ({ status }) => status?.rollout?.message.includes(message) === true,
    );
    await report('reports', pod, 'load', {
      requests: 0,
      queuedImages: 0,
      denoisingSeconds: 0,
      offeredLoad: 0,
    });
    const gate = {
      uri: '/models/shirts',
      bounds: '{}',
      passed: true,
      reason: 'X',
      message: 'Of the canary.',
    };
    await report('reports', pod, 'engine', { engine: { backend: 'dense' }, gate });
    const seen = await waitFor(
      'reports',
      () => Promise.resolve(),
      ({ status }) => status?.gate?.message === 'Of the canary.',
    );
    expect(seen.status?.engine?.backend).toBe('cusparselt');
  });

  it('does not begin while there is no gateway, says so, and begins when there is one', async () => {
    await serve('alone');
    await restartWithoutGateway();
    await patchSpec('alone', { engine: { steps: 20 } });
    const refused = await waitFor('alone', playControllers, reasonIs('UpToDate', 'NoGateway'));
    const remedy = 'install the chart with gateway.enabled=true';
    expect(conditionOf(refused, 'UpToDate')?.status).toBe('False');
    expect(conditionOf(refused, 'UpToDate')?.message).toContain(remedy);
    expect(conditionOf(refused, 'GatewayReady')?.message).toContain(remedy);
    expect(conditionOf(refused, 'Stalled')).toMatchObject({ status: 'True', reason: 'NoGateway' });
    expect(conditionOf(refused, 'Ready')?.status).toBe('True');
    expect(await canaryOf('alone')).toBeUndefined();
    expect(engineIn(await deploymentOf('alone')).steps).toBe(10);
    await restart();
    const begun = await waitFor('alone', playControllers, phaseIs('Progressing', 1));
    expect(conditionOf(begun, 'GatewayReady')).toMatchObject({ status: 'True', reason: 'ThroughGateway' });
    expect(conditionOf(begun, 'Stalled')).toBeUndefined();
  });

  it('that is ready, and whose gateway stays away, is rolled back at the deadline', async () => {
    await serve('divided', { rollout: { ...rollout, progressDeadlineSeconds: 20 } });
    await patchSpec('divided', { engine: { steps: 20 } });
    await waitFor('divided', playControllers, phaseIs('Progressing', 1));
    await tellGateway('False');
    try {
      const seen = await waitFor('divided', playControllers, phaseIs('RolledBack'), 40_000);
      expect(seen.status?.rollout?.message).toContain(
        'at step 1 of 2 (25 %): no requests went through the gateway, which divides them, within 20 s.',
      );
      expect(conditionOf(seen, 'Ready')?.status).toBe('True');
    } finally {
      await tellGateway('True');
    }
  });

  it('is not taken for a service without anything to compare it with', async () => {
    await server.client.create(
      sparseInferenceServices,
      service('broken', server.namespace, { engine: { steps: 10 }, rollout }),
      { fieldManager: 'test' },
    );
    await eventually(async () => (await deploymentOf('broken')) ?? false);
    await patchSpec('broken', { engine: { steps: 20 } });
    await eventually(async () => engineIn(await deploymentOf('broken')).steps === 20);
    expect(await canaryOf('broken')).toBeUndefined();
  });
});

describe('an earlier version', () => {
  const rolling = { rollout: { strategy: 'RollingUpdate' } };

  async function serveSteps(
    name: string,
    steps: number,
    spec: Changes = {},
  ): Promise<SparseInferenceService> {
    await patchSpec(name, { engine: { steps }, ...spec });
    await eventually(async () => engineIn(await deploymentOf(name)).steps === steps);
    return waitFor(name, playControllers, (one) => {
      const { observedGeneration, revisions, rollout: at } = one.status ?? {};
      const listed = revisions?.some((each) => each.name === at?.revision) === true;
      return observedGeneration === one.metadata.generation && at?.phase === 'Complete' && listed;
    });
  }

  it('comes back by its number, serves while undoTo stays, and goes with it', async () => {
    await serve('undone', rolling);
    const first = await deploymentOf('undone');
    await serveSteps('undone', 20, { server: { env: [{ name: 'A', value: '1' }] } });
    const three = await serveSteps('undone', 30);
    expect(three.status?.revisions?.map(({ number, changed }) => [number, changed])).toEqual([
      [1, undefined],
      [2, 'engine.steps, server'],
      [3, 'engine.steps'],
    ]);

    await patchSpec('undone', { rollout: { undoTo: 1 } });
    await eventually(async () => engineIn(await deploymentOf('undone')).steps === 10);
    const back = await waitFor('undone', playControllers, phaseIs('Complete'));
    expect((await deploymentOf('undone'))?.spec?.template).toEqual(first?.spec?.template);
    expect(conditionOf(back, 'UpToDate')?.status).toBe('True');
    const numbers = back.status?.revisions?.map(({ number }) => number);
    expect(numbers).toEqual([1, 2, 3]);

    await restart();
    await patchSpec('undone', { replicas: 2 });
    await waitFor('undone', playControllers, ({ status }) => status?.readyReplicas === 2);
    expect(engineIn(await deploymentOf('undone')).steps).toBe(10);

    await patchSpec('undone', { rollout: { undoTo: null } });
    await eventually(async () => engineIn(await deploymentOf('undone')).steps === 30);
    const ahead = await waitFor('undone', playControllers, phaseIs('Complete'));
    expect(ahead.status?.revisions?.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  it('of which nothing is kept is asked for in vain, and what serves goes on', async () => {
    await serve('unknown', rolling);
    await patchSpec('unknown', { rollout: { undoTo: 7 } });
    const seen = await waitFor('unknown', playControllers, reasonIs('UpToDate', 'RevisionNotFound'));
    expect(conditionOf(seen, 'UpToDate')?.message).toContain('there are 1');
    expect(conditionOf(seen, 'Ready')?.status).toBe('True');
    expect(conditionOf(seen, 'Stalled')?.status).toBe('True');
    expect(engineIn(await deploymentOf('unknown')).steps).toBe(10);
    await patchSpec('unknown', { rollout: { undoTo: null } });
    await waitFor('unknown', playControllers, reasonIs('UpToDate', 'UpToDate'));
  });

  it('is forgotten beyond the limit, with its ControllerRevision', async () => {
    await serve('limited', { rollout: { revisionHistoryLimit: 1 } });
    await serveSteps('limited', 20);
    const { status } = await serveSteps('limited', 30);
    expect(status?.revisions?.map(({ number }) => number)).toEqual([2, 3]);
    const stored = await server.client.list(controllerRevisions, {
      namespace: server.namespace,
      labelSelector: 'sparsedm.io/service=limited',
    });
    const names = status?.revisions?.map(({ name }) => name) ?? [];
    expect(stored.map(({ metadata }) => metadata.name).sort()).toEqual([...names].sort());
    expect(stored.map(({ revision }) => revision).sort()).toEqual([2, 3]);
  });

  it('comes back without the steps of a canary, and withdraws one', async () => {
    await serve('hurry', rolling);
    await serveSteps('hurry', 20);
    await patchSpec('hurry', { rollout, engine: { steps: 30 } });
    await waitFor('hurry', playControllers, phaseIs('Progressing', 1));
    await patchSpec('hurry', { rollout: { undoTo: 1 } });
    await eventually(
      async () => {
        await playControllers(await read('hurry'));
        return engineIn(await deploymentOf('hurry')).steps === 10;
      },
      { timeoutMs: 20_000 },
    );
    await waitFor('hurry', playControllers, phaseIs('Complete'));
    expect(await canaryOf('hurry')).toBeUndefined();
  });
});

type Slice = { metadata: { name: string }; endpoints?: unknown[] };

async function gatewaySlicesOf(name: string): Promise<Slice[]> {
  const found = await server.client.list(endpointSlices, {
    namespace: server.namespace,
    labelSelector: `kubernetes.io/service-name=${name},endpointslice.kubernetes.io/managed-by=sparsedm.io`,
  });
  return found;
}

describe('a gap of a rollout', () => {
  it('opens only once the Service leads to the gateway, which goes when a pod serves again', async () => {
    await serve('gap', { replicas: 1, rollout: { strategy: 'Recreate' } });
    const pod = await createServingPod(server, (await deploymentOf('gap'))!, 'a');
    const tell = (status: 'True' | 'False') =>
      writeStatus(server, pods, pod, { phase: 'Running', conditions: [{ type: 'Ready', status }] });
    await tell('True');
    const sees = (steps: number) => async () => engineIn(await deploymentOf('gap')).steps === steps;
    await eventually(async () => (await gatewaySlicesOf('gap')).length === 0, { timeoutMs: 30_000 });
    await patchSpec('gap', { engine: { steps: 20 } });
    const slice = await eventually(async () => (await gatewaySlicesOf('gap'))[0] ?? false, {
      timeoutMs: 30_000,
    });
    expect(slice.endpoints).toHaveLength(1);
    expect(await sees(10)()).toBe(true);
    await eventually(sees(20), { timeoutMs: 30_000 });
    await tell('False');
    const isHeld = ({ status }: SparseInferenceService) => status?.traffic?.mode === 'Gateway';
    await waitFor('gap', () => Promise.resolve(), isHeld);
    await tell('True');
    await waitFor('gap', playControllers, reasonIs('UpToDate', 'UpToDate'));
    await eventually(async () => (await gatewaySlicesOf('gap')).length === 0, { timeoutMs: 30_000 });
    expect((await read('gap')).status?.traffic?.mode).toBe('Direct');
  });
});

describe('the strategy', () => {
  const strategyOf = async (name: string) => (await deploymentOf(name))?.spec?.strategy;

  it('Recreate ends all pods first, and another one takes over in the middle of a service’s life', async () => {
    await serve('recreate', { rollout: { strategy: 'Recreate' } });
    expect(await strategyOf('recreate')).toEqual({ type: 'Recreate' });
    const template = (await deploymentOf('recreate'))?.spec?.template;
    await patchSpec('recreate', { rollout: { strategy: 'RollingUpdate' } });
    await eventually(async () => (await strategyOf('recreate'))?.rollingUpdate?.maxSurge === 1);
    await patchSpec('recreate', { rollout: { strategy: 'Recreate' } });
    await eventually(async () => (await strategyOf('recreate'))?.type === 'Recreate');
    expect(await strategyOf('recreate')).toEqual({ type: 'Recreate' });
    expect((await deploymentOf('recreate'))?.spec?.template).toEqual(template);
    const { status } = await read('recreate');
    expect(status?.rollout).toMatchObject({ phase: 'Complete' });
  });
});

/** Sends what a server sends with its load, as the pod itself. */
function tellQuality(name: string, pod: Pod, quality: object): Promise<void> {
  return report(name, pod, 'load', { ...NO_LOAD, quality });
}

describe('a canary that is judged by its images', () => {
  const analysis = { minRequests: 0, maxDistanceIncreasePercent: 20 };
  const judged = {
    qualityMonitor: { samplePercent: 50 },
    rollout: { strategy: 'Canary', canary: { steps: [{ weight: 50, holdSeconds: 0 }], analysis } },
  };
  const measured = { metric: 'fd-x', images: 500, window: 500, extractorDigest: 'e', referenceDigest: 'r' };

  /** A canary in its first step with a pod of its own, beside a version that was measured at 10. */
  async function begin(name: string): Promise<{ pod: Pod; revision: string; former: string }> {
    const before = await serve(name, judged);
    const former = before.status!.revisions![0]!.name;
    const serving = await createServingPod(server, (await deploymentOf(name))!, 'a');
    await tellQuality(name, serving, { ...measured, distance: '10', evaluatedDistance: '10' });
    await waitFor(name, playControllers, ({ status }) => status?.quality?.[0]?.distance === '10');
    await patchSpec(name, { engine: { steps: 20 } });
    const one = await waitFor(name, playControllers, phaseIs('Progressing', 1));
    const pod = await createServingPod(server, (await canaryOf(name))!, 'a');
    return { pod, revision: one.status!.rollout!.revision, former };
  }

  const says = (words: RegExp) => (one: SparseInferenceService) =>
    words.test(one.status?.rollout?.message ?? '');
  const endOf = (pod: Pod) => () =>
    server.client.delete(pods, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 }).catch(() => undefined);

  it('waits for their distance, and is rolled back by it', async () => {
    const { pod, revision, former } = await begin('ugly');
    const stable = await deploymentOf('ugly');
    await waitFor('ugly', playControllers, says(/Waits for the distance .* servers have not reported any/));
    const filling = { ...measured, images: 100, message: '100 of 500 images have features.' };
    await tellQuality('ugly', pod, filling);
    await waitFor('ugly', playControllers, says(/100 of 500 images have features. To go on without it/));

    await restart();
    const kept = await waitFor('ugly', playControllers, says(/100 of 500/));
    expect(kept.status?.quality?.map((one) => one.revision).sort()).toEqual([former, revision].sort());

    await tellQuality('ugly', pod, { ...measured, distance: '12.5' });
    const broken =
      /distance of its images is 12.5, against 10 of the version that serves \(\+25 %, bound \+20 %\)/;
    await waitFor('ugly', playControllers, phaseIs('RollingBack'));
    await endOf(pod)();
    const seen = await waitFor('ugly', playControllers, phaseIs('RolledBack'));
    expect(seen.status?.rollout?.message).toMatch(broken);
    expect(seen.status?.quality).toEqual([
      { revision: former, ...measured, distance: '10', evaluatedDistance: '10', pods: 1 },
    ]);
    expect((await deploymentOf('ugly'))?.spec?.template).toEqual(stable?.spec?.template);
    const told = await eventually(
      async () => (await eventsOf('ugly')).find(({ reason }) => reason === 'RolledBack') ?? false,
    );
    expect(told.note).toMatch(broken);
  });

  it('takes its place where they are as good', async () => {
    const { pod, revision } = await begin('fine');
    await tellQuality('fine', pod, { ...measured, distance: '11', evaluatedDistance: '10.5' });
    const promoting = await waitFor('fine', playControllers, phaseIs('Promoting'));
    expect(promoting.status?.rollout?.message).toMatch(/is 11, against 10.5 of its own evaluation/);
    const ends = (one: SparseInferenceService) => Promise.all([playControllers(one), endOf(pod)()]);
    const done = await waitFor('fine', ends, phaseIs('Complete'));
    expect(done.status?.rollout?.revision).toBe(revision);
  });
});

describe('a service whose images get worse', () => {
  it('says so in a condition and an event, and serves on', async () => {
    const monitor = { samplePercent: 10, maxDistanceIncreasePercent: 20 };
    await serve('worse', {
      qualityMonitor: monitor,
      rollout: { strategy: 'RollingUpdate', canary: undefined },
    });
    const pod = await createServingPod(server, (await deploymentOf('worse'))!, 'a');
    const quality = { metric: 'fd-x', images: 500, window: 500, evaluatedDistance: '10' };
    const tell = (distance: string) => tellQuality('worse', pod, { ...quality, distance });
    await tell('10.4');
    await waitFor('worse', playControllers, reasonIs('QualityMaintained', 'WithinBounds'));
    await tell('14');
    const seen = await waitFor('worse', playControllers, reasonIs('QualityMaintained', 'QualityDegraded'));
    expect(seen.status?.phase).toBe('Degraded');
    expect(conditionOf(seen, 'Ready')?.status).toBe('True');
    expect(conditionOf(seen, 'Stalled')).toBeUndefined();
    const told = await eventually(
      async () => (await eventsOf('worse')).find(({ reason }) => reason === 'QualityDegraded') ?? false,
    );
    expect(told.note).toContain("is 14, and that of the model's evaluation 10, above the bound of +20 %");
    await patchSpec('worse', { qualityMonitor: null });
    const off = await waitFor('worse', playControllers, ({ status }) => status?.quality === undefined);
    expect(conditionOf(off, 'QualityMaintained')).toBeUndefined();
  });
});
