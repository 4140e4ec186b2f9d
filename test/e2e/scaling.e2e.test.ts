/** The builtin autoscaler with real pods and real requests. */
import { expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { findCondition } from '../../src/kube/conditions';
import { apply, applyClaim, explainFailure, get, kubectl, list, until, useNamespace } from './cluster';
import { endTraffic, startTraffic } from './traffic';
import { writeUntrainedModel } from './untrained';

type Event = { reason: string; message: string; involvedObject: { name: string } };

const namespace = useNamespace('e2e-scaling');

it('goes from one pod to three and back under load, and answers every request', async () => {
  explainFailure(namespace);
  await applyClaim(namespace);
  await writeUntrainedModel(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'bags' },
    spec: {
      model: { uri: 'pvc://models/bags' },
      engine: { steps: 100, maxBatchSize: 2 },
      scaling: { maxReplicas: 3, target: { concurrency: 3 }, scaleDownStabilizationSeconds: 5 },
    },
  });
  await kubectl(['-n', namespace, 'wait', 'sis/bags', '--for=condition=Ready', '--timeout=120s']);
  const read = () => get<SparseInferenceService>(namespace, 'sis/bags');
  const active = (one: SparseInferenceService) => findCondition(one.status?.conditions, 'ScalingActive');
  await until(read, (one) => active(one)?.status === 'True', 'the first report of a load', 30_000);

  const host = `bags.${namespace}.svc`;
  const body = { prompt: 'a photo of a bag', seed: 1 };
  // One request at a time all along, and eight more for a while.
  await startTraffic(namespace, host, body, { name: 'steady', count: 1, keep: false });
  await startTraffic(namespace, host, body, { name: 'rush', count: 8, pauseSeconds: 0, keep: false });
  const up = await until(read, (one) => one.status?.readyReplicas === 3, 'three pods', 90_000);
  expect(up.status).toMatchObject({ desiredReplicas: 3 });
  expect(active(up)).toMatchObject({ status: 'True' });
  const rush = await endTraffic(namespace, 'rush');

  await until(read, (one) => one.status?.desiredReplicas === 1, 'the wish for one pod', 120_000);
  const pods = () => list<object>(namespace, 'pods', 'sparsedm.io/service=bags');
  await until(pods, (left) => left.length === 1, 'one pod');
  const steady = await endTraffic(namespace, 'steady');

  expect([...rush.failures, ...steady.failures]).toEqual([]);
  expect(rush.answers).toBeGreaterThan(20);
  expect(steady.answers).toBeGreaterThan(20);
  const told = (await list<Event>(namespace, 'events')).filter(
    ({ involvedObject, reason }) => involvedObject.name === 'bags' && reason.startsWith('Scaled'),
  );
  expect(told.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['ScaledUp', 'ScaledDown']));
  expect(told.find(({ reason }) => reason === 'ScaledUp')?.message).toContain('requests are in the replicas');
  expect(told.length).toBeLessThanOrEqual(4);
});

it('obeys kubectl scale where nothing scales, and within the bounds of an HPA', async () => {
  explainFailure(namespace);
  const read = () => get<SparseInferenceService>(namespace, 'sis/bags');
  const scaling = async (change: object | null) => {
    const patch = JSON.stringify({ spec: { scaling: change } });
    await kubectl(['-n', namespace, 'patch', 'sis/bags', '--type=merge', '-p', patch]);
  };
  const scale = (replicas: number) =>
    kubectl(['-n', namespace, 'scale', 'sis/bags', `--replicas=${replicas}`]);
  const serving = (replicas: number) =>
    until(read, (one) => one.status?.readyReplicas === replicas, `${replicas} pods`, 90_000);

  await scaling(null);
  await scale(2);
  await serving(2);

  // No adapter has this metric, so that the HorizontalPodAutoscaler keeps to its bounds and to nothing else.
  const metric = { name: 'orders' };
  const external = { metric, target: { type: 'AverageValue', averageValue: '1' } };
  await scaling({ engine: 'hpa', maxReplicas: 3, metrics: [{ type: 'External', external }] });
  const isKept = (one: SparseInferenceService) =>
    findCondition(one.status?.conditions, 'ScalingActive')?.reason === 'ScalerFails';
  const kept = await until(read, isKept, "the HorizontalPodAutoscaler's word", 60_000);
  expect(kept).toMatchObject({ spec: { replicas: 2 }, status: { desiredReplicas: 2 } });
  await scale(5);
  const bound = await until(
    read,
    (one) => one.spec.replicas === 3,
    "the HorizontalPodAutoscaler's bound",
    60_000,
  );
  expect(findCondition(bound.status?.conditions, 'ScalingActive')?.reason).toBe('ScalerFails');
  await serving(3);
  await scale(1);
  await serving(1);
});
