import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import { REASONS } from '../api/conditions';
import type { SparseInferenceService } from '../api/types';
import { createKubeClient } from '../kube/client';
import { serverLabels } from '../kube/names';
import { ownerReference } from '../kube/owner';
import { ObjectStore } from '../runtime/cache/store';
import { ApiError } from '../runtime/errors';
import type { Request, Transport } from '../runtime/http/transport';
import { objectPath, type KubeObject, type Resource } from '../runtime/objects';
import { childKinds } from './child-kinds';
import {
  childOf,
  createChildren,
  hasTrouble,
  judgeChildren,
  retryOf,
  type Child,
  type ChildKind,
} from './children';
import type { TrafficPlan } from './traffic';

type Widget = KubeObject & { spec?: { size: number } };
const widgets: Resource<Widget> = {
  group: 'example.org',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  namespaced: true,
};
const key = { namespace: 'ml', name: 'shirts-widget' };
const path = objectPath(widgets, key);

/** Wanted with as many replicas as the service has; not wanted with none. */
const widgetKind: ChildKind<Widget> = {
  resource: widgets,
  field: 'spec.widget',
  nameOf: (name) => `${name}-widget`,
  build: ({ service }) => (service.spec.replicas === 0 ? undefined : widget(service)),
  whenMissing: 'install widgets',
};

function widget(service: SparseInferenceService, size = service.spec.replicas ?? 1): Widget {
  return {
    apiVersion: 'example.org/v1',
    kind: 'Widget',
    metadata: { ...key, labels: serverLabels('shirts'), ownerReferences: [ownerReference(service)] },
    spec: { size },
  };
}

/** An API server that holds what is applied, and refuses as it is told. */
function world({ missing = false, refuse }: { missing?: boolean; refuse?: Error } = {}) {
  const stored = new Map<string, KubeObject>();
  const cache = new ObjectStore<KubeObject>();
  cache.moveTo('0');
  const sent: string[] = [];
  let version = 0;
  const answer = (request: Request): unknown => {
    if (request.method !== 'GET' && refuse !== undefined) throw refuse;
    const found = stored.get(request.path);
    if (request.method === 'GET' || request.method === 'DELETE') {
      if (found === undefined) throw new ApiError({ status: 404, reason: 'NotFound', message: 'not found' });
      if (request.method === 'DELETE') stored.delete(request.path);
      return found;
    }
    const body = request.body as KubeObject;
    const metadata = { uid: `uid-${++version}`, ...body.metadata, resourceVersion: String(version) };
    const object = { ...structuredClone(body), metadata };
    stored.set(request.path, object);
    return object;
  };
  const transport: Transport = {
    request<T>(request: Request): Promise<T> {
      sent.push(`${request.method} ${request.path}`);
      return new Promise((resolve) => resolve(answer(request) as T));
    },
    watch: () => {
      throw new Error('nobody watches here');
    },
    close: () => Promise.resolve(),
  };
  const client = createKubeClient({ transport, observe: (_, object) => void cache.observeWrite(object) });
  const children = createChildren({
    client,
    kinds: [widgetKind],
    storeOf: () => cache,
    isMissing: () => missing,
  });
  async function pass(service: SparseInferenceService): Promise<Child[]> {
    const observed = { service, deployment: undefined, pods: [], children: children.observe(service) };
    return children.apply(observed);
  }
  return { stored, cache, sent, pass };
}

const forbidden = new ApiError({ status: 403, reason: 'Forbidden', message: 'no room for widgets' });
const busy = new ApiError({ status: 429, reason: 'TooManyRequests', message: 'later' });

