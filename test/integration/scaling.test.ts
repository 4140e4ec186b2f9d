/** The builtin autoscaler against the real API server; the tests report in the place of the pods. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import type { Load } from '../../src/autoscale/load';
import { deployments, type Deployment, type Pod } from '../../src/kube/resources';
import { objectPath } from '../../src/runtime/objects';
import { eventually, type ApiServer } from './harness';
import { conditionOf, startOperator, writesOf, type RunningOperator, useOperator } from './operator';
import { followReplicas, reportLoad } from './serving';
import { service, type Changes } from './specs';

let server: ApiServer;
let operator: RunningOperator;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

useOperator({ userAgent }, (opened, started) => {
  server = opened;
  operator = started;
});

const keyOf = (name: string) => ({ namespace: server.namespace, name });
/** Bursts have a minute of their own, which no test waits for. */
const scaling = {
  maxReplicas: 3,
  target: { concurrency: 4 },
  scaleDownStabilizationSeconds: 4,
  panicPercent: 1000,
};

const read = async (name: string) => (await server.client.get(sparseInferenceServices, keyOf(name)))!;
const deploymentOf = async (name: string) => (await server.client.get(deployments, keyOf(`${name}-server`)))!;
const replicasOf = async (name: string) => (await deploymentOf(name)).spec?.replicas;

async function start(name: string, spec: Changes = {}): Promise<Deployment> {
  await server.client.create(sparseInferenceServices, service(name, server.namespace, { scaling, ...spec }), {
    fieldManager: 'test',
  });
  return eventually(async () => (await deploymentOf(name)) ?? false);
}

const report = (name: string, pod: Pod, load: Partial<Load>) =>
  reportLoad(server, operator.reportsUrl, name, pod, load);

/** Plays the controllers, and lets each pod but the silent ones report, until the service is as expected. */
async function playUntil(
  name: string,
  load: Partial<Load>,
  meets: (one: SparseInferenceService, deployment: Deployment) => boolean,
  { silent = 0, timeoutMs = 40_000 } = {},
): Promise<SparseInferenceService> {
  return eventually(
    async () => {
      const live = await followReplicas(server, await deploymentOf(name));
      for (const pod of live.slice(0, live.length - silent)) {
        expect((await report(name, pod, load)).status).toBe(200);
      }
      const found = await read(name);
      return meets(found, await deploymentOf(name)) ? found : false;
    },
    { timeoutMs, intervalMs: 700 },
  );
}

const has =
  (replicas: number) =>
  ({ status }: SparseInferenceService, { spec }: Deployment) =>
    spec?.replicas === replicas && status?.desiredReplicas === replicas;

type OperatorEvent = { reason: string; note: string; regarding: { name: string } };

async function eventsOf(name: string): Promise<OperatorEvent[]> {
  const { items } = await server.transport.request<{ items: OperatorEvent[] }>({
    method: 'GET',
    path: `/apis/events.k8s.io/v1/namespaces/${server.namespace}/events`,
  });
  return items.filter(({ regarding, reason }) => regarding.name === name && reason.startsWith('Scaled'));
}

async function kubectlScale(name: string, replicas: number): Promise<void> {
  await server.transport.request({
    method: 'PATCH',
    path: `${objectPath(sparseInferenceServices, keyOf(name))}/scale`,
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas } },
  });
}

