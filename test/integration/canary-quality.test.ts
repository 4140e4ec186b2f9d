/** Canaries and services that are judged by the distance of their images. */
import { describe, expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { NO_LOAD } from '../../src/autoscale/load';
import { pods, type Pod } from '../../src/kube/resources';
import { eventually } from './harness';
import { conditionOf } from './operator';
import {
  canaryOf,
  deploymentOf,
  eventsOf,
  keyOf,
  patchSpec,
  phaseIs,
  playControllers,
  reasonIs,
  report,
  restart,
  serve,
  server,
  useRollouts,
  waitFor,
} from './rollouts';
import { createServingPod } from './serving';

useRollouts();

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
