/** Canaries: the steps of one, its end by itself, and an operator that starts anew in between. */
import { describe, expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { labels } from '../../src/kube/names';
import { eventually } from './harness';
import { conditionOf } from './operator';
import {
  Gateway,
  canaryOf,
  deploymentOf,
  engineIn,
  eventsOf,
  patchSpec,
  phaseIs,
  playControllers,
  read,
  restart,
  revisionIn,
  sent,
  serve,
  useRollouts,
  waitFor,
} from './rollouts';

useRollouts();

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
});
