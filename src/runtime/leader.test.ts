import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { silentLogger } from '../../test/support/silent-logger';
import { ApiError, LeadershipLostError, TransportError } from './errors';
import type { Request, Transport, WatchEvent, WatchRequest } from './http/transport';
import { createLeaderElector, type Lease } from './leader';
import { createMetrics } from './telemetry/metrics';

type Mode = 'works' | 'fails' | 'hangs';
/** What becomes of a candidate's requests and of its watches; a watch that hangs is cut off in what it follows too. */
type Connection = { mode: Mode; watch: Mode };

/** One Lease with the API server's optimistic locking, reachable by several candidates, each of which can be cut off. */
function leaseServer(clock: FakeClock) {
  let lease: Lease | undefined;
  let version = 0;
  const writes: { by: string; at: number; holder: string }[] = [];
  const reads: { by: string; at: number }[] = [];
  const watchers = new Set<(event: WatchEvent) => void>();

  function tell(type: WatchEvent['type'], object: Lease): void {
    for (const watcher of watchers) watcher({ type, object: structuredClone(object) });
  }

  function store(next: Lease, by: string): Lease {
    const type = lease === undefined ? 'ADDED' : 'MODIFIED';
    lease = { ...structuredClone(next), metadata: { ...next.metadata, resourceVersion: String(++version) } };
    writes.push({ by, at: clock.monotonic(), holder: next.spec?.holderIdentity ?? '' });
    tell(type, lease);
    return structuredClone(lease);
  }

  function answer(request: Request, by: string): Lease {
    const body = request.body as Lease;
    if (request.method === 'POST') {
      if (lease !== undefined)
        throw new ApiError({ status: 409, reason: 'AlreadyExists', message: 'exists' });
      return store(body, by);
    }
    if (request.method === 'GET') reads.push({ by, at: clock.monotonic() });
    if (lease === undefined) throw new ApiError({ status: 404, reason: 'NotFound', message: 'no lease' });
    if (request.method === 'GET') return structuredClone(lease);
    if (body.metadata.resourceVersion !== lease.metadata.resourceVersion) {
      throw new ApiError({ status: 409, reason: 'Conflict', message: 'modified' });
    }
    return store(body, by);
  }

  /** As the transport's: silence for the idle limit is an error, an abort the end. */
  async function* watch(request: WatchRequest, state: Connection): AsyncGenerator<WatchEvent[], void> {
    if (state.watch === 'fails')
      throw new ApiError({ status: 403, reason: 'Forbidden', message: 'no watch' });
    const events: WatchEvent[] =
      lease === undefined ? [] : [{ type: 'ADDED', object: structuredClone(lease) }];
    let wake = () => {};
    const watcher = (event: WatchEvent) => {
      if (state.watch !== 'works') return;
      events.push(event);
      wake();
    };
    const stop = () => wake();
    watchers.add(watcher);
    request.signal?.addEventListener('abort', stop);
    try {
      while (request.signal?.aborted !== true) {
        if (events.length > 0 && state.watch === 'works') {
          yield events.splice(0);
          continue;
        }
        const { promise, resolve } = Promise.withResolvers<string>();
        const cancel = clock.setTimeout(() => resolve('idle'), request.idleMs);
        wake = () => resolve('woken');
        const why = await promise;
        cancel();
        if (why === 'idle') throw new TransportError('nothing was heard');
      }
    } finally {
      watchers.delete(watcher);
      request.signal?.removeEventListener('abort', stop);
    }
  }

  /** mode: works, fails at once, or hangs until the deadline of the caller. */
  function connection(by: string, state: Connection): Transport {
    return {
      request<T>(request: Request): Promise<T> {
        if (state.mode === 'fails') return Promise.reject(new TransportError('refused'));
        if (state.mode === 'hangs') {
          return new Promise((_, reject) => {
            clock.setTimeout(() => reject(new TransportError('no answer')), request.deadlineMs ?? 30_000);
          });
        }
        return new Promise((resolve) => resolve(answer(request, by) as T));
      },
      watch: (request) => watch(request, state),
      close: () => Promise.resolve(),
    };
  }
  return {
    connection,
    writes,
    reads,
    get watchers() {
      return watchers.size;
    },
    get lease() {
      return lease;
    },
    touch: () => void store(lease!, 'somebody'),
    steal: (holder: string) =>
      void store({ ...lease!, spec: { ...lease!.spec, holderIdentity: holder } }, holder),
    remove() {
      const gone = lease!;
      lease = undefined;
      tell('DELETED', gone);
    },
  };
}

