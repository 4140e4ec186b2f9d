/** Scaling by KEDA and by a HorizontalPodAutoscaler against the real API server, with KEDA's own CRDs. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { NO_LOAD } from '../../src/autoscale/load';
import { buildHorizontalPodAutoscaler } from '../../src/inference/hpa';
import { buildAuthentication, buildScaledObject } from '../../src/inference/keda';
import { SLICE_MANAGER } from '../../src/inference/slices';
import { scaledObjects, triggerAuthentications } from '../../src/kube/keda';
import { ownerReference } from '../../src/kube/owner';
import {
  configMaps,
  deployments,
  endpointSlices,
  horizontalPodAutoscalers,
  pods,
  type Pod,
} from '../../src/kube/resources';
import { objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { eventually, openApiServer, waitForObject, type ApiServer } from './harness';
import {
  conditionOf,
  createAccount,
  startOperator,
  writeStatus,
  type RunningOperator,
  mergeSpec,
} from './operator';
import { followReplicas, podToken } from './serving';
import { installDefinitions } from './setup';
import { service, type Changes } from './specs';

const kedaCrds = path.join(import.meta.dirname, '../interop/crds');
const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
};

let server: ApiServer;
let operator: RunningOperator;

beforeAll(async () => {
  server = await openApiServer();
  await createAccount(server, server.namespace);
  operator = await startOperator(server, { keda: true });
});
afterAll(async () => {
  await operator.stop();
  await server.close();
});

const keyOf = (name: string) => ({ namespace: server.namespace, name });

function create(name: string, spec: Changes): Promise<SparseInferenceService> {
  return server.client.create(sparseInferenceServices, service(name, server.namespace, spec), {
    fieldManager: 'test',
  });
}

const patchSpec = (name: string, spec: Changes) => mergeSpec(server, sparseInferenceServices, name, spec);

const serviceWhere = (name: string, meets: (one: SparseInferenceService) => boolean) =>
  waitForObject(server, sparseInferenceServices, keyOf(name), meets);
const find = <T extends KubeObject>(resource: Resource<T>, name: string) =>
  eventually(async () => (await server.client.get(resource, keyOf(name))) ?? false);
const isGone = (resource: Resource, name: string) =>
  eventually(async () => (await server.client.get(resource, keyOf(name))) === undefined);
const replicasOf = async (name: string) => (await find(deployments, `${name}-server`)).spec?.replicas;

async function askNeed(name: string, token?: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${operator.reportsUrl}/v1/services/${server.namespace}/${name}/need`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  return { status: response.status, body: await response.json() };
}

async function kubectlScale(name: string, replicas: number): Promise<void> {
  await server.transport.request({
    method: 'PATCH',
    path: `${objectPath(sparseInferenceServices, keyOf(name))}/scale`,
    contentType: 'application/merge-patch+json',
    body: { spec: { replicas } },
  });
}

async function tell(pod: Pod | undefined, name: string, topic: 'load' | 'demand', body: object) {
  const response = await fetch(`${operator.reportsUrl}/v1/services/${server.namespace}/${name}/${topic}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await podToken(server, pod)}` },
    body: JSON.stringify(body),
  });
  return response.json();
}

const tokenOf = async (name: string) => (await find(configMaps, `${name}-scaler`)).data!['token']!;

describe('a service with engine: keda', () => {
  it('says what to set where scaling by KEDA is off', async () => {
    await operator.stop();
    operator = await startOperator(server);
    await create('off', { scaling: { engine: 'keda', maxReplicas: 4 } });
    await serviceWhere('off', (one) => conditionOf(one, 'ScalingActive')?.reason === 'KedaOff');
    await operator.stop();
    operator = await startOperator(server, { keda: true });
  });

  it('says what to install where KEDA is not, and keeps its pods', async () => {
    await create('lonely', { replicas: 2, scaling: { engine: 'keda', maxReplicas: 4 } });
    const { status } = await serviceWhere(
      'lonely',
      (one) => conditionOf(one, 'ScalingActive')?.reason === 'KindMissing',
    );
    expect(conditionOf({ status } as SparseInferenceService, 'ScalingActive')).toMatchObject({
      status: 'False',
    });
    expect(status?.conditions?.find(({ type }) => type === 'ScalingActive')?.message).toMatch(
      /install KEDA .*The number of pods stays 2/,
    );
    expect(await replicasOf('lonely')).toBe(2);
  });

  it('takes over the number of pods without a jump, and follows what KEDA writes', async () => {
    await installDefinitions(server.transport, kedaCrds);
    await operator.stop();
    operator = await startOperator(server, { keda: true });
    await create('handed', { replicas: 1, scaling: { minReplicas: 3, maxReplicas: 5 } });
    await eventually(async () => (await replicasOf('handed')) === 3);
    await serviceWhere('handed', ({ status }) => status?.scalingEngine === 'builtin');

    await patchSpec('handed', { scaling: { engine: 'keda', minReplicas: 1 } });
    const scaled = await find(scaledObjects, 'handed-scaler');
    const current = await server.client.get(sparseInferenceServices, keyOf('handed'));
    expect(current?.spec.replicas).toBe(3);
    expect(await replicasOf('handed')).toBe(3);
    // KEDA's HorizontalPodAutoscaler writes through the scale subresource.
    await kubectlScale('handed', 5);
    await eventually(async () => (await replicasOf('handed')) === 5);

    // As they are stored, nothing is pruned; as they are owned, they go with the service.
    const owner = (await server.client.get(sparseInferenceServices, keyOf('handed')))!;
    expect(scaled.metadata.ownerReferences).toEqual([ownerReference(owner)]);
    const url = 'http://sparsedm-operator.sparsedm-system.svc:8082';
    expect(scaled.spec).toEqual(buildScaledObject(owner, url)?.spec);
    const authentication = await find(triggerAuthentications, 'handed-scaler');
    expect(authentication.spec).toEqual(buildAuthentication(owner)?.spec);

    await patchSpec('handed', { scaling: { engine: 'builtin' } });
    for (const resource of [scaledObjects, triggerAuthentications, configMaps]) {
      await isGone(resource, 'handed-scaler');
    }
    expect(await replicasOf('handed')).toBe(5);
  });

  it('tells KEDA the load, and nobody else', async () => {
    await create('asked', {
      replicas: 1,
      scaling: { engine: 'keda', maxReplicas: 4, target: { concurrency: 4 } },
    });
    const token = await tokenOf('asked');
    expect(await askNeed('asked')).toMatchObject({ status: 401 });
    expect(await askNeed('asked', 'x'.repeat(32))).toMatchObject({ status: 401 });
    expect(await askNeed('nobody', token)).toMatchObject({ status: 401 });

    const [pod] = await followReplicas(server, await find(deployments, 'asked-server'));
    // Until its first report is due, it counts as one at its target.
    expect(await askNeed('asked', token)).toEqual({ status: 200, body: { value: 4 } });

    expect(await tell(pod, 'asked', 'load', { ...NO_LOAD, requests: 10 })).toMatchObject({ everySeconds: 2 });
    expect(await askNeed('asked', token)).toEqual({ status: 200, body: { value: 10 } });
    // It only tells: the number of pods stays KEDA's.
    expect(await replicasOf('asked')).toBe(1);
  });
});

describe('a service that KEDA may scale to zero', () => {
  const scaling = {
    engine: 'keda',
    minReplicas: 0,
    maxReplicas: 4,
    target: { concurrency: 4 },
    idleSeconds: 10,
  };

  it('keeps a pod without a gateway, whatever KEDA writes, and says why', async () => {
    await create('sleepless', { replicas: 1, scaling });
    const scaled = await find(scaledObjects, 'sleepless-scaler');
    await writeStatus(server, scaledObjects, scaled, {
      conditions: [{ type: 'Ready', status: 'True', reason: 'ScaledObjectReady', message: 'ready' }],
    });
    await kubectlScale('sleepless', 0);
    const { status } = await serviceWhere(
      'sleepless',
      (one) =>
        one.status?.observedGeneration === one.metadata.generation &&
        conditionOf(one, 'ScalingActive')?.reason === 'NoGateway',
    );
    expect(status?.desiredReplicas).toBe(1);
    expect(await replicasOf('sleepless')).toBe(1);
  });

  it('sleeps once the way to the gateway is open, and wakes for a request before KEDA has looked', async () => {
    const selector = 'app.kubernetes.io/component=gateway';
    const gateway = await server.client.create(
      pods,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: 'gateway',
          namespace: server.namespace,
          labels: { 'app.kubernetes.io/component': 'gateway' },
        },
        spec: { containers: [{ name: 'gateway', image: 'gateway' }] },
      },
      { fieldManager: 'test' },
    );
    await writeStatus(server, pods, gateway, {
      phase: 'Running',
      podIPs: [{ ip: '10.0.0.9' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    });
    await operator.stop();
    const account = { namespace: server.namespace, name: 'default', selector };
    operator = await startOperator(server, { keda: true, gateway: account });
    const name = 'sleeper';
    await create(name, { replicas: 1, scaling });
    const owner = (await server.client.get(sparseInferenceServices, keyOf(name)))!;
    const url = 'http://sparsedm-operator.sparsedm-system.svc:8082';
    const { spec } = await find(scaledObjects, `${name}-scaler`);
    expect(spec).toEqual(buildScaledObject(owner, url)?.spec);
    expect(spec).toMatchObject({ minReplicaCount: 0, cooldownPeriod: 10, initialCooldownPeriod: 10 });
    const token = await tokenOf(name);
    const deployment = await find(deployments, `${name}-server`);
    const readOne = async () => (await server.client.get(sparseInferenceServices, keyOf(name)))!;
    /** Lets the controllers and the pods do their part until the service is as expected. */
    const playUntil = (requests: number, meets: (one: SparseInferenceService) => boolean) =>
      eventually(
        async () => {
          for (const pod of await followReplicas(server, deployment)) {
            await tell(pod, name, 'load', { ...NO_LOAD, requests });
          }
          const one = await readOne();
          return meets(one) ? one : false;
        },
        { timeoutMs: 60_000, intervalMs: 700 },
      );
    const readyFor = (reason: string) => (one: SparseInferenceService) =>
      conditionOf(one, 'Ready')?.reason === reason;

    await playUntil(2, readyFor('Serving'));
    expect(await askNeed(name, token)).toEqual({ status: 200, body: { value: 2 } });
    const usedAt = Date.now();
    await playUntil(0, () => true);
    expect(await askNeed(name, token)).toEqual({ status: 200, body: { value: 0 } });
    // KEDA, which looks every 5 s, may believe that nobody came for longer than it is so.
    await kubectlScale(name, 0);
    // The last pod ends after the service is asleep.
    const asleep = await playUntil(
      0,
      (one) => readyFor('Asleep')(one) && one.status?.traffic?.mode === 'Gateway',
    );
    expect(Date.now() - usedAt).toBeGreaterThan(10_000);
    expect(asleep).toMatchObject({ spec: { replicas: 0 }, status: { desiredReplicas: 0 } });
    const slices = await server.client.list(endpointSlices, {
      namespace: server.namespace,
      labelSelector: `endpointslice.kubernetes.io/managed-by=${SLICE_MANAGER},sparsedm.io/service=${name}`,
    });
    expect(slices.flatMap(({ endpoints }) => endpoints?.flatMap(({ addresses }) => addresses))).toEqual([
      '10.0.0.9',
    ]);
    expect(await askNeed(name, token)).toEqual({ status: 200, body: { value: 0 } });

    const demand = { gateway: 'g', revisions: {} };
    await tell(gateway, name, 'demand', { ...demand, held: 6, requests: 6 });
    await eventually(async () => (await replicasOf(name)) === 1);
    const waking = await serviceWhere(name, readyFor('Waking'));
    expect(waking.spec.replicas).toBe(0);
    expect(await askNeed(name, token)).toEqual({ status: 200, body: { value: 6 } });
    await kubectlScale(name, 2);
    const awake = await playUntil(3, (one) => one.status?.readyReplicas === 2);
    expect(conditionOf(awake, 'Ready')?.reason).toBe('Serving');
    await tell(gateway, name, 'demand', { ...demand, held: 0, requests: 0 });
    expect(await askNeed(name, token)).toEqual({ status: 200, body: { value: 6 } });
  }, 120_000);
});

