import { afterEach, describe, expect, test } from 'vitest';
import {
  hangUp,
  json,
  refusal,
  scriptedServer,
  type Answer,
  type ScriptedServer,
  type SeenRequest,
} from '../../test/integration/scripted-server';
import { realClock } from './clock';
import { silentLogger } from './logger';
import { createMetrics } from './metrics';
import type { KubeObject, Resource } from './objects';
import { createReflector, type ReflectorTuning } from './reflector';
import { ObjectStore } from './store';
import { createTransport } from './transport';

type Thing = KubeObject & { value?: string };
const things: Resource<Thing> = {
  group: 'example.org',
  version: 'v1',
  plural: 'things',
  kind: 'Thing',
  namespaced: true,
};

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** An item as a list holds it: with managed fields, without apiVersion and kind. */
function item(name: string, version: number) {
  return { metadata: { name, namespace: 'a', resourceVersion: String(version), managedFields: [{}] } };
}

function list(version: number, items: object[], token?: string): Answer {
  return json({ metadata: { resourceVersion: String(version), continue: token }, items });
}

function line(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** A watch that says these lines and stays open. */
function watch(...lines: string[]): Answer {
  return (response) => {
    response.writeHead(200);
    response.flushHeaders();
    if (lines.length > 0) response.write(lines.join(''));
  };
}

/** A watch that says these lines and ends, well or (cut) not. */
function endedWatch(lines: string[], cut = false): Answer {
  return (response) => {
    if (cut) response.write(lines.join(''), () => response.socket?.destroy());
    else response.end(lines.join(''));
  };
}

const quick: Partial<ReflectorTuning> = { backoff: { baseMs: 1, capMs: 4 } };

async function reflect(answers: readonly Answer[], tuning: Partial<ReflectorTuning> = {}) {
  const server = await scriptedServer(answers);
  const metrics = createMetrics();
  const transport = createTransport({ connection: server.connection, clock: realClock });
  const store = new ObjectStore<Thing>();
  const reflector = createReflector({
    transport,
    clock: realClock,
    logger: silentLogger,
    metrics,
    resource: things,
    store,
    labelSelector: 'app=x',
    tuning: { ...quick, ...tuning },
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  open.push(async () => {
    stop.abort();
    await running;
    await transport.close();
    await server.close();
  });
  return { server, store, reflector, metrics };
}

/** Resolves when the store holds exactly these objects. */
function holds(store: ObjectStore<Thing>, want: string[]): Promise<void> {
  const state = () =>
    store
      .list()
      .map((thing) => `${thing.metadata.name}@${thing.metadata.resourceVersion}`)
      .sort();
  const matches = () => JSON.stringify(state()) === JSON.stringify(want);
  return new Promise((resolve) => {
    if (matches()) return resolve();
    const end = store.subscribe(() => {
      if (!matches()) return;
      end();
      resolve();
    });
  });
}

const kinds = (server: ScriptedServer) => server.seen.map((seen) => (isWatch(seen) ? 'watch' : 'list'));
const isWatch = (seen: SeenRequest) => seen.query.get('watch') === 'true';

test('lists, then watches from where the list was read', async () => {
  const { server, store, reflector } = await reflect([
    list(10, [item('x', 5)]),
    watch(line('ADDED', item('y', 11))),
  ]);
  expect(reflector.synced()).toBe(false);
  await holds(store, ['x@5', 'y@11']);
  expect(reflector.synced()).toBe(true);
  const [listed, watched] = server.seen;
  expect(listed?.path).toBe('/apis/example.org/v1/things');
  expect(listed?.query.get('limit')).toBe('500');
  expect(listed?.query.get('labelSelector')).toBe('app=x');
  expect(watched?.query.get('labelSelector')).toBe('app=x');
  expect(watched?.query.get('resourceVersion')).toBe('10');
  expect(watched?.query.get('allowWatchBookmarks')).toBe('true');
  const seconds = Number(watched?.query.get('timeoutSeconds'));
  expect(seconds).toBeGreaterThanOrEqual(300);
  expect(seconds).toBeLessThanOrEqual(600);
});

test('caches objects without managed fields and with the type that lists leave out', async () => {
  const { store } = await reflect([list(10, [item('x', 5)]), watch()]);
  await holds(store, ['x@5']);
  expect(store.get('a', 'x')).toEqual({
    apiVersion: 'example.org/v1',
    kind: 'Thing',
    metadata: { name: 'x', namespace: 'a', resourceVersion: '5' },
  });
});

test('reads a list page by page', async () => {
  const { server, store, metrics } = await reflect(
    [list(10, [item('x', 1)], 'next'), list(10, [item('y', 2)], 'more'), list(10, [item('z', 3)]), watch()],
    { pageSize: 1 },
  );
  await holds(store, ['x@1', 'y@2', 'z@3']);
  await server.received(4);
  expect(server.seen.map((seen) => seen.query.get('continue'))).toEqual([null, 'next', 'more', null]);
  expect(await metrics.registry.metrics()).toContain('reflector_lists_total{name="things.example.org"} 1');
});

test('starts a list over when its continue token has expired', async () => {
  const expired = refusal(410, 'Expired');
  const first = list(10, [item('x', 1)], 'next');
  const { server, store } = await reflect([
    first,
    expired,
    first,
    expired,
    list(12, [item('x', 1), item('y', 2)]),
    watch(),
  ]);
  await holds(store, ['x@1', 'y@2']);
  // Having failed twice in pages, it reads the list in one piece.
  expect(server.seen[4]?.query.get('limit')).toBeNull();
});

test('applies changes, deletions and bookmarks, and resumes from the last of them', async () => {
  const { server, store } = await reflect([
    list(10, [item('x', 5), item('y', 6)]),
    endedWatch([
      line('MODIFIED', item('x', 11)),
      line('DELETED', item('y', 12)),
      line('BOOKMARK', { metadata: { resourceVersion: '40' } }),
    ]),
    watch(),
  ]);
  await holds(store, ['x@11']);
  await server.received(3);
  expect(server.seen[2]?.query.get('resourceVersion')).toBe('40');
});

test.each([
  ['a refused watch', refusal(410, 'Gone')],
  [
    'an error event',
    endedWatch([line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' })]),
  ],
])('410 by %s leads to a new list, in which missed deletions show', async (_, gone) => {
  const { server, store } = await reflect([
    list(10, [item('x', 5), item('y', 6)]),
    gone,
    list(90, [item('y', 80)]),
    watch(),
  ]);
  await holds(store, ['y@80']);
  await server.received(4);
  expect(kinds(server)).toEqual(['list', 'watch', 'list', 'watch']);
  expect(server.seen[3]?.query.get('resourceVersion')).toBe('90');
});

test('the store is never empty while a list is read again', async () => {
  let sawEmpty = false;
  const { server, store } = await reflect([
    list(10, [item('x', 5)]),
    refusal(410, 'Gone'),
    list(90, [item('x', 80)]),
    watch(),
  ]);
  await holds(store, ['x@5']);
  store.subscribe(() => (sawEmpty ||= store.size === 0));
  await holds(store, ['x@80']);
  await server.received(4);
  expect(sawEmpty).toBe(false);
});

test('a watch that is cut in the middle of a line resumes where the last whole line stood', async () => {
  const { server, store } = await reflect([
    list(10, []),
    endedWatch([line('ADDED', item('x', 11)), line('ADDED', item('y', 12)).slice(0, 30)], true),
    watch(line('ADDED', item('y', 12))),
  ]);
  await holds(store, ['x@11', 'y@12']);
  expect(server.seen[2]?.query.get('resourceVersion')).toBe('11');
});

test('a silent watch is given up and opened again', async () => {
  const { server, store } = await reflect([list(10, []), watch(), watch(line('ADDED', item('x', 11)))], {
    idleMs: 20,
  });
  await holds(store, ['x@11']);
  expect(kinds(server).slice(0, 3)).toEqual(['list', 'watch', 'watch']);
});

describe('never gives up', () => {
  test.each([
    ['the CRD is missing', refusal(404, 'NotFound')],
    ['we may not list', refusal(403, 'Forbidden')],
    ['the server hangs up', hangUp],
    ['the server has an internal error', refusal(500, 'InternalError')],
    ['the answer is no JSON', ((response) => void response.end('<html>')) satisfies Answer],
  ])('when %s', async (_, failure) => {
    const failures = Array.from({ length: 12 }, () => failure);
    const { store, reflector } = await reflect([...failures, list(10, [item('x', 5)]), watch()]);
    await holds(store, ['x@5']);
    expect(reflector.synced()).toBe(true);
  });

  test('and keeps what it has meanwhile', async () => {
    const { server, store } = await reflect([
      list(10, [item('x', 5)]),
      refusal(404, 'NotFound'),
      refusal(404, 'NotFound'),
      refusal(404, 'NotFound'),
      list(90, [item('z', 80)]),
      watch(),
    ]);
    await server.received(3);
    expect(store.size).toBe(1);
    await holds(store, ['z@80']);
    await server.received(6);
    expect(kinds(server)).toEqual(['list', 'watch', 'list', 'list', 'list', 'watch']);
  });
});

test('a version the server does not know yet (restored etcd) leads to a new list', async () => {
  const tooLarge = json(
    {
      kind: 'Status',
      code: 504,
      reason: 'Timeout',
      message: 'Too large resource version',
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    },
    504,
  );
  const { store } = await reflect([list(100, [item('x', 50)]), tooLarge, list(20, [item('x', 15)]), watch()]);
  await holds(store, ['x@15']);
});

test('watches that end at once with nothing are spaced out', async () => {
  const { server, metrics } = await reflect([list(10, []), endedWatch([])], {
    backoff: { baseMs: 40, capMs: 40 },
  });
  await server.received(5);
  const started = performance.now();
  await server.received(9);
  expect(performance.now() - started).toBeGreaterThanOrEqual(4 * 20 - 5);
  expect(await metrics.registry.metrics()).toMatch(
    /reflector_watches_total\{name="things.example.org"\} \d+/,
  );
});

test('a Retry-After past the deadline is kept to', async () => {
  const busy = refusal(429, 'TooManyRequests', 'busy', { 'retry-after': '1' });
  const { server, store } = await reflect([busy, list(10, [item('x', 5)]), watch()], { listDeadlineMs: 100 });
  const started = performance.now();
  await holds(store, ['x@5']);
  expect(performance.now() - started).toBeGreaterThanOrEqual(950);
  await server.received(3);
  expect(kinds(server)).toEqual(['list', 'list', 'watch']);
});
