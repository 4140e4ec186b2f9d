/** Children that exist only when asked for, against the real API server. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { ownerReference } from '../../src/kube/owner';
import { deployments, podDisruptionBudgets } from '../../src/kube/resources';
import { objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { eventually, waitForObject, type ApiServer } from './harness';
import { conditionOf, writesOf, useOperator, mergeSpec } from './operator';
import { service, type Changes } from './specs';

let server: ApiServer;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

useOperator({ userAgent }, (opened) => (server = opened));

const keyOf = (name: string) => ({ namespace: server.namespace, name });

function create(name: string, spec: Changes = {}): Promise<SparseInferenceService> {
  return server.client.create(sparseInferenceServices, service(name, server.namespace, spec), {
    fieldManager: 'test',
  });
}

const patchSpec = (name: string, spec: Changes) => mergeSpec(server, sparseInferenceServices, name, spec);

const serviceWhere = (name: string, meets: (one: SparseInferenceService) => boolean) =>
  waitForObject(server, sparseInferenceServices, keyOf(name), meets);

const hasReason = (type: string, reason: string) => (one: SparseInferenceService) =>
  conditionOf(one, type)?.reason === reason;

const find = <T extends KubeObject>(resource: Resource<T>, name: string) =>
  eventually(async () => (await server.client.get(resource, keyOf(name))) ?? false);

const isGone = (resource: Resource, name: string) =>
  eventually(async () => (await server.client.get(resource, keyOf(name))) === undefined);

describe('a PodDisruptionBudget', () => {
  it('comes with a second replica, follows the spec, and goes with the last that asks for it', async () => {
    const made = await create('budgeted', { replicas: 1 });
    await find(deployments, 'budgeted-server');
    await serviceWhere('budgeted', ({ status }) => status?.observedGeneration === 1);
    expect(await server.client.get(podDisruptionBudgets, keyOf('budgeted-server'))).toBeUndefined();

    await patchSpec('budgeted', { replicas: 2 });
    const budget = await find(podDisruptionBudgets, 'budgeted-server');
    expect(budget.spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
    expect(budget.metadata.ownerReferences).toEqual([ownerReference(made)]);
    await serviceWhere('budgeted', hasReason('ChildrenReady', 'Applied'));

    await patchSpec('budgeted', { podDisruptionBudget: { minAvailable: '50%' } });
    const changed = await waitForObject(
      server,
      podDisruptionBudgets,
      keyOf('budgeted-server'),
      ({ spec }) => spec?.minAvailable === '50%',
    );
    expect(changed.spec?.maxUnavailable).toBeUndefined();

    await patchSpec('budgeted', { replicas: 1, podDisruptionBudget: null });
    await isGone(podDisruptionBudgets, 'budgeted-server');
    await serviceWhere('budgeted', (one) => conditionOf(one, 'ChildrenReady') === undefined);
  });

  it('of another owner is left alone and named, until it goes', async () => {
    await server.client.create(podDisruptionBudgets, {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: keyOf('taken-server'),
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'theirs' } } },
    });
    await create('taken', { replicas: 2 });
    const { status } = await serviceWhere('taken', hasReason('ChildrenReady', 'NameConflict'));
    expect(status?.conditions?.find(({ type }) => type === 'ChildrenReady')?.message).toContain(
      'The PodDisruptionBudget taken-server, which spec.podDisruptionBudget asks for, exists',
    );
    const theirs = await find(podDisruptionBudgets, 'taken-server');
    expect(theirs.spec?.selector?.matchLabels).toEqual({ app: 'theirs' });
    expect(theirs.metadata.labels).toBeUndefined();
    await server.client.delete(podDisruptionBudgets, keyOf('taken-server'));
    await serviceWhere('taken', hasReason('ChildrenReady', 'Applied'));
  });

  it('that somebody changed or deleted is put right', async () => {
    await create('changed', { replicas: 2 });
    const { metadata } = await find(podDisruptionBudgets, 'changed-server');
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(podDisruptionBudgets, keyOf('changed-server')),
      contentType: 'application/merge-patch+json',
      body: { spec: { maxUnavailable: 2 } },
    });
    await waitForObject(
      server,
      podDisruptionBudgets,
      keyOf('changed-server'),
      ({ metadata: { generation }, spec }) => generation === 3 && spec?.maxUnavailable === 1,
    );
    await server.client.delete(podDisruptionBudgets, keyOf('changed-server'));
    await waitForObject(
      server,
      podDisruptionBudgets,
      keyOf('changed-server'),
      ({ metadata: { uid } }) => uid !== metadata.uid,
    );
  });

  it('is not written again by later passes', async () => {
    await create('steady', { replicas: 2 });
    await serviceWhere('steady', hasReason('ChildrenReady', 'Applied'));
    const writes = async () =>
      (await writesOf(userAgent, server.namespace)).filter((line) => line.includes('steady'));
    const touch = async (value: string) => {
      const before = await find(deployments, 'steady-server');
      await server.client.applyPart(
        deployments,
        { metadata: keyOf('steady-server'), spec: { minReadySeconds: Number(value) } },
        { fieldManager: 'test' },
      );
      // The pass that restores the Deployment is a pass over the budget too.
      await waitForObject(
        server,
        deployments,
        keyOf('steady-server'),
        ({ metadata, spec }) =>
          metadata.generation! > before.metadata.generation! + 1 &&
          spec?.minReadySeconds === before.spec?.minReadySeconds,
      );
    };
    await touch('7');
    await touch('8');
    expect((await writes()).filter((line) => line.includes('poddisruptionbudgets'))).toEqual([
      'patch poddisruptionbudgets/ steady-server',
    ]);
  });
});