describe('a service with engine: hpa', () => {
  it('has a HorizontalPodAutoscaler of its metrics, which goes with the engine', async () => {
    const metrics = [
      cpu,
      {
        type: 'Pods',
        pods: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '500m' } },
      },
      {
        type: 'Object',
        object: {
          describedObject: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'front' },
          metric: { name: 'requests' },
          target: { type: 'Value', value: '2k' },
        },
      },
      {
        type: 'External',
        external: {
          metric: { name: 'orders', selector: { matchLabels: { queue: 'shirts' } } },
          target: { type: 'AverageValue', averageValue: '30' },
        },
      },
    ];
    await create('horizontal', { replicas: 2, scaling: { engine: 'hpa', maxReplicas: 4, metrics } });
    const made = await find(horizontalPodAutoscalers, 'horizontal-scaler');
    const owner = (await server.client.get(sparseInferenceServices, keyOf('horizontal')))!;
    expect(made.metadata.ownerReferences).toEqual([ownerReference(owner)]);
    expect(made.spec).toMatchObject(buildHorizontalPodAutoscaler(owner)!.spec);
    await serviceWhere(
      'horizontal',
      (one) => conditionOf(one, 'ScalingActive')?.reason === 'WaitingForScaler',
    );
    await patchSpec('horizontal', { scaling: null });
    await isGone(horizontalPodAutoscalers, 'horizontal-scaler');
    expect(await replicasOf('horizontal')).toBe(2);
  });
});