describe('a child that exists only when asked for', () => {
  it('is made, and a second pass writes nothing', async () => {
    const { pass, stored, sent } = world();
    await pass(aService());
    expect(stored.get(path)).toMatchObject({ spec: { size: 2 } });
    sent.length = 0;
    const children = await pass(aService());
    expect(sent).toEqual([]);
    expect(childOf(children, widgets)?.spec).toEqual({ size: 2 });
    expect(judgeChildren(children)).toEqual({
      status: 'True',
      reason: REASONS.applied,
      message: 'As the spec asks: Widget shirts-widget.',
    });
  });

  it('follows the spec, and keeps its uid', async () => {
    const { pass, stored } = world();
    await pass(aService());
    const uid = stored.get(path)?.metadata.uid;
    await pass(aService({ replicas: 5 }));
    expect(stored.get(path)).toMatchObject({ spec: { size: 5 }, metadata: { uid } });
  });

  it('goes when it is no longer asked for', async () => {
    const { pass, stored } = world();
    await pass(aService());
    const children = await pass(aService({ replicas: 0 }));
    expect(stored.size).toBe(0);
    expect(judgeChildren(children)).toBeUndefined();
  });

  it.each(['asked for', 'not asked for'])(
    'is left alone where it is of another owner, and %s',
    async (how) => {
      const { pass, stored, sent } = world();
      const foreign: Widget = { ...widget(aService(), 9), metadata: { ...key, uid: 'theirs' } };
      stored.set(path, foreign);
      const children = await pass(aService({ replicas: how === 'asked for' ? 2 : 0 }));
      expect(sent.filter((line) => !line.startsWith('GET'))).toEqual([]);
      expect(stored.get(path)).toBe(foreign);
      expect(childOf(children, widgets)).toBeUndefined();
      if (how === 'not asked for') return expect(judgeChildren(children)).toBeUndefined();
      expect(judgeChildren(children)).toMatchObject({ status: 'False', reason: REASONS.nameConflict });
      expect(judgeChildren(children)?.message).toContain('Widget shirts-widget, which spec.widget asks for');
    },
  );

  it('is left alone where another owner has given it our labels', async () => {
    const { pass, stored, cache, sent } = world();
    const owner = { ...aService(), metadata: { ...aService().metadata, uid: 'another' } };
    const foreign = {
      ...widget(owner),
      metadata: { ...widget(owner).metadata, uid: 'x', resourceVersion: '5' },
    };
    stored.set(path, foreign);
    cache.applyEvent(foreign);
    await pass(aService({ replicas: 0 }));
    const children = await pass(aService());
    expect(sent).toEqual([]);
    expect(judgeChildren(children)?.reason).toBe(REASONS.nameConflict);
  });

  it('gets its labels back when it has lost them', async () => {
    const { pass, stored } = world();
    const bare = {
      ...widget(aService()),
      metadata: { ...widget(aService()).metadata, labels: {}, uid: 'ours' },
    };
    stored.set(path, bare);
    await pass(aService());
    expect(stored.get(path)?.metadata).toMatchObject({ uid: 'ours', labels: serverLabels('shirts') });
  });

  it('is not asked of a cluster without the kind, and the remedy is said', async () => {
    const { pass, sent } = world({ missing: true });
    const children = await pass(aService());
    expect(sent).toEqual([]);
    expect(judgeChildren(children)).toEqual({
      status: 'False',
      reason: REASONS.kindMissing,
      message:
        'spec.widget needs the kind Widget of example.org/v1, which this cluster does not have: install widgets.',
    });
    expect(hasTrouble(children)).toBe(true);
  });

  it('is told in the API server’s words when it is refused', async () => {
    const { pass } = world({ refuse: forbidden });
    const children = await pass(aService());
    expect(judgeChildren(children)).toMatchObject({ status: 'False', reason: 'Forbidden' });
    expect(judgeChildren(children)?.message).toContain('no room for widgets');
    expect(retryOf(children)).toBeUndefined();
  });

  it('fails the pass, and shows nothing, when a retry settles it', async () => {
    const { pass } = world({ refuse: busy });
    const children = await pass(aService());
    expect(retryOf(children)).toBe(busy);
    expect(judgeChildren(children)).toMatchObject({ status: 'Unknown' });
    expect(hasTrouble(children)).toBe(false);
  });
});

describe('the condition of children', () => {
  const kinds = childKinds({
    reportsUrl: 'http://operator.system.svc:8082',
    keda: false,
    operatorNamespace: 'system',
    reportsPorts: [8082],
  });
  const traffic = { isGatewayOnly: false, status: undefined, awaits: false, againMs: undefined };
  const built = (slice: TrafficPlan['slice']) => (kind: ChildKind) => {
    const service = aService({ replicas: 3 });
    const live = kind.build(
      { service, deployment: undefined, pods: [], traffic: { ...traffic, slice } },
      undefined,
    );
    const name = kind.nameOf('shirts');
    return { kind, name, found: live, live, wanted: live !== undefined } satisfies Child;
  };

  it('stays as it is when the service falls asleep and wakes', () => {
    const awake = kinds.map(built(undefined));
    const asleep = kinds.map(built({ port: 20_000, addresses: ['10.1.2.3'] }));
    expect(asleep.filter(({ wanted }) => wanted).length).toBeGreaterThan(
      awake.filter(({ wanted }) => wanted).length,
    );
    expect(judgeChildren(awake)).toMatchObject({ reason: REASONS.applied });
    expect(judgeChildren(asleep)).toEqual(judgeChildren(awake));
  });
});
