/** The runtime against a real API server. */
import { createServer, connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createKubeClient } from '../../src/kube/client';
import { ownerReference } from '../../src/kube/owner';
import { createReflector, type ReflectorTuning } from '../../src/runtime/cache/reflector';
import { ObjectStore } from '../../src/runtime/cache/store';
import { realClock } from '../../src/runtime/clock';
import type { Reconciler } from '../../src/runtime/controller';
import { isConflict, LeadershipLostError } from '../../src/runtime/errors';
import { createEventRecorder } from '../../src/runtime/events';
import { loadConnection, type Connection } from '../../src/runtime/http/credentials';
import { createTransport, type Transport } from '../../src/runtime/http/transport';
import { createLeaderElector, leases, type LeaderTiming } from '../../src/runtime/leader';
import { createManager } from '../../src/runtime/manager';
import type { KubeObject, Resource } from '../../src/runtime/objects';
import { createMetrics } from '../../src/runtime/telemetry/metrics';
import { startControlPlane, type ControlPlane } from '../cluster/index';
import { silentLogger } from '../support/silent-logger';
import { createTestManager, eventually, openApiServer, versions, type ApiServer } from './harness';
import { definitions } from './setup';

type ConfigMap = KubeObject & { data?: Record<string, string> };
const configMaps: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

type Thing = KubeObject & {
  spec?: { size?: number };
  status?: { phase?: string; size?: number; conditions?: { type: string }[] };
};

function thingResource(kind: string): Resource<Thing> {
  const plural = `${kind.toLowerCase()}s`;
  return { group: 'test.sparsedm.io', version: 'v1', plural, kind, namespaced: true };
}
const things = thingResource('Thing');

/** A small CRD with a status subresource, under any name. */
async function installThings(server: Pick<ApiServer, 'client'>, resource: Resource): Promise<void> {
  const name = `${resource.plural}.${resource.group}`;
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group: resource.group,
      scope: 'Namespaced',
      names: { plural: resource.plural, kind: resource.kind },
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } },
        },
      ],
    },
  };
  await server.client.apply(definitions, definition);
  await eventually(async () => {
    await server.client.list(resource);
    return true;
  });
}

function configMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
}

function thing(namespace: string, name: string, size = 1): Thing {
  return { apiVersion: 'test.sparsedm.io/v1', kind: 'Thing', metadata: { namespace, name }, spec: { size } };
}

let server: ApiServer;
const atEnd: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await openApiServer();
  await installThings(server, things);
});
afterEach(async () => {
  for (const end of atEnd.splice(0).reverse()) await end();
});
afterAll(() => server.close());

