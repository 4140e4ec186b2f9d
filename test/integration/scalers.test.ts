/** Scaling by KEDA and by a HorizontalPodAutoscaler against the real API server, with KEDA's own CRDs. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { NO_LOAD } from '../../src/autoscale/load';
import { buildHorizontalPodAutoscaler } from '../../src/inference/hpa';
import { buildAuthentication, buildScaledObject } from '../../src/inference/keda';
import { scaledObjects, triggerAuthentications } from '../../src/kube/keda';
import { ownerReference } from '../../src/kube/owner';
import { configMaps, deployments, horizontalPodAutoscalers } from '../../src/kube/resources';
import { objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { eventually, openApiServer, waitForObject, type ApiServer } from './harness';
import { conditionOf, createAccount, startOperator, type RunningOperator, mergeSpec } from './operator';
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
    await server.transport.request({
      method: 'PATCH',
      path: `${objectPath(sparseInferenceServices, keyOf('handed'))}/scale`,
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas: 5 } },
    });
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

  it('tells KEDA the load, or that it is not known, and nobody else', async () => {
    await create('asked', {
      replicas: 1,
      scaling: { engine: 'keda', maxReplicas: 4, target: { concurrency: 4 } },
    });
    const token = await tokenOf('asked');
    expect(await askNeed('asked')).toMatchObject({ status: 401 });
    expect(await askNeed('asked', 'x'.repeat(32))).toMatchObject({ status: 401 });
    expect(await askNeed('nobody', token)).toMatchObject({ status: 401 });

    const [pod] = await followReplicas(server, await find(deployments, 'asked-server'));
    await eventually(async () => (await askNeed('asked', token)).status === 503);
    expect((await askNeed('asked', token)).body).toMatchObject({
      code: 'Unknown',
      message: expect.stringContaining('none of its pods (1) has reported') as string,
    });

    const reported = await fetch(`${operator.reportsUrl}/v1/services/${server.namespace}/asked/load`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await podToken(server, pod)}` },
      body: JSON.stringify({ ...NO_LOAD, requests: 10 }),
    });
    expect(await reported.json()).toMatchObject({ everySeconds: 2 });
    expect(await askNeed('asked', token)).toEqual({ status: 200, body: { value: 10 } });
    // It only tells: the number of pods stays KEDA's.
    expect(await replicasOf('asked')).toBe(1);
  });
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