function candidate(
  clock: FakeClock,
  server: ReturnType<typeof leaseServer>,
  identity: string,
  connection: Partial<Connection> = {},
) {
  const state: Connection = { mode: 'works', watch: 'works', ...connection };
  const metrics = createMetrics();
  const elector = createLeaderElector({
    transport: server.connection(identity, state),
    clock,
    logger: silentLogger,
    metrics,
    random: () => 0.5,
    lease: { namespace: 'system', name: 'operator' },
    identity,
  });
  const stop = new AbortController();
  let acquired: boolean | undefined;
  const waiting = elector.acquire(stop.signal).then((value) => (acquired = value));
  return { elector, state, stop, metrics, waiting, acquired: () => acquired };
}

/** One that leads and renews. */
async function leader() {
  const clock = new FakeClock();
  const server = leaseServer(clock);
  const one = candidate(clock, server, 'one');
  await one.waiting;
  let lost: unknown;
  const held = one.elector.hold(one.stop.signal).catch((error: unknown) => (lost = error));
  return { clock, server, one, held, lost: () => lost };
}

describe('acquire', () => {
  test('creates the lease when there is none', async () => {
    const clock = new FakeClock('2026-01-01T00:00:00Z');
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one');
    expect(await one.waiting).toBe(true);
    expect(server.lease?.spec).toEqual({
      holderIdentity: 'one',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
      leaseTransitions: 0,
    });
    expect(one.elector.isLeader()).toBe(true);
    expect(await one.metrics.registry.metrics()).toContain(
      'leader_election_master_status{name="operator"} 1',
    );
  });

  test('waits for a holder that renews, whatever its clock says', async () => {
    const { clock, server, one, held } = await leader();
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(120_000);
    expect(two.acquired()).toBeUndefined();
    expect(one.elector.isLeader()).toBe(true);
    one.stop.abort();
    two.stop.abort();
    await held;
    expect(await two.waiting).toBe(false);
  });

  const watches = [
    ['watched', 'works'],
    ['that may not be watched', 'fails'],
    ['whose watch is silent', 'hangs'],
  ] as const;

  test.each(watches)('takes over a dead holder when a lease %s has run out, not sooner', async (_, watch) => {
    const { clock, server, one, held } = await leader();
    const two = candidate(clock, server, 'two', { watch });
    await clock.advanceAsync(61_000);
    one.stop.abort(); // and dies: its last renewal was at 60 s
    await held;
    // Where it asks, it may have seen that one only a retry period later.
    const seenBy = watch === 'works' ? 60_000 : 66_000;
    await clock.advanceAsync(60_000 + 14_999 - clock.monotonic());
    expect(two.acquired()).toBeUndefined();
    await clock.advanceAsync(seenBy + 15_000 + 1 - clock.monotonic());
    expect(two.acquired()).toBe(true);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
    expect(server.watchers).toBe(0);
  });

  test.each(watches)('takes a released lease %s', async (_, watch) => {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one');
    await one.waiting;
    const two = candidate(clock, server, 'two', { watch });
    await clock.advanceAsync(700);
    await one.elector.release();
    expect(one.elector.isLeader()).toBe(false);
    expect(server.writes).toContainEqual({ by: 'one', at: 700, holder: '' });
    // At once; or within a retry period; or when the silence shows that the watch is broken.
    await clock.advanceAsync({ works: 0, fails: 2_000, hangs: 6_000 }[watch]);
    expect(two.acquired()).toBe(true);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'two' });
  });

  test('stands by without a request', async () => {
    const { clock, server, one, held } = await leader();
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(300_000);
    expect(server.reads.filter(({ by }) => by === 'two')).toEqual([{ by: 'two', at: 0 }]);
    one.stop.abort();
    two.stop.abort();
    await Promise.all([held, two.waiting]);
  });

  test('asks at its pace where the server refuses both watch and lease', async () => {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    await candidate(clock, server, 'dead').waiting;
    const two = candidate(clock, server, 'two', { mode: 'fails', watch: 'fails' });
    await clock.advanceAsync(60_000);
    expect(clock.pending).toBe(1);
    expect(two.acquired()).toBeUndefined();
    two.stop.abort();
  });

  test('leaves a lease that somebody deleted to its holder, until it would have run out', async () => {
    const { clock, server, one, held } = await leader();
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(4_100);
    server.remove();
    await clock.advanceAsync(60_000);
    expect(server.lease?.spec?.holderIdentity).toBe('one');
    one.stop.abort(); // and dies, having renewed at 64 s
    await held;
    server.remove();
    await clock.advanceAsync(14_000);
    expect(two.acquired()).toBeUndefined();
    await clock.advanceAsync(2_000);
    expect(two.acquired()).toBe(true);
    expect(server.lease?.spec?.holderIdentity).toBe('two');
  });

  test('one of two candidates for an expired lease wins', async () => {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    await candidate(clock, server, 'dead').waiting;
    const [one, two] = [candidate(clock, server, 'one'), candidate(clock, server, 'two')];
    await clock.advanceAsync(17_000);
    expect([one.acquired(), two.acquired()].filter((value) => value === true)).toHaveLength(1);
    one.stop.abort();
    two.stop.abort();
  });

  test('outlives an API server that is away at the start', async () => {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one', { mode: 'fails' });
    await clock.advanceAsync(60_000);
    expect(one.acquired()).toBeUndefined();
    one.state.mode = 'works';
    await clock.advanceAsync(2_000);
    expect(one.acquired()).toBe(true);
  });

  test('ends when told to, while the API server is away', async () => {
    const clock = new FakeClock();
    const one = candidate(clock, leaseServer(clock), 'one', { mode: 'fails' });
    await clock.advanceAsync(1_000);
    one.stop.abort();
    expect(await one.waiting).toBe(false);
  });
});

