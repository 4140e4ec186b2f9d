import { expect, it } from 'vitest';
import type { KubeClient } from '../kube/client';
import { deployments, jobs, pods, replicaSets } from '../kube/resources';
import { ObjectStore } from '../runtime/cache/store';
import { resourceName, type KubeObject, type Resource } from '../runtime/objects';
import { createOwnerLookup } from './owner';

const reporter = { namespace: 'ml', podName: 'pod', podUid: 'pod-uid', account: 'default' };

function anObject(
  kind: string,
  name: string,
  owner?: { kind: string; name: string; uid: string },
): KubeObject {
  const ownerReferences = owner === undefined ? [] : [{ apiVersion: 'v1', controller: true, ...owner }];
  return {
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'ml', uid: `${name}-uid`, ownerReferences },
  };
}

function reference({ kind, metadata }: KubeObject) {
  return { kind, name: metadata.name, uid: metadata.uid ?? '' };
}

const run = anObject('SparseFinetune', 'run');
const job = anObject('Job', 'job', reference(run));

/** A lookup over caches with these objects, beside an API server with those; `asked` lists what it was asked for. */
function setUp(cached: [Resource, KubeObject][], live: [Resource, KubeObject][] = []) {
  const asked: string[] = [];
  const client = {
    get(resource: Resource, { name }: { name: string }) {
      asked.push(`${resourceName(resource)} ${name}`);
      return Promise.resolve(
        live.find(([kind, object]) => kind === resource && object.metadata.name === name)?.[1],
      );
    },
  } as unknown as Pick<KubeClient, 'get'>;
  const caches = [pods, jobs, deployments].map((resource) => {
    const store = new ObjectStore<KubeObject>();
    for (const [kind, object] of cached) if (kind === resource) store.applyEvent(object);
    return [resource, store] as const;
  });
  return { lookup: createOwnerLookup({ client, caches }), asked };
}

it('follows the owners of a pod, each by its uid, and asks for none twice', async () => {
  const { lookup, asked } = setUp([
    [pods, anObject('Pod', 'pod', reference(job))],
    [jobs, job],
  ]);
  expect(await lookup.owns(run, [jobs], reporter)).toBe(true);
  expect(await lookup.owns(run, [jobs], reporter)).toBe(true);
  expect(asked).toEqual([]);
});

it('asks the API server for what the caches do not hold', async () => {
  const service = anObject('SparseInferenceService', 'service');
  const deployment = anObject('Deployment', 'deployment', reference(service));
  const replicaSet = anObject('ReplicaSet', 'set', reference(deployment));
  const pod = anObject('Pod', 'pod', reference(replicaSet));
  const { lookup, asked } = setUp(
    [[deployments, deployment]],
    [
      [pods, pod],
      [replicaSets, replicaSet],
    ],
  );
  expect(await lookup.owns(service, [replicaSets, deployments], reporter)).toBe(true);
  expect(await lookup.owns(service, [replicaSets, deployments], reporter)).toBe(true);
  expect(asked).toEqual(['pods pod', 'replicasets.apps set']);
});

it.each<[string, [Resource, KubeObject][]]>([
  ['is not there', []],
  ['has no controller', [[pods, anObject('Pod', 'pod')]]],
  ['has a controller of another kind', [[pods, anObject('Pod', 'pod', { ...reference(job), kind: 'Set' })]]],
  [
    'belongs to an earlier Job of the name',
    [
      [pods, anObject('Pod', 'pod', { ...reference(job), uid: 'earlier' })],
      [jobs, job],
    ],
  ],
  [
    'belongs to the Job of an earlier run of the name',
    [
      [pods, anObject('Pod', 'pod', reference(job))],
      [jobs, anObject('Job', 'job', { ...reference(run), uid: 'earlier' })],
    ],
  ],
])('refuses a pod that %s', async (_, cached) => {
  expect(await setUp(cached, cached).lookup.owns(run, [jobs], reporter)).toBe(false);
});

it('refuses a pod of another namespace without looking', async () => {
  const { lookup, asked } = setUp([]);
  expect(await lookup.owns(run, [jobs], { ...reporter, namespace: 'other' })).toBe(false);
  expect(asked).toEqual([]);
});
