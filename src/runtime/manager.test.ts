import { afterEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { silentLogger } from '../../test/support/silent-logger';
import type { Transport, WatchEvent, WatchRequest } from './http/transport';
import { createManager, type ManagerOptions } from './manager';
import type { KubeObject, Resource } from './objects';
import { createMetrics } from './telemetry/metrics';

const parents: Resource = {
  group: 'x.io',
  version: 'v1',
  plural: 'parents',
  kind: 'Parent',
  namespaced: true,
};
const children: Resource = { group: '', version: 'v1', plural: 'children', kind: 'Child', namespaced: true };
const globals: Resource = { group: '', version: 'v1', plural: 'globals', kind: 'Global', namespaced: false };

function object(kind: string, name: string, version: number, extra: object = {}): KubeObject {
  return {
    apiVersion: kind === 'Parent' ? 'x.io/v1' : 'v1',
    kind,
    metadata: { name, namespace: 'a', resourceVersion: String(version), ...extra },
  };
}

const ownedBy = (name: string, kind = 'Parent', apiVersion = 'x.io/v1') => ({
  ownerReferences: [{ apiVersion, kind, name, uid: `uid-${name}`, controller: true }],
});

/** An API of lists held here and watches that say what they are told to. */
function scriptedApi(lists: Record<string, KubeObject[]>) {
  const listed: string[] = [];
  const watches = new Map<string, (event: WatchEvent) => void>();
  const transport: Transport = {
    request<T>({ path }: { path: string }): Promise<T> {
      listed.push(path);
      const items = lists[path.split('/').at(-1) ?? ''];
      if (items === undefined) return new Promise(() => undefined);
      return Promise.resolve({ metadata: { resourceVersion: '100' }, items: structuredClone(items) } as T);
    },
    async *watch({ path, signal }: WatchRequest) {
      const waiting: WatchEvent[] = [];
      let wake = () => {};
      watches.set(path.split('/').at(-1) ?? '', (event) => {
        waiting.push(event);
        wake();
      });
      signal?.addEventListener('abort', () => wake());
      while (!signal?.aborted) {
        if (waiting.length > 0) yield waiting.splice(0);
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close: () => Promise.resolve(),
  };
  return { transport, listed, say: (plural: string, event: WatchEvent) => watches.get(plural)?.(event) };
}

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function createSut(lists: Record<string, KubeObject[]>, options: Partial<ManagerOptions> = {}) {
  const clock = new FakeClock();
  const api = scriptedApi(lists);
  const manager = createManager({
    transport: api.transport,
    clock,
    logger: silentLogger,
    metrics: createMetrics(),
    tuning: { streamLists: false },
    ...options,
  });
  const stop = new AbortController();
  const start = () => {
    const running = manager.start(stop.signal);
    running.catch(() => undefined);
    stops.push(async () => {
      stop.abort();
      await clock.advanceAsync(60_000);
    });
    return running;
  };
  const settle = () => clock.advanceAsync(0);
  return { clock, api, manager, stop, start, settle };
}

test('what somebody asked for goes before news of it and of its children', async () => {
  const { api, manager, start, settle } = createSut({
    parents: ['busy', 'new-spec', 'ends', 'news'].map((name) => object('Parent', name, 1, { generation: 1 })),
    children: [],
  });
  const passes: string[] = [];
  let release = () => {};
  const reconcile = ({ name }: { name: string }) => {
    passes.push(name);
    return name === 'busy' ? new Promise<void>((resolve) => (release = resolve)) : Promise.resolve();
  };
  const owns = [{ resource: children, ownerKind: 'Parent' }];
  manager.controller({ name: 'one', for: parents, owns, concurrency: 1, reconciler: { reconcile } });
  void start();
  await settle();
  release();
  await settle();
  passes.splice(0);

  const say = (plural: string, event: WatchEvent) => {
    api.say(plural, event);
    return settle();
  };
  await say('parents', { type: 'MODIFIED', object: object('Parent', 'busy', 101, { generation: 2 }) });
  await say('children', { type: 'ADDED', object: object('Child', 'c', 102, ownedBy('of-child')) });
  await say('parents', { type: 'MODIFIED', object: object('Parent', 'news', 103, { generation: 1 }) });
  await say('parents', { type: 'MODIFIED', object: object('Parent', 'new-spec', 104, { generation: 2 }) });
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  const ending = object('Parent', 'ends', 105, { generation: 1, deletionTimestamp });
  await say('parents', { type: 'MODIFIED', object: ending });
  await say('parents', { type: 'ADDED', object: object('Parent', 'added', 106, { generation: 1 }) });
  expect(passes).toEqual(['busy']);
  release();
  await settle();
  expect(passes).toEqual(['busy', 'new-spec', 'ends', 'added', 'of-child', 'news']);
});

describe('a write', () => {
  test.each([
    ['that its controller has decided on leads to no pass of it, but to one of another', 'one', ['two']],
    ['that holds news leads to a pass of every controller', undefined, ['one', 'two']],
  ])('%s', async (_, writer, want) => {
    const { manager, start, settle } = createSut({ parents: [object('Parent', 'p', 1)] });
    const passes: string[] = [];
    for (const name of ['one', 'two']) {
      const reconcile = () => Promise.resolve(void passes.push(name));
      manager.controller({ name, for: parents, reconciler: { reconcile } });
    }
    void start();
    await settle();
    passes.splice(0);
    manager.observe(parents, object('Parent', 'p', 101), writer);
    await settle();
    expect(passes).toEqual(want);
    expect(manager.watch(parents).get('a', 'p')?.metadata.resourceVersion).toBe('101');
  });
});

describe('children that settle', () => {
  const child = (version: number) => object('Child', 'c', version, ownedBy('p'));

  async function run() {
    const sut = createSut({ parents: [], children: [] });
    const passes: number[] = [];
    sut.manager.controller({
      name: 'parent',
      for: parents,
      owns: [{ resource: children, ownerKind: 'Parent', settleMs: 100 }],
      reconciler: { reconcile: () => Promise.resolve(void passes.push(sut.clock.monotonic())) },
    });
    void sut.start();
    await sut.settle();
    return { ...sut, passes };
  }

  test('lead to one pass for all changes within the time after the first', async () => {
    const { api, clock, passes } = await run();
    api.say('children', { type: 'ADDED', object: child(101) });
    await clock.advanceAsync(60);
    api.say('children', { type: 'MODIFIED', object: child(102) });
    await clock.advanceAsync(1_000);
    expect(passes).toEqual([100]);
  });

  test('do not hold up a change of their owner, whose pass sees them too', async () => {
    const { api, clock, passes } = await run();
    api.say('children', { type: 'ADDED', object: child(101) });
    await clock.advanceAsync(60);
    api.say('parents', { type: 'ADDED', object: object('Parent', 'p', 102) });
    await clock.advanceAsync(1_000);
    expect(passes).toEqual([60]);
  });
});

describe('keys', () => {
  async function run(lists: Record<string, KubeObject[]>) {
    const sut = createSut(lists);
    const seen: string[] = [];
    sut.manager.controller({
      name: 'parent',
      for: parents,
      owns: [{ resource: children, ownerKind: 'Parent' }],
      watches: [
        {
          resource: globals,
          toKeys: (each) => [{ namespace: 'a', name: each.metadata.labels?.['for'] ?? 'nobody' }],
        },
      ],
      reconciler: {
        reconcile: ({ namespace, name }) => Promise.resolve(void seen.push(`${namespace}/${name}`)),
      },
    });
    void sut.start();
    await sut.settle();
    const first = seen.splice(0);
    return { ...sut, seen, first };
  }
  const empty = { parents: [], children: [], globals: [] };

  test('of what is there come at the start', async () => {
    const { first } = await run({ ...empty, parents: [object('Parent', 'p', 1), object('Parent', 'q', 2)] });
    expect(first).toEqual(['a/p', 'a/q']);
  });

  test.each([
    ['an owned child leads to its owner', 'children', object('Child', 'c', 101, ownedBy('p')), ['a/p']],
    [
      'a child of another kind of owner to nobody',
      'children',
      object('Child', 'c', 101, ownedBy('p', 'Other')),
      [],
    ],
    [
      'a child of the same kind in another group to nobody',
      'children',
      object('Child', 'c', 101, ownedBy('p', 'Parent', 'y.io/v1')),
      [],
    ],
    ['a child without owner to nobody', 'children', object('Child', 'c', 101), []],
    [
      'a watched object to what it maps to',
      'globals',
      object('Global', 'g', 101, { labels: { for: 'p' } }),
      ['a/p'],
    ],
    ['a parent to itself', 'parents', object('Parent', 'z', 101), ['a/z']],
  ])('%s', async (_, plural, changed, want) => {
    const { api, seen, settle } = await run(empty);
    api.say(plural, { type: 'ADDED', object: changed });
    await settle();
    expect(seen).toEqual(want);
  });

  test('of the old and of the new owner come when a child changes hands', async () => {
    const { api, seen, settle } = await run({ ...empty, children: [object('Child', 'c', 1, ownedBy('p'))] });
    api.say('children', { type: 'MODIFIED', object: object('Child', 'c', 101, ownedBy('q')) });
    await settle();
    expect([...seen].sort()).toEqual(['a/p', 'a/q']);
  });

  test('of the owner come when a child is deleted', async () => {
    const { api, seen, settle } = await run({ ...empty, children: [object('Child', 'c', 1, ownedBy('p'))] });
    api.say('children', { type: 'DELETED', object: object('Child', 'c', 101, ownedBy('p')) });
    await settle();
    expect(seen).toEqual(['a/p']);
  });

  test('come once for our own write, though the watch tells it again', async () => {
    const { api, manager, seen, settle } = await run(empty);
    const child = object('Child', 'c', 101, ownedBy('p'));
    manager.observe(children, child);
    await settle();
    api.say('children', { type: 'ADDED', object: structuredClone(child) });
    await settle();
    expect(seen).toEqual(['a/p']);
  });
});

describe('caches', () => {
  test('are shared by resource and selector', async () => {
    const { api, manager, start, settle } = createSut({ children: [] });
    const one = manager.watch(children, { labelSelector: 'a=b' });
    expect(manager.watch(children, { labelSelector: 'a=b' })).toBe(one);
    expect(manager.watch(children)).not.toBe(one);
    void start();
    await settle();
    expect(api.listed).toHaveLength(2);
  });

  test('are one per namespace where namespaces are named, and one for what has none', async () => {
    const { api, manager, start, settle } = createSut(
      { children: [], globals: [] },
      { namespaces: ['a', 'b'] },
    );
    manager.watch(children);
    manager.watch(globals);
    void start();
    await settle();
    expect([...api.listed].sort()).toEqual([
      '/api/v1/globals',
      '/api/v1/namespaces/a/children',
      '/api/v1/namespaces/b/children',
    ]);
  });

  test('take our writes only where they select them', async () => {
    const { manager, start, settle } = createSut({ children: [] }, { namespaces: ['a'] });
    const all = manager.watch(children);
    const some = manager.watch(children, { labelSelector: 'app=x' });
    void start();
    await settle();
    manager.observe(children, object('Child', 'plain', 101));
    manager.observe(children, object('Child', 'labelled', 102, { labels: { app: 'x' } }));
    manager.observe(children, object('Child', 'elsewhere', 103, { namespace: 'b' }));
    manager.observe(parents, object('Parent', 'unwatched', 104));
    const names = (store: typeof all) => store.list().map((each) => each.metadata.name);
    expect(names(all)).toEqual(['plain', 'labelled']);
    expect(names(some)).toEqual(['labelled']);
  });

  test('transform what they hold, and the writer keeps its own', async () => {
    const { manager, start, settle } = createSut({
      children: [object('Child', 'c', 1, { labels: { a: 'b' } })],
    });
    const transform = ({ metadata, ...each }: KubeObject): KubeObject => {
      const { labels: _, ...kept } = metadata;
      return { ...each, metadata: kept };
    };
    const store = manager.watch(children, { transform });
    void start();
    await settle();
    const written = object('Child', 'd', 101, { labels: { a: 'b' } });
    manager.observe(children, written);
    expect(store.list().map((each) => each.metadata.labels)).toEqual([undefined, undefined]);
    expect(written.metadata.labels).toEqual({ a: 'b' });
    expect(() => manager.watch(children, { transform: (each) => each })).toThrow('another transform');
  });

  test('asked for after the start are filled too', async () => {
    const { manager, start, settle } = createSut({ children: [], globals: [object('Global', 'g', 1)] });
    manager.watch(children);
    void start();
    await settle();
    const store = manager.watch(globals);
    expect(manager.readiness()).toEqual({ ready: false, waitingFor: ['globals'] });
    await settle();
    expect(store.list()).toHaveLength(1);
    expect(manager.readiness()).toEqual({ ready: true, waitingFor: [] });
  });
});

test('nothing is reconciled before every cache is filled', async () => {
  const { manager, start, settle } = createSut({ parents: [object('Parent', 'p', 1)] });
  let passes = 0;
  manager.watch(children); // of which the list never comes
  manager.controller({
    name: 'p',
    for: parents,
    reconciler: { reconcile: () => Promise.resolve(void passes++) },
  });
  void start();
  await settle();
  expect(passes).toBe(0);
  expect(manager.readiness()).toEqual({ ready: false, waitingFor: ['children'] });
});

describe('a stop', () => {
  test('waits for running reconciles', async () => {
    const { manager, start, settle, stop } = createSut({ parents: [object('Parent', 'p', 1)] });
    let finish = () => {};
    manager.controller({
      name: 'p',
      for: parents,
      reconciler: { reconcile: () => new Promise<void>((resolve) => (finish = resolve)) },
    });
    let ended = false;
    const running = start().then(() => (ended = true));
    await settle();
    stop.abort();
    await settle();
    expect(ended).toBe(false);
    finish();
    await running;
  });

  test('ends the requests of what hangs after the drain time, and waits for that', async () => {
    const { clock, manager, start, settle, stop } = createSut(
      { parents: [object('Parent', 'p', 1)] },
      { drainMs: 5_000 },
    );
    const log: string[] = [];
    const reconcile = async () => {
      await new Promise<void>((resolve) => manager.abandoned.addEventListener('abort', () => resolve()));
      log.push('reconcile ends');
    };
    manager.controller({ name: 'p', for: parents, reconciler: { reconcile } });
    const running = start().then(() => log.push('manager ends'));
    await settle();
    stop.abort();
    await clock.advanceAsync(4_999);
    expect(log).toEqual([]);
    await clock.advanceAsync(1);
    await running;
    expect(log).toEqual(['reconcile ends', 'manager ends']);
  });

  test('before the caches are filled ends at once', async () => {
    const { manager, start, settle, stop } = createSut({});
    manager.watch(children);
    const running = start();
    await settle();
    stop.abort();
    await running;
  });
});

describe('tasks', () => {
  test('run until the stop', async () => {
    const { manager, start, settle, stop } = createSut({});
    const log: string[] = [];
    manager.task({
      name: 'reports',
      run: async (signal) => {
        log.push('begins');
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        log.push('ends');
      },
    });
    const running = start();
    await settle();
    expect(log).toEqual(['begins']);
    stop.abort();
    await running;
    expect(log).toEqual(['begins', 'ends']);
  });

  test('that fail stop the manager', async () => {
    const { manager, start } = createSut({});
    manager.task({ name: 'reports', run: () => Promise.reject(new Error('port taken')) });
    await expect(start()).rejects.toThrow('task reports failed');
  });
});

test('a manager starts once', async () => {
  const { manager, start, settle } = createSut({});
  void start();
  await settle();
  await expect(manager.start(new AbortController().signal)).rejects.toThrow('started before');
});

test('its state tells of queues, caches and the lease, and nothing of what objects hold', async () => {
  const { manager, start, settle, clock } = createSut(
    { parents: [object('Parent', 'p', 7, { annotations: { note: 's3cret' } })], children: [] },
    { namespaces: ['a'] },
  );
  manager.controller({
    name: 'parent',
    for: parents,
    owns: [{ resource: children, ownerKind: 'Parent', labelSelector: 'app=x' }],
    reconciler: { reconcile: () => Promise.reject(new Error('s3cret too')) },
    concurrency: 2,
  });
  expect(manager.state().caches.map(({ phase, synced }) => [phase, synced])).toEqual([
    ['idle', false],
    ['idle', false],
  ]);
  void start();
  await settle();
  const state = manager.state();
  const now = clock.now();
  expect(state.leader).toEqual({ leading: true });
  expect(state.controllers).toEqual([
    {
      name: 'parent',
      concurrency: 2,
      queue: {
        waiting: { total: 0, namespaces: [] },
        processing: [],
        delayed: { total: 1, next: [{ key: 'a/p', due: new Date(now.getTime() + 5) }] },
        failing: { total: 1, worst: [{ key: 'a/p', failures: 1 }] },
      },
    },
  ]);
  const watched = {
    namespace: 'a',
    phase: 'watching',
    lists: 'paged',
    synced: true,
    missing: false,
    failures: 0,
    resourceVersion: '100',
    listedAt: now,
    watchedAt: now,
  };
  expect(state.caches).toEqual([
    { ...watched, resource: 'parents.x.io', objects: 1 },
    { ...watched, resource: 'children', labelSelector: 'app=x', objects: 0 },
  ]);
  expect(JSON.stringify(state)).not.toContain('s3cret');
});