async function decisions(): Promise<number> {
  const { values } = await operator.metrics.registry
    .getSingleMetric('sparsedm_scaling_decisions_total')!
    .get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

describe('the builtin autoscaler', () => {
  it('goes from 1 to 3 and back by what the pods report, with a field manager of its own', async () => {
    const made = await start('loaded');
    expect(made.spec?.replicas).toBe(1);
    const up = await playUntil('loaded', { requests: 12 }, has(3));
    expect(conditionOf(up, 'ScalingActive')?.message).toContain('12 requests are in the replicas');
    const busy = await playUntil('loaded', { requests: 4 }, ({ status }) => status?.readyReplicas === 3);
    expect(busy.status).toMatchObject({ replicas: 3, desiredReplicas: 3 });
    expect(conditionOf(busy, 'ScalingActive')).toMatchObject({ status: 'True' });
    const scaled = await deploymentOf('loaded');
    expect(scaled.spec?.template).toEqual(made.spec?.template);
    const owned = scaled.metadata.managedFields?.find(({ manager }) => manager === 'sparsedm-scaler');
    expect(owned?.fieldsV1).toEqual({ 'f:spec': { 'f:replicas': {} } });

    const down = await playUntil('loaded', { requests: 0 }, has(1), { timeoutMs: 90_000 });
    expect(down.spec.replicas).toBe(1);
    const events = await eventually(async () => {
      const found = await eventsOf('loaded');
      return found.some(({ reason }) => reason === 'ScaledDown') && found;
    });
    const up1 = events.filter(({ reason }) => reason === 'ScaledUp');
    expect(up1).toHaveLength(1);
    expect(up1[0]?.note).toMatch(
      /^From 1 to 3 replicas\. Scales from 1 to 3: 12 requests are in the replicas/,
    );
  }, 150_000);

  it('writes nothing while nothing changes, whatever is reported', async () => {
    await start('quiet');
    await playUntil('quiet', { requests: 3 }, (one) => conditionOf(one, 'ScalingActive')?.status === 'True');
    const before = await writesOf(userAgent, server.namespace);
    const first = await decisions();
    let requests = 0;
    await eventually(
      async () => {
        const [pod] = await followReplicas(server, await deploymentOf('quiet'));
        await report('quiet', pod!, { requests: 3 + (requests++ % 2) / 2 });
        return (await decisions()) >= first + 3;
      },
      { timeoutMs: 30_000, intervalMs: 700 },
    );
    const after = await writesOf(userAgent, server.namespace);
    expect(after.slice(before.length).filter((line) => line.includes('quiet'))).toEqual([]);
  }, 60_000);

  it('keeps pods whose reports are missing', async () => {
    await start('silent');
    await playUntil('silent', { requests: 12 }, has(3));
    const first = await decisions();
    const kept = await playUntil('silent', { requests: 0 }, () => true, { silent: 2 });
    expect(kept.status?.desiredReplicas).toBe(3);
    await eventually(
      async () => {
        const [pod] = await followReplicas(server, await deploymentOf('silent'));
        await report('silent', pod!, { requests: 0.5 });
        expect(await replicasOf('silent')).toBe(3);
        return (await decisions()) >= first + 6;
      },
      { timeoutMs: 40_000, intervalMs: 700 },
    );
  }, 90_000);

  it('starts from what is there after a restart of the operator', async () => {
    await start('restarted', { scaling: { ...scaling, scaleDownStabilizationSeconds: 8 } });
    await playUntil('restarted', { requests: 12 }, has(3));
    await followReplicas(server, await deploymentOf('restarted'));
    await operator.stop();
    const restartedAt = Date.now();
    operator = await startOperator(server, { userAgent });
    await playUntil('restarted', {}, has(1));
    expect(Date.now() - restartedAt).toBeGreaterThan(8_000);
  }, 90_000);

  it('does not give way to kubectl scale, says so, and stops at 0', async () => {
    await start('manual');
    await playUntil('manual', { requests: 3 }, (one) => conditionOf(one, 'ScalingActive')?.status === 'True');
    await kubectlScale('manual', 3);
    const ignored = await playUntil(
      'manual',
      { requests: 3 },
      (one) => one.status?.observedGeneration === one.metadata.generation,
    );
    expect(ignored.spec.replicas).toBe(3);
    expect(await replicasOf('manual')).toBe(1);
    expect(conditionOf(ignored, 'ScalingActive')?.message).toContain(
      'spec.replicas, which kubectl scale writes, is without effect unless it is 0',
    );
    await kubectlScale('manual', 0);
    const stopped = await playUntil('manual', {}, has(0));
    expect(conditionOf(stopped, 'Ready')?.reason).toBe('ScaledToZero');
    await kubectlScale('manual', 2);
    await playUntil('manual', {}, has(1));
  }, 90_000);

  it('takes back replicas that were written into the Deployment', async () => {
    await start('foreign');
    await playUntil(
      'foreign',
      { requests: 3 },
      (one) => conditionOf(one, 'ScalingActive')?.status === 'True',
    );
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(deployments, keyOf('foreign-server')),
      query: { fieldManager: 'kubectl-scale' },
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas: 2 } },
    });
    await eventually(async () => (await replicasOf('foreign')) === 1);
  });

  it('gives the number back to spec.replicas when it is taken away', async () => {
    await start('given', { replicas: 2 });
    await playUntil('given', {}, has(1));
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(sparseInferenceServices, keyOf('given')),
      contentType: 'application/merge-patch+json',
      body: { spec: { scaling: { engine: 'none' } } },
    });
    const given = await eventually(async () => {
      const found = await read('given');
      return conditionOf(found, 'ScalingActive')?.reason === 'ReplicasGiven' && found;
    });
    expect(given.status?.desiredReplicas).toBe(2);
    expect(await replicasOf('given')).toBe(2);
  });
});

describe('a report of load', () => {
  it('is refused for another service’s pod, and tells a wrong field', async () => {
    const other = await start('other');
    const [pod] = await followReplicas(server, other);
    await start('mine');
    expect((await report('mine', pod!, {})).status).toBe(403);
    const wrong = await report('other', pod!, { requests: -1 });
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({
      message: 'load.requests must be a number from 0 to 1000000000.',
    });
  });
});

describe('two replicas of the operator', () => {
  it('hear loads where the leader is, and its successor starts from what is there', async () => {
    await operator.stop();
    const first = await startOperator(server, { identity: 'first' });
    operator = first;
    await start('led', { scaling: { ...scaling, scaleDownStabilizationSeconds: 8 } });
    const standby = await startOperator(server, { identity: 'second' });
    await playUntil('led', { requests: 12 }, has(3));
    const [pod] = await followReplicas(server, await deploymentOf('led'));

    operator = standby;
    const elsewhere = await report('led', pod!, {});
    expect(elsewhere.status).toBe(421);
    expect(await elsewhere.json()).toMatchObject({ code: 'NotLeader' });

    await first.stop();
    const leads = async () => (await report('led', pod!, {})).status === 200;
    await eventually(leads, { timeoutMs: 30_000 });
    const ledSince = Date.now();
    await playUntil('led', {}, has(1));
    expect(Date.now() - ledSince).toBeGreaterThan(6_000);
  }, 120_000);
});