/** A reflector on the file's server, or through another connection to it. */
function reflect(namespace: string, connection: Connection, tuning: Partial<ReflectorTuning> = {}) {
  const transport = createTransport({ connection, clock: realClock });
  /** How lists were asked for: a page, or a stream. */
  const asked: ('page' | 'stream')[] = [];
  const spying: Transport = {
    ...transport,
    request(request) {
      asked.push('page');
      return transport.request(request);
    },
    watch(request) {
      if (request.query?.sendInitialEvents === true) asked.push('stream');
      return transport.watch(request);
    },
  };
  const metrics = createMetrics();
  const store = new ObjectStore<ConfigMap>();
  const reflector = createReflector({
    transport: spying,
    clock: realClock,
    logger: silentLogger,
    metrics,
    resource: configMaps,
    store,
    namespace,
    tuning: { backoff: { baseMs: 20, capMs: 200 }, ...tuning },
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  atEnd.push(async () => {
    stop.abort();
    await running;
    await transport.close();
  });
  const count = async (metric: string) => {
    const text = await metrics.registry.metrics();
    return Number(new RegExp(`^${metric}{[^}]*} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  };
  const names = () =>
    store
      .list()
      .map((object) => object.metadata.name)
      .filter((name) => name !== 'kube-root-ca.crt')
      .sort();
  return { store, reflector, names, count, asked };
}

/** A TCP forwarder in front of an API server: when it is cut, clients notice nothing until it is back. */
async function forwarder(url: string) {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let up = true;
  const relay = createServer((socket) => {
    if (!up) return void socket.destroy();
    const upstream = connect(Number(target.port), target.hostname);
    for (const end of [socket, upstream]) {
      sockets.add(end);
      end.on('error', () => undefined);
      end.on('close', () => {
        sockets.delete(end);
        socket.destroy();
        upstream.destroy();
      });
    }
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    up = false;
    for (const socket of sockets) socket.destroy();
  };
  atEnd.push(async () => {
    cut();
    await new Promise((resolve) => relay.close(resolve));
  });
  return {
    url: `https://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    cut,
    mend: () => void (up = true),
  };
}

describe('reflector', () => {
  test.each([
    ['in pages', { streamLists: false, pageSize: 2 }, ['page', 'page', 'page', 'page']],
    ['by stream', {}, ['stream']],
  ])('follows creation, change and deletion after a list %s', async (_, tuning, wantAsked) => {
    const namespace = await server.createNamespace();
    const want = Array.from({ length: 7 }, (_, index) => `m${index}`);
    for (const name of want) await server.client.create(configMaps, configMap(namespace, name));
    const connection = loadConnection({ kubeconfig: server.kubeconfig });
    const { store, names, asked } = reflect(namespace, connection, tuning);
    await eventually(() => expect(names()).toEqual(want));
    expect(asked).toEqual(wantAsked);
    expect(store.get(namespace, 'm3')).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(store.get(namespace, 'm3')?.metadata).not.toHaveProperty('managedFields');

    await server.client.create(configMaps, configMap(namespace, 'later'));
    await server.client.apply(configMaps, configMap(namespace, 'm0', { a: 'Größe 🐟' }));
    await server.client.delete(configMaps, { namespace, name: 'm1' });
    await eventually(() => {
      expect(names()).toEqual(['later', ...want.filter((name) => name !== 'm1')]);
      expect(store.get(namespace, 'm0')?.data).toEqual({ a: 'Größe 🐟' });
    });
  });

  test('holds after a streamed list what pages hold, whatever the number of objects', async () => {
    const namespace = await server.createNamespace();
    const names = Array.from({ length: 600 }, (_, index) => `m${index}`);
    for (let at = 0; at < names.length; at += 50) {
      const some = names.slice(at, at + 50);
      await Promise.all(
        some.map((name) => server.client.create(configMaps, configMap(namespace, name, { name }))),
      );
    }
    const connection = loadConnection({ kubeconfig: server.kubeconfig });
    const [stream, pages] = [
      reflect(namespace, connection),
      reflect(namespace, connection, { streamLists: false }),
    ];
    await Promise.all([stream.reflector.whenSynced, pages.reflector.whenSynced]);
    expect([stream.asked, pages.asked]).toEqual([['stream'], ['page', 'page']]);
    const sorted = (store: ObjectStore<ConfigMap>) =>
      [...store.list()].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
    expect(sorted(stream.store)).toEqual(sorted(pages.store));
    expect(stream.store.size).toBeGreaterThanOrEqual(600);
    // The watch continues after the list in the same request.
    await server.client.delete(configMaps, { namespace, name: 'm0' });
    await eventually(() => expect(stream.store.get(namespace, 'm0')).toBeUndefined());
    expect(await stream.count('reflector_watches_total')).toBe(1);
  });

  test('cut off for a while, it notices what was made and deleted meanwhile', async () => {
    const namespace = await server.createNamespace();
    const direct = loadConnection({ kubeconfig: server.kubeconfig });
    const line = await forwarder(direct.server);
    for (const name of ['a', 'b']) await server.client.create(configMaps, configMap(namespace, name));
    const { names, count } = reflect(namespace, { ...direct, server: line.url });
    await eventually(() => expect(names()).toEqual(['a', 'b']));
    line.cut();
    await eventually(async () => expect(await count('reflector_failures_total')).toBeGreaterThan(2));
    await server.client.delete(configMaps, { namespace, name: 'a' });
    await server.client.create(configMaps, configMap(namespace, 'c'));
    expect(names()).toEqual(['a', 'b']);
    line.mend();
    await eventually(() => expect(names()).toEqual(['b', 'c']));
    // It resumed its watch, without another list.
    expect(await count('reflector_lists_total')).toBe(1);
  });

  test('waits for a CRD that is installed later', async () => {
    const resource = thingResource('LateThing');
    const manager = createTestManager(server);
    const store = manager.manager.watch(resource);
    const starting = manager.start();
    atEnd.push(() => manager.stop());
    await eventually(() =>
      expect(manager.manager.readiness()).toEqual({
        ready: false,
        waitingFor: ['latethings.test.sparsedm.io'],
      }),
    );
    await installThings(server, resource);
    await server.client.create(resource, thing(server.namespace, 'one'));
    await starting;
    await eventually(() => expect(store.list().map((each) => each.metadata.name)).toEqual(['one']));
  });
});

describe('an API server of its own', () => {
  let plane: ControlPlane;
  let own: ApiServer;
  beforeAll(async () => {
    plane = await startControlPlane();
    own = await openApiServer({ kubeconfig: plane.kubeconfig });
  });
  afterAll(async () => {
    await own.close();
    await plane.stop();
  });

  async function crash(): Promise<void> {
    await plane.apiServer.stop('SIGKILL');
    await plane.apiServer.start();
  }

  test('that crashes and comes back is watched again, and what is deleted then is noticed', async () => {
    const { namespace } = own;
    for (const name of ['a', 'b']) await own.client.create(configMaps, configMap(namespace, name));
    const { names } = reflect(namespace, loadConnection({ kubeconfig: plane.kubeconfig }));
    await eventually(() => expect(names()).toEqual(['a', 'b']));
    await crash();
    expect(names()).toEqual(['a', 'b']);
    await eventually(() => own.client.delete(configMaps, { namespace, name: 'a' }));
    await own.client.create(configMaps, configMap(namespace, 'c'));
    await eventually(() => expect(names()).toEqual(['b', 'c']));
  });

  test('whose watch cache forgot our version sends 410, which leads to a new list', async () => {
    const namespace = await own.createNamespace();
    const direct = loadConnection({ kubeconfig: plane.kubeconfig });
    const line = await forwarder(direct.server);
    for (const name of ['a', 'b']) await own.client.create(configMaps, configMap(namespace, name));
    const { names, count, asked } = reflect(namespace, { ...direct, server: line.url });
    await eventually(() => expect(names()).toEqual(['a', 'b']));
    line.cut();
    await own.client.delete(configMaps, { namespace, name: 'a' });
    await own.client.create(configMaps, configMap(namespace, 'c'));
    // A restarted server's watch cache begins with the present.
    await crash();
    line.mend();
    await eventually(() => expect(names()).toEqual(['b', 'c']));
    expect(await count('reflector_lists_total')).toBe(2);
    expect(asked).toEqual(['stream', 'stream']);
  });
});

describe('server-side apply', () => {
  test('creates, changes only what differs, and removes what is no longer desired', async () => {
    const key = { namespace: server.namespace, name: 'applied' };
    const first = await server.client.apply(
      configMaps,
      configMap(key.namespace, key.name, { a: '1', b: '2' }),
    );
    const again = await server.client.apply(
      configMaps,
      configMap(key.namespace, key.name, { a: '1', b: '2' }),
    );
    expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const live = await server.client.apply(configMaps, configMap(key.namespace, key.name, { a: '1' }), {
      live: again,
    });
    expect(live.data).toEqual({ a: '1' });
  });

  test('leaves alone what another manager owns, and takes its own fields back by force', async () => {
    const key = { namespace: server.namespace, name: 'shared' };
    const mine = configMap(key.namespace, key.name, { a: '1' });
    await server.client.apply(configMaps, mine);
    const user = createKubeClient({ transport: server.transport, fieldManager: 'a-user' });
    const changed = await user.apply(configMaps, configMap(key.namespace, key.name, { a: 'theirs', b: '2' }));
    expect(changed.data).toEqual({ a: 'theirs', b: '2' });
    await expect(server.client.apply(configMaps, mine, { force: false })).rejects.toSatisfy(isConflict);
    const back = await server.client.apply(configMaps, mine);
    expect(back.data).toEqual({ a: '1', b: '2' });
  });
});

describe('status', () => {
  test('is patched field by field; the same again writes nothing', async () => {
    const created = await server.client.create(things, thing(server.namespace, 'status'));
    await server.client.patchStatus(things, created, { phase: 'Pending', size: 1 });
    const before = await server.client.get(things, { namespace: server.namespace, name: 'status' });
    expect(before?.status).toEqual({ phase: 'Pending', size: 1 });
    expect(await server.client.patchStatus(things, before!, { size: 1, phase: 'Pending' })).toBe(false);
    // Even a patch that is sent changes no version when it changes nothing.
    await server.client.patchStatus(things, created, { phase: 'Pending' });
    const after = await server.client.get(things, { namespace: server.namespace, name: 'status' });
    expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
    await server.client.patchStatus(things, after!, { phase: 'Running' });
    const last = await server.client.get(things, { namespace: server.namespace, name: 'status' });
    expect(last?.status).toEqual({ phase: 'Running' });
  });

  test('of an object that was replaced by another of its name is refused', async () => {
    const key = { namespace: server.namespace, name: 'replaced' };
    const old = await server.client.create(things, thing(key.namespace, key.name));
    await server.client.delete(things, key);
    await server.client.create(things, thing(key.namespace, key.name));
    await expect(server.client.patchStatus(things, old, { phase: 'Lost' })).rejects.toSatisfy(isConflict);
    const fresh = await server.client.get(things, key);
    expect(fresh?.status).toBeUndefined();
  });

  test('of an object that changed meanwhile is refused where that was asked for', async () => {
    const key = { namespace: server.namespace, name: 'raced' };
    const read = await server.client.create(things, thing(key.namespace, key.name));
    await server.client.patchStatus(things, read, { phase: 'Running' });
    const late = server.client.patchStatus(things, read, { phase: 'Failed' }, { requireUnchanged: true });
    await expect(late).rejects.toSatisfy(isConflict);
    expect(await server.client.patchStatus(things, read, { size: 3 })).toBe(true);
    const last = await server.client.get(things, key);
    expect(last?.status).toEqual({ phase: 'Running', size: 3 });
  });
});

test('delete with a uid spares a later object of the same name', async () => {
  const key = { namespace: server.namespace, name: 'spared' };
  const old = await server.client.create(configMaps, configMap(key.namespace, key.name));
  await server.client.delete(configMaps, key, { uid: old.metadata.uid! });
  await server.client.create(configMaps, configMap(key.namespace, key.name));
  expect(await server.client.delete(configMaps, key, { uid: old.metadata.uid! })).toBe(false);
  expect(await server.client.get(configMaps, key)).toBeDefined();
});

describe('controller', () => {
  type Sut = ReturnType<typeof createTestManager>;

  /** For each Thing one ConfigMap, made by create, so that a stale cache would show as AlreadyExists. */
  function oneChild(sut: Sut, counts: { created: number; passes: number }): Reconciler {
    const owners = sut.manager.watch(things);
    const children = sut.manager.watch(configMaps, {
      indexes: { owner: ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid) },
    });
    return {
      async reconcile({ namespace, name }) {
        counts.passes++;
        const owner = owners.get(namespace, name);
        if (owner === undefined) return;
        const size = owner.spec?.size ?? 0;
        if (children.byIndex('owner', owner.metadata.uid ?? '').length === 0) {
          const child = configMap(namespace, name, {});
          child.metadata.ownerReferences = [ownerReference(owner)];
          await sut.client.create(configMaps, child);
          counts.created++;
        }
        await sut.client.patchStatus(things, owner, { phase: 'Ready', size });
      },
    };
  }

  async function startController() {
    const namespace = await server.createNamespace();
    const sut = createTestManager({ kubeconfig: server.kubeconfig, namespace });
    const counts = { created: 0, passes: 0 };
    sut.manager.controller({
      name: 'thing',
      for: things,
      owns: [{ resource: configMaps, ownerKind: 'Thing' }],
      reconciler: oneChild(sut, counts),
      concurrency: 4,
    });
    await sut.start();
    atEnd.push(() => sut.stop());
    const ready = () => (object: Thing) => object.status?.phase === 'Ready';
    const allReady = async (count: number) => {
      const all = await server.client.list(things, { namespace });
      return all.length === count && all.every(ready());
    };
    return { namespace, sut, counts, allReady };
  }

  test('makes each child once, however fast objects come, and a second pass writes nothing', async () => {
    const { namespace, sut, counts, allReady } = await startController();
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => server.client.create(things, thing(namespace, `t${index}`))),
    );
    await eventually(() => allReady(30));
    await eventually(() => counts.created === 30);
    const text = await sut.metrics.registry.metrics();
    expect(text).not.toMatch(/controller_runtime_reconcile_total\{controller="thing",result="error"\} [1-9]/);

    const before = await versions(server.client, things, namespace);
    const passes = counts.passes;
    const [one] = await server.client.list(things, { namespace });
    await server.client.apply(things, {
      ...thing(namespace, one!.metadata.name),
      metadata: { namespace, name: one!.metadata.name, labels: { touched: 'yes' } },
    });
    await eventually(() => counts.passes > passes);
    const after = await versions(server.client, things, namespace);
    delete before[one!.metadata.name];
    expect(after).toMatchObject(before);
    expect(counts.created).toBe(30);
  });

  test('makes a deleted child again and follows a changed spec', async () => {
    const { namespace, allReady } = await startController();
    const key = { namespace, name: 'x' };
    await server.client.create(things, thing(namespace, 'x'));
    await eventually(() => allReady(1));
    const first = await eventually(async () => (await server.client.get(configMaps, key)) ?? false);
    await server.client.delete(configMaps, key);
    await eventually(async () => {
      const second = await server.client.get(configMaps, key);
      return second !== undefined && second.metadata.uid !== first.metadata.uid;
    });
    await server.client.apply(things, thing(namespace, 'x', 7));
    await eventually(async () => (await server.client.get(things, key))?.status?.size === 7);
  });

  test('retries what lost a race until it wins', async () => {
    const namespace = await server.createNamespace();
    const sut = createTestManager({ kubeconfig: server.kubeconfig, namespace });
    const store = sut.manager.watch(things);
    let races = 3;
    sut.manager.controller({
      name: 'racer',
      for: things,
      reconciler: {
        async reconcile(key) {
          const object = store.get(key.namespace, key.name);
          if (object === undefined) return;
          if (races-- > 0) {
            // Somebody else writes between our read and our write.
            await server.client
              .apply(things, { ...object, spec: { size: 100 + races } })
              .catch(() => undefined);
            const changed = {
              apiVersion: object.apiVersion,
              kind: object.kind,
              metadata: key,
              spec: { size: races },
            };
            await server.client.apply(things, changed);
          }
          await sut.client.patchStatus(things, object, { phase: 'Ready' }, { requireUnchanged: true });
        },
      },
    });
    await sut.start();
    atEnd.push(() => sut.stop());
    await server.client.create(things, thing(namespace, 'x', 50));
    await eventually(async () => {
      const object = await server.client.get(things, { namespace, name: 'x' });
      return object?.status?.phase === 'Ready';
    });
  });

  test('on a graceful stop finishes what runs and begins nothing more', async () => {
    const namespace = await server.createNamespace();
    const sut = createTestManager({ kubeconfig: server.kubeconfig, namespace });
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const log: string[] = [];
    sut.manager.controller({
      name: 'slow',
      for: things,
      concurrency: 1,
      reconciler: {
        async reconcile({ name }) {
          log.push(`begin ${name}`);
          begun.resolve();
          await finish.promise;
          log.push(`end ${name}`);
        },
      },
    });
    await sut.start();
    await server.client.create(things, thing(namespace, 'a'));
    await begun.promise;
    await server.client.create(things, thing(namespace, 'b'));
    const stopped = sut.stop();
    finish.resolve();
    await stopped;
    expect(log).toEqual(['begin a', 'end a']);
  });
});

describe('namespaces', () => {
  test('outside of the list are not seen', async () => {
    const [one, two, other] = [
      await server.createNamespace(),
      await server.createNamespace(),
      await server.createNamespace(),
    ];
    const sut = createTestManager(server, { namespaces: [one, two] });
    const store = sut.manager.watch(things);
    await sut.start();
    atEnd.push(() => sut.stop());
    for (const namespace of [other, one, two]) await server.client.create(things, thing(namespace, 'x'));
    await eventually(() =>
      expect(
        store
          .list()
          .map((object) => object.metadata.namespace)
          .sort(),
      ).toEqual([one, two].sort()),
    );
    expect(store.get(other, 'x')).toBeUndefined();
  });
});

describe('leader election', () => {
  const timing: LeaderTiming = { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 400 };

  function candidate(identity: string, name: string) {
    const transport = createTransport({
      connection: loadConnection({ kubeconfig: server.kubeconfig }),
      clock: realClock,
    });
    const elector = createLeaderElector({
      transport,
      clock: realClock,
      logger: silentLogger,
      lease: { namespace: server.namespace, name },
      identity,
      timing,
    });
    const stop = new AbortController();
    atEnd.push(async () => {
      stop.abort();
      await transport.close();
    });
    return { elector, stop };
  }

  test('a standby takes over from a leader that dies, after the lease time', async () => {
    const [one, two] = [candidate('one', 'dies'), candidate('two', 'dies')];
    expect(await one.elector.acquire(one.stop.signal)).toBe(true);
    const held = one.elector.hold(one.stop.signal);
    const takeover = two.elector.acquire(two.stop.signal);
    one.stop.abort(); // no renewal any more, and no release
    await held;
    const died = performance.now();
    expect(await takeover).toBe(true);
    expect(performance.now() - died).toBeGreaterThan(timing.leaseMs - timing.retryMs - 200);
    const lease = await server.client.get(leases, { namespace: server.namespace, name: 'dies' });
    expect(lease?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  });

  test('a standby takes over from a leader that releases without waiting for the lease to run out', async () => {
    const [one, two] = [candidate('one', 'releases'), candidate('two', 'releases')];
    await one.elector.acquire(one.stop.signal);
    const held = one.elector.hold(one.stop.signal);
    const takeover = two.elector.acquire(two.stop.signal);
    one.stop.abort();
    await held;
    await one.elector.release();
    const released = performance.now();
    expect(await takeover).toBe(true);
    expect(performance.now() - released).toBeLessThan(timing.leaseMs);
  });

  test('only the leader reconciles; a released lease moves the work', async () => {
    const namespace = await server.createNamespace();
    const seen: Record<string, string[]> = { one: [], two: [] };
    const start = async (identity: string) => {
      const sut = createTestManager(
        { kubeconfig: server.kubeconfig, namespace },
        { leaderElection: { namespace, name: 'lease', identity, timing } },
      );
      sut.manager.controller({
        name: identity,
        for: things,
        reconciler: { reconcile: ({ name }) => Promise.resolve(void seen[identity]?.push(name)) },
      });
      await sut.start();
      return sut;
    };
    const one = await start('one');
    await eventually(() => one.manager.isLeader());
    const two = await start('two');
    atEnd.push(() => two.stop());
    await server.client.create(things, thing(namespace, 'a'));
    await eventually(() => expect(seen.one).toContain('a'));
    expect(two.manager.isLeader()).toBe(false);
    expect(() => two.manager.assertLeader()).toThrow(LeadershipLostError);
    expect(seen.two).toEqual([]);
    await one.stop();
    const stopped = performance.now();
    await eventually(() => expect(seen.two).toContain('a'));
    expect(performance.now() - stopped).toBeLessThan(timing.leaseMs);
  });

  test('a leader that stood still longer than its deadline writes nothing, renews, and goes on', async () => {
    const namespace = await server.createNamespace();
    const leaderElection = { namespace, name: 'lease', identity: 'one', timing };
    const sut = createTestManager({ kubeconfig: server.kubeconfig, namespace }, { leaderElection });
    await sut.start();
    atEnd.push(() => sut.stop());
    await eventually(() => sut.manager.isLeader());
    // Blocks the process, as parsing many megabytes would.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timing.renewDeadlineMs + 400);
    const tooEarly = sut.client.create(configMaps, configMap(namespace, 'early'));
    await expect(tooEarly).rejects.toBeInstanceOf(LeadershipLostError);
    await eventually(() => sut.client.create(configMaps, configMap(namespace, 'late')));
    expect(await server.client.get(configMaps, { namespace, name: 'early' })).toBeUndefined();
    const lease = await server.client.get(leases, { namespace, name: 'lease' });
    expect(lease?.spec).toMatchObject({ holderIdentity: 'one', leaseTransitions: 0 });
    // Past the deadline, had it been missed.
    await eventually(() =>
      expect(Date.parse(sut.manager.state().leader.renewedAt?.toString() ?? '')).toBeGreaterThan(
        Date.now() - timing.renewDeadlineMs,
      ),
    );
    expect(sut.manager.isLeader()).toBe(true);
  });

  test('a process that loses the lease stops with an error', async () => {
    const namespace = await server.createNamespace();
    const transport = createTransport({
      connection: loadConnection({ kubeconfig: server.kubeconfig }),
      clock: realClock,
    });
    atEnd.push(() => transport.close());
    const manager = createManager({
      transport,
      clock: realClock,
      logger: silentLogger,
      metrics: createMetrics(),
      namespaces: [namespace],
      leaderElection: { namespace, name: 'lease', identity: 'one', timing },
    });
    const ended = manager.start(new AbortController().signal).catch((error: unknown) => error);
    await eventually(() => manager.isLeader());
    const thief = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace, name: 'lease' },
    };
    await server.client.apply(leases, { ...thief, spec: { holderIdentity: 'thief' } });
    expect(await ended).toBeInstanceOf(LeadershipLostError);
    expect(manager.isLeader()).toBe(false);
  });
});

