import { describe, expect, test } from 'vitest';
import { FakeClock } from './clock';
import { ApiError, LeadershipLostError, TransportError } from './errors';
import { createLeaderElector, type Lease } from './leader';
import { silentLogger } from './logger';
import { createMetrics } from './metrics';
import type { Request, Transport } from './transport';

/** One Lease with the API server's optimistic locking, reachable by several candidates, each of which can be cut off. */
function leaseServer(clock: FakeClock) {
  let lease: Lease | undefined;
  let version = 0;
  const writes: { by: string; at: number; holder: string }[] = [];

  function store(next: Lease, by: string): Lease {
    lease = { ...structuredClone(next), metadata: { ...next.metadata, resourceVersion: String(++version) } };
    writes.push({ by, at: clock.monotonic(), holder: next.spec?.holderIdentity ?? '' });
    return structuredClone(lease);
  }

  function answer(request: Request, by: string): Lease {
    const body = request.body as Lease;
    if (request.method === 'POST') {
      if (lease !== undefined)
        throw new ApiError({ status: 409, reason: 'AlreadyExists', message: 'exists' });
      return store(body, by);
    }
    if (lease === undefined) throw new ApiError({ status: 404, reason: 'NotFound', message: 'no lease' });
    if (request.method === 'GET') return structuredClone(lease);
    if (body.metadata.resourceVersion !== lease.metadata.resourceVersion) {
      throw new ApiError({ status: 409, reason: 'Conflict', message: 'modified' });
    }
    return store(body, by);
  }

  /** mode: works, fails at once, or hangs until the deadline of the caller. */
  function connection(by: string, state: { mode: 'works' | 'fails' | 'hangs' }): Transport {
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
      watch: () => {
        throw new Error('not here');
      },
      close: () => Promise.resolve(),
    };
  }
  return {
    connection,
    writes,
    get lease() {
      return lease;
    },
    touch: () => void store(lease!, 'somebody'),
    steal: (holder: string) =>
      void store({ ...lease!, spec: { ...lease!.spec, holderIdentity: holder } }, holder),
    remove: () => (lease = undefined),
  };
}

type Mode = 'works' | 'fails' | 'hangs';

function candidate(
  clock: FakeClock,
  server: ReturnType<typeof leaseServer>,
  identity: string,
  mode: Mode = 'works',
) {
  const state = { mode };
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
    const clock = new FakeClock();
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one');
    await one.waiting;
    const held = one.elector.hold(one.stop.signal);
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(120_000);
    expect(two.acquired()).toBeUndefined();
    expect(one.elector.isLeader()).toBe(true);
    one.stop.abort();
    two.stop.abort();
    await held;
    expect(await two.waiting).toBe(false);
  });

  test('takes over a dead holder after the lease time, not sooner', async () => {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one');
    await one.waiting; // and dies: it never renews
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(15_000);
    expect(two.acquired()).toBeUndefined();
    await clock.advanceAsync(2_000);
    expect(two.acquired()).toBe(true);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  });

  test('takes a released lease within two seconds', async () => {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one');
    await one.waiting;
    const two = candidate(clock, server, 'two');
    await clock.advanceAsync(700);
    await one.elector.release();
    expect(one.elector.isLeader()).toBe(false);
    expect(server.lease?.spec?.holderIdentity).toBe('');
    await clock.advanceAsync(2_000);
    expect(two.acquired()).toBe(true);
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
    const one = candidate(clock, server, 'one', 'fails');
    await clock.advanceAsync(60_000);
    expect(one.acquired()).toBeUndefined();
    one.state.mode = 'works';
    await clock.advanceAsync(2_000);
    expect(one.acquired()).toBe(true);
  });

  test('ends when told to, while the API server is away', async () => {
    const clock = new FakeClock();
    const one = candidate(clock, leaseServer(clock), 'one', 'fails');
    await clock.advanceAsync(1_000);
    one.stop.abort();
    expect(await one.waiting).toBe(false);
  });
});

describe('hold', () => {
  async function leader() {
    const clock = new FakeClock();
    const server = leaseServer(clock);
    const one = candidate(clock, server, 'one');
    await one.waiting;
    let lost: unknown;
    const held = one.elector.hold(one.stop.signal).catch((error: unknown) => (lost = error));
    return { clock, server, one, held, lost: () => lost };
  }

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