describe('hold', () => {
  test('tells who leads and when that was last made sure of', async () => {
    const { clock, server, one, held } = await leader();
    await clock.advanceAsync(5_000);
    expect(one.elector.state()).toEqual({
      leading: true,
      identity: 'one',
      lease: 'system/operator',
      holder: 'one',
      renewedAt: new Date(clock.now().getTime() - 1_000),
    });
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(1);
    expect(two.elector.state()).toEqual({
      leading: false,
      identity: 'two',
      lease: 'system/operator',
      holder: 'one',
    });
    one.stop.abort();
    two.stop.abort();
    await held;
  });

  test('renews every two seconds', async () => {
    const { clock, server, one, held } = await leader();
    await clock.advanceAsync(10_000);
    expect(server.writes.map(({ at }) => at)).toEqual([0, 2000, 4000, 6000, 8000, 10_000]);
    one.stop.abort();
    await held;
  });

  test.each(['fails', 'hangs'] as const)(
    'ends by loss ten seconds after the last renewal when the API %s',
    async (mode) => {
      const { clock, one, lost } = await leader();
      await clock.advanceAsync(4_000);
      one.state.mode = mode;
      await clock.advanceAsync(9_900);
      expect(lost()).toBeUndefined();
      expect(() => one.elector.assertLeader()).not.toThrow();
      await clock.advanceAsync(200);
      expect(lost()).toBeInstanceOf(LeadershipLostError);
      expect(one.elector.isLeader()).toBe(false);
      expect(() => one.elector.assertLeader()).toThrow(LeadershipLostError);
    },
  );

  test('survives a short outage', async () => {
    const { clock, one, held, lost } = await leader();
    one.state.mode = 'fails';
    await clock.advanceAsync(7_000);
    one.state.mode = 'works';
    await clock.advanceAsync(60_000);
    expect(lost()).toBeUndefined();
    one.stop.abort();
    await held;
  });

  test('survives somebody touching the lease', async () => {
    const { clock, server, one, held, lost } = await leader();
    server.touch();
    await clock.advanceAsync(30_000);
    expect(lost()).toBeUndefined();
    one.stop.abort();
    await held;
  });

  test('makes a deleted lease anew', async () => {
    const { clock, server, one, held, lost } = await leader();
    server.remove();
    await clock.advanceAsync(4_000);
    expect(server.lease?.spec?.holderIdentity).toBe('one');
    expect(lost()).toBeUndefined();
    one.stop.abort();
    await held;
  });

  test('ends by loss when another holds the lease', async () => {
    const { clock, server, lost } = await leader();
    server.steal('two');
    await clock.advanceAsync(2_000);
    expect(String(lost())).toContain('held by "two"');
  });

  describe('after a standstill, in which time passed and no timer ran,', () => {
    /** Every timer that fell due runs before any answer is read, as in Node. */
    function standStill(clock: FakeClock, ms: number): void {
      clock.stall(ms);
      clock.advance(0);
    }

    test.each([
      ['longer than the deadline', 11_000],
      ['longer than the lease', 40_000],
    ])('%s: nothing is written before the lease is renewed, and leadership is kept', async (_, ms) => {
      const { clock, server, one, held, lost } = await leader();
      await clock.advanceAsync(3_000);
      const before = server.writes.length;
      standStill(clock, ms);
      expect(() => one.elector.assertLeader()).toThrow(LeadershipLostError);
      await clock.advanceAsync(10);
      expect(server.writes.length).toBe(before + 1);
      expect(() => one.elector.assertLeader()).not.toThrow();
      await clock.advanceAsync(30_000);
      expect(lost()).toBeUndefined();
      one.stop.abort();
      await held;
    });

    test('in the middle of a renewal whose answer is lost, leadership is kept as well', async () => {
      const { clock, one, held, lost } = await leader();
      one.state.mode = 'hangs';
      await clock.advanceAsync(2_500);
      one.state.mode = 'works';
      standStill(clock, 9_000);
      await clock.advanceAsync(4_900);
      expect(() => one.elector.assertLeader()).not.toThrow();
      expect(lost()).toBeUndefined();
      one.stop.abort();
      await held;
    });

    test('leadership is lost when another has taken the lease meanwhile', async () => {
      const { clock, server, one, lost } = await leader();
      server.steal('two');
      standStill(clock, 16_000);
      expect(() => one.elector.assertLeader()).toThrow(LeadershipLostError);
      await clock.advanceAsync(10);
      expect(String(lost())).toContain('held by "two"');
    });

    test('leadership is lost when the lease cannot be renewed then either', async () => {
      const { clock, one, lost } = await leader();
      one.state.mode = 'fails';
      standStill(clock, 11_000);
      await clock.advanceAsync(4_900);
      expect(lost()).toBeUndefined();
      expect(() => one.elector.assertLeader()).toThrow(LeadershipLostError);
      await clock.advanceAsync(200);
      expect(lost()).toBeInstanceOf(LeadershipLostError);
    });
  });
});

