/** Rollouts without a canary: earlier versions, gaps and strategies. */
import { describe, expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { controllerRevisions, endpointSlices, pods } from '../../src/kube/resources';
import { eventually } from './harness';
import { conditionOf, writeStatus } from './operator';
import {
  canaryOf,
  deploymentOf,
  engineIn,
  patchSpec,
  phaseIs,
  playControllers,
  read,
  reasonIs,
  restart,
  rollout,
  serve,
  server,
  useRollouts,
  waitFor,
} from './rollouts';
import { createServingPod } from './serving';
import type { Changes } from './specs';

useRollouts();

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
