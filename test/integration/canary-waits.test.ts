/** Canaries that wait, give way or have to go: newer versions, deadlines, requests and gateways that stay away. */
import { describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { pods } from '../../src/kube/resources';
import { eventually } from './harness';
import { conditionOf, writeStatus, writesOf } from './operator';
import {
  canaryOf,
  deploymentOf,
  engineIn,
  eventsOf,
  keyOf,
  operator,
  patchSpec,
  phaseIs,
  playControllers,
  reasonIs,
  report,
  restart,
  restartWithoutGateway,
  rollOut,
  rollout,
  serve,
  server,
  tellGateway,
  useRollouts,
  userAgent,
  waitFor,
} from './rollouts';
import { createServingPod } from './serving';
import { service } from './specs';

useRollouts();

describe('a canary', () => {
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