test('two candidates with failing connections never lead at once', async () => {
  const clock = new FakeClock();
  const server = leaseServer(clock);
  const one = candidate(clock, server, 'one');
  await one.waiting;
  const lostOne = one.elector.hold(one.stop.signal).catch((error: unknown) => error);
  const two = candidate(clock, server, 'two');
  one.state.mode = 'hangs';
  for (let second = 0; second < 30; second++) {
    await clock.advanceAsync(1_000);
    expect(one.elector.isLeader() && two.elector.isLeader()).toBe(false);
  }
  expect(await lostOne).toBeInstanceOf(LeadershipLostError);
  expect(two.elector.isLeader()).toBe(true);
});

test('release does nothing for who does not lead, and never throws', async () => {
  const clock = new FakeClock();
  const server = leaseServer(clock);
  const one = candidate(clock, server, 'one');
  await one.waiting;
  const two = candidate(clock, server, 'two');
  await two.elector.release();
  expect(server.lease?.spec?.holderIdentity).toBe('one');
  two.stop.abort();
  one.state.mode = 'fails';
  await one.elector.release();
  expect(one.elector.isLeader()).toBe(false);
});

test('release finds its way past a renewal that was cut off but arrived', async () => {
  const clock = new FakeClock();
  const server = leaseServer(clock);
  const one = candidate(clock, server, 'one');
  await one.waiting;
  server.touch();
  await one.elector.release();
  expect(server.lease?.spec?.holderIdentity).toBe('');
});
