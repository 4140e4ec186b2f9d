import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  hangUp,
  json,
  refusal,
  scriptedServer,
  type Answer,
  type ScriptedServer,
  type SeenRequest,
} from '../../../test/integration/scripted-server';
import { FakeClock } from '../../../test/support/fake-clock';
import { silentLogger } from '../../../test/support/silent-logger';
import { realClock, type Clock } from '../clock';
import { createTransport } from '../http/transport';
import type { KubeObject, Resource } from '../objects';
import { createMetrics } from '../telemetry/metrics';
import { createReflector, type ReflectorTuning } from './reflector';
import { ObjectStore } from './store';

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

/** In pages, unless a test is about streamed lists. */
const quick: Partial<ReflectorTuning> = { streamLists: false, backoff: { baseMs: 1, capMs: 4 } };

async function reflect(
  answers: readonly Answer[],
  tuning: Partial<ReflectorTuning> = {},
  clock: Clock = realClock,
  mayBeMissing = false,
) {
  const server = await scriptedServer(answers);
  const metrics = createMetrics();
  const transport = createTransport({ connection: server.connection, clock });
  const store = new ObjectStore<Thing>();
  const reflector = createReflector({
    transport,
    clock,
    logger: silentLogger,
    metrics,
    resource: things,
    store,
    labelSelector: 'app=x',
    tuning: { ...quick, ...tuning },
    mayBeMissing,
  });
  const stop = new AbortController();
  const running = reflector.run(stop.signal);
  open.push(async () => {
    stop.abort();
    await running;
    await transport.close();
    await server.close();
  });
  return { server, store, reflector, metrics, stop, running };
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

test('a stop in the moment in which a list is complete is not overheard', async () => {
  const { store, stop, running } = await reflect([list(10, [item('x', 5)]), watch()]);
  store.subscribe(() => stop.abort());
  await running;
  expect(store.size).toBe(1);
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

test('lists whose version no watch takes are spaced out', async () => {
  const expired = [list(10, []), refusal(410, 'Expired')];
  const { server } = await reflect([...expired, ...expired, ...expired, ...expired, list(10, []), watch()], {
    backoff: { baseMs: 20, capMs: 20 },
  });
  await server.received(4);
  const started = performance.now();
  await server.received(9);
  // After the second, third and fourth refusal at least half of the back-off.
  expect(performance.now() - started).toBeGreaterThanOrEqual(3 * 10 - 2);
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

describe('a streamed list', () => {
  const streaming: Partial<ReflectorTuning> = { streamLists: true };
  const added = (name: string, version: number) => line('ADDED', item(name, version));
  const end = (version: number) =>
    line('BOOKMARK', {
      metadata: { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } },
    });
  const bookmark = (version: number) => line('BOOKMARK', { metadata: { resourceVersion: String(version) } });
  const how = ({ query }: SeenRequest) =>
    query.get('sendInitialEvents') === 'true' ? 'stream' : query.get('watch') === 'true' ? 'watch' : 'list';

  test('is the beginning of a watch, which goes on behind it', async () => {
    const { server, store, reflector, metrics } = await reflect(
      [watch(added('x', 5), added('y', 6), end(10), line('MODIFIED', item('x', 11)))],
      streaming,
    );
    await holds(store, ['x@11', 'y@6']);
    expect(reflector.synced()).toBe(true);
    expect(store.get('a', 'x')?.metadata).not.toHaveProperty('managedFields');
    const [only] = server.seen;
    expect(Object.fromEntries(only?.query ?? [])).toMatchObject({
      watch: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
      labelSelector: 'app=x',
    });
    expect(only?.query.has('resourceVersion')).toBe(false);
    expect(only?.query.has('limit')).toBe(false);
    expect(server.seen).toHaveLength(1);
    const text = await metrics.registry.metrics();
    expect(text).toContain('reflector_lists_total{name="things.example.org"} 1');
    expect(text).toContain('reflector_watches_total{name="things.example.org"} 1');
  });

  test('is taken over as a whole, and a watch resumes behind it', async () => {
    const { server, store, reflector } = await reflect(
      [endedWatch([added('x', 5), end(10)]), watch()],
      streaming,
    );
    await holds(store, ['x@5']);
    await server.received(2);
    expect(server.seen.map(how)).toEqual(['stream', 'watch']);
    expect(server.seen[1]?.query.get('resourceVersion')).toBe('10');
    expect(reflector.state()).toMatchObject({ lists: 'streamed', synced: true });
  });

  test('includes what changes and goes while it is read', async () => {
    const { store } = await reflect(
      [
        watch(
          added('x', 5),
          added('y', 6),
          line('MODIFIED', item('x', 8)),
          line('DELETED', item('y', 9)),
          end(9),
        ),
      ],
      streaming,
    );
    await holds(store, ['x@8']);
  });

  test('after a gap shows the deletions that were missed, and the store is never empty', async () => {
    let sawEmpty = false;
    const { server, store } = await reflect(
      [
        endedWatch([added('x', 5), added('y', 6), end(10)]),
        refusal(410, 'Expired'),
        watch(added('y', 80), end(90)),
      ],
      streaming,
    );
    await holds(store, ['x@5', 'y@6']);
    store.subscribe(() => (sawEmpty ||= store.size === 0));
    await holds(store, ['y@80']);
    expect(server.seen.map(how)).toEqual(['stream', 'watch', 'stream']);
    expect(sawEmpty).toBe(false);
  });

  test('of nothing leaves an empty and synced store', async () => {
    const { reflector, store } = await reflect([watch(end(10))], streaming);
    await reflector.whenSynced;
    expect([store.size, store.resourceVersion]).toEqual([0, '10']);
  });

  test('that is cut in the middle starts again', async () => {
    const { server, store } = await reflect(
      [endedWatch([added('x', 5)], true), watch(added('x', 5), added('y', 6), end(10))],
      streaming,
    );
    await holds(store, ['x@5', 'y@6']);
    expect(server.seen.map(how)).toEqual(['stream', 'stream']);
  });

  test.each([
    ['is cut every time', endedWatch([added('ghost', 4)], true), {}],
    ['ends every time before it is complete', endedWatch([added('ghost', 4)]), {}],
    ['is refused for now', refusal(500, 'InternalError'), {}],
    ['misses its deadline', trickle(added('ghost', 4)), { listDeadlineMs: 250 }],
  ])('that %s gives way to pages, once', async (_, failure, tuning: Partial<ReflectorTuning>) => {
    const { server, store, reflector } = await reflect(
      [
        failure,
        failure,
        list(10, [item('x', 5)]),
        refusal(410, 'Gone'),
        watch(added('x', 5), added('z', 80), end(90)),
      ],
      { ...streaming, ...tuning },
    );
    await holds(store, ['x@5', 'z@80']);
    expect(server.seen.map(how)).toEqual(['stream', 'stream', 'list', 'watch', 'stream']);
    expect(reflector.state()).toMatchObject({ lists: 'streamed', synced: true });
  });

  test.each([
    ['refuses the parameters as invalid', refusal(422, 'Invalid'), {}],
    ['refuses them as a bad request', refusal(400, 'BadRequest'), {}],
    ['sends an ordinary bookmark', watch(added('ghost', 4), bookmark(9)), {}],
    ['says all and falls silent', watch(added('ghost', 4)), { streamSilenceMs: 20 }],
    ['says nothing at all', watch(), { streamSilenceMs: 20 }],
  ])('is not asked for again from a server that %s', async (_, answer, tuning: Partial<ReflectorTuning>) => {
    const { server, store, reflector, metrics } = await reflect(
      [answer, list(10, [item('x', 5)]), refusal(410, 'Gone'), list(90, [item('z', 80)]), watch()],
      { ...streaming, ...tuning },
    );
    await holds(store, ['z@80']);
    await server.received(5);
    expect(server.seen.map(how)).toEqual(['stream', 'list', 'watch', 'list', 'watch']);
    expect(reflector.state().lists).toBe('paged');
    // Asking was no failure; the watch that was refused was one.
    expect(await metrics.registry.metrics()).toContain(
      'reflector_failures_total{name="things.example.org"} 1',
    );
  });

  test('leaves no timer behind', async () => {
    const clock = new FakeClock();
    const { reflector } = await reflect([watch(added('x', 5), end(10))], streaming, clock);
    await reflector.whenSynced;
    // That of the watch's idle limit alone.
    await vi.waitUntil(() => clock.pending === 1);
  });

  test('younger than a write of ours keeps it, as a list in pages does', async () => {
    let say: (text: string) => void = () => undefined;
    const { server, store } = await reflect(
      [
        endedWatch([added('x', 5), end(10)]),
        refusal(410, 'Gone'),
        (response) => {
          say = (text) => response.write(text);
          response.flushHeaders();
        },
      ],
      streaming,
    );
    await server.received(3);
    store.observeWrite({ apiVersion: 'example.org/v1', kind: 'Thing', ...item('mine', 95) });
    say(added('x', 5) + end(90));
    say(line('MODIFIED', item('x', 96)));
    await holds(store, ['mine@95', 'x@96']);
  });
});

/** A watch that repeats a line again and again. */
function trickle(text: string): Answer {
  return (response) => {
    const timer = setInterval(() => response.write(text), 5);
    response.on('close', () => clearInterval(timer));
  };
}

describe('a kind that the cluster may lack', () => {
  const absent = refusal(404, 'NotFound', 'the server could not find the requested resource');

  test('counts as an empty list, and fills the store once the kind is there', async () => {
    const { server, store, reflector, metrics } = await reflect(
      [absent, absent, list(10, [item('x', 5)]), watch(line('ADDED', item('y', 11)))],
      { missingMs: 5 },
      realClock,
      true,
    );
    await reflector.whenSynced;
    expect(reflector.missing()).toBe(true);
    expect(store.list()).toEqual([]);
    await holds(store, ['x@5', 'y@11']);
    expect(reflector.missing()).toBe(false);
    expect(kinds(server)).toEqual(['list', 'list', 'list', 'watch']);
    expect(await metrics.registry.metrics()).not.toMatch(/watch_failures_total\{[^}]*\} [1-9]/);
  });

  test('takes its objects along when it goes', async () => {
    const { store, reflector } = await reflect(
      [list(10, [item('x', 5)]), endedWatch([line('ADDED', item('y', 11))]), absent, list(20, []), watch()],
      { missingMs: 60_000 },
      realClock,
      true,
    );
    await holds(store, ['x@5', 'y@11']);
    await holds(store, []);
    expect(reflector.missing()).toBe(true);
  });

  test('is looked for at leisure, not with the back-off of a failure', async () => {
    const clock = new FakeClock();
    const { server, reflector } = await reflect([absent, list(10, []), watch()], {}, clock, true);
    await reflector.whenSynced;
    await clock.advanceAsync(14_000);
    expect(server.seen).toHaveLength(1);
  });
});
