import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock';
import type { Transport } from '../http/transport';
import { coalescingWindow, createPace } from './pace';

describe('the time that a change waits', () => {
  test.each([
    ['no write under way', 0, false, 0],
    ['one after the other', 1, false, 0],
    ['hardly more', 1.01, false, 0],
    ['a little more', 1.2, false, 1_000],
    ['and for a first status', 1.2, true, 1_000],
    ['at the bound of a first status', 1.4, true, 2_000],
    ['beyond it', 1.6, true, 2_000],
    ['and for any other', 1.6, false, 3_000],
    ['all workers write', 8, false, 5_000],
  ])('%s', (_, underWay, isFirst, want) => {
    expect(coalescingWindow(underWay, isFirst)).toBeCloseTo(want);
  });

  test('never falls as the API server gets busier, and has its bounds', () => {
    for (const [isFirst, longest] of [
      [true, 2_000],
      [false, 5_000],
    ] as const) {
      const windows = Array.from({ length: 1_000 }, (__, index) => coalescingWindow(index / 100, isFirst));
      expect(windows).toEqual([...windows].sort((a, b) => a - b));
      expect(Math.max(...windows)).toBe(longest);
    }
  });
});

/** A pace whose writes take as long as is said. */
function setUp() {
  const clock = new FakeClock();
  const pace = createPace(clock);
  const transport = pace.measured({
    request<T>({ path }: { path: string }): Promise<T> {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      clock.setTimeout(
        () => (path === '/down' ? reject(new Error('down')) : resolve({} as T)),
        Number(path.slice(1)) || 1_000,
      );
      return promise;
    },
  } as unknown as Transport);
  /** `workers` that write one after the other, for `times` writes each. */
  const write = async (
    workers: number,
    times: number,
    writeMs: number,
    method: 'PATCH' | 'GET' = 'PATCH',
  ) => {
    const work = async () => {
      for (let count = 0; count < times; count++) await transport.request({ method, path: `/${writeMs}` });
    };
    const all = Promise.all(Array.from({ length: workers }, work));
    await clock.advanceAsync(times * writeMs);
    await all;
  };
  return { clock, pace, transport, write };
}

const yes = () => true;

describe('a status', () => {
  test('of an object at rest never waits, and nobody asks whether it may', async () => {
    const { pace, write } = setUp();
    const never = () => {
      throw new Error('asked');
    };
    // Its own writes, on a slow API server.
    await write(1, 10, 3_000);
    expect(pace.statusWait('a/x', true, never)).toBe(0);
    expect(pace.isWaiting('a/x')).toBe(false);
  });

  test('of many objects at once does not wait when they are written in a moment', async () => {
    const { pace, write } = setUp();
    await write(8, 10, 10);
    expect(pace.statusWait('a/x', false, yes)).toBe(0);
  });

  test('of objects that never end does not wait where the API server keeps up', async () => {
    const { clock, pace, write } = setUp();
    for (let round = 0; round < 200; round++) {
      await write(8, 1, 5);
      await clock.advanceAsync(45);
    }
    expect(pace.statusWait('a/x', false, yes)).toBe(0);
  });

  test('waits while the API server is behind, less the time that it has waited', async () => {
    const { clock, pace, transport, write } = setUp();
    await write(8, 100, 100);
    // A write that takes the whole time keeps the average up.
    for (let count = 0; count < 8; count++) void transport.request({ method: 'PATCH', path: '/60000' });
    expect(pace.statusWait('a/x', true, yes)).toBe(2_000);
    clock.advance(300);
    expect(pace.statusWait('a/x', true, yes)).toBe(1_700);
    expect(pace.isWaiting('a/x')).toBe(true);
    clock.advance(1_700);
    expect(pace.statusWait('a/x', true, yes)).toBe(0);
    pace.settle('a/x');
    // And the next change has all its time again.
    expect(pace.statusWait('a/x', false, yes)).toBe(5_000);
    expect(pace.eventWait(200)).toBe(4_800);
  });

  test('waits for no longer once the API server has caught up', async () => {
    const { clock, pace, write } = setUp();
    await write(8, 100, 100);
    expect(pace.statusWait('a/x', false, yes)).toBe(5_000);
    clock.advance(4_500);
    expect(pace.statusWait('a/x', false, yes)).toBe(0);
  });

  test('that may not wait does not', async () => {
    const { pace, write } = setUp();
    await write(8, 100, 100);
    expect(pace.statusWait('a/x', true, () => false)).toBe(0);
    expect(pace.isWaiting('a/x')).toBe(false);
  });
});

describe('under way', () => {
  test('are writes, not reads', async () => {
    const { pace, write } = setUp();
    await write(8, 100, 100, 'GET');
    expect(pace.eventWait(0)).toBe(0);
    await write(8, 100, 100);
    expect(pace.eventWait(0)).toBe(5_000);
  });

  test('are no writes that have failed', async () => {
    const { clock, pace, transport } = setUp();
    const failed = Array.from({ length: 8 }, () => transport.request({ method: 'POST', path: '/down' }));
    const settled = Promise.allSettled(failed);
    await clock.advanceAsync(1_000);
    expect((await settled).map(({ status }) => status)).toEqual(failed.map(() => 'rejected'));
    expect(pace.eventWait(0)).toBeGreaterThan(1_000);
    await clock.advanceAsync(10_000);
    expect(pace.eventWait(0)).toBe(0);
  });
});