type RecordedEvent = KubeObject & {
  reason: string;
  note: string;
  regarding: { uid: string };
  series?: { count: number };
};
const events: Resource<RecordedEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

test('events are recorded, and repeats as a series', async () => {
  const namespace = await server.createNamespace();
  const object = await server.client.create(things, thing(namespace, 'x'));
  let monotonic = 0;
  const recorder = createEventRecorder({
    transport: server.transport,
    clock: { ...realClock, monotonic: () => monotonic },
    logger: silentLogger,
    controller: 'sparsedm.io/operator',
    instance: 'test',
  });
  for (let count = 0; count < 3; count++) {
    recorder.event(object, 'Warning', 'PullFailed', 'The image cannot be pulled.');
    await recorder.flush();
    monotonic += 11_000;
  }
  const recorded = await server.client.list(events, { namespace });
  expect(recorded).toHaveLength(1);
  expect(recorded[0]).toMatchObject({
    reason: 'PullFailed',
    note: 'The image cannot be pulled.',
    regarding: { uid: object.metadata.uid },
    series: { count: 3 },
  });
});

test('an event with more words than the API takes is recorded all the same', async () => {
  const namespace = await server.createNamespace();
  const object = await server.client.create(things, thing(namespace, 'x'));
  const recorder = createEventRecorder({
    transport: server.transport,
    clock: realClock,
    logger: silentLogger,
    controller: 'sparsedm.io/operator',
    instance: 'operator-'.padEnd(253, 'x'),
  });
  recorder.event(object, 'Warning', 'Reason'.padEnd(300, 'x'), 'ü🐟'.repeat(600));
  await recorder.flush();
  const [recorded] = await server.client.list(events, { namespace });
  expect(Buffer.byteLength(recorded?.note ?? '')).toBeGreaterThan(1000);
});
