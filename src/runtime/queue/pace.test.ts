import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock';
import type { Transport } from '../http/transport';
import { coalescingWindow, createPace } from './pace';

describe('the time that a change waits', () => {
  test.each([
    ['an object alone, on a fast API server', { due: 0, latencyMs: 5 }, false, 0],
    ['an object alone, on a slow API server', { due: 0, latencyMs: 3_000 }, false, 0],
    ['a few objects on a fast API server', { due: 8, latencyMs: 5 }, false, 0],
    ['a dozen on a slow one', { due: 12, latencyMs: 50 }, false, 600],
    ['its first status then', { due: 12, latencyMs: 50 }, true, 600],
    ['many objects', { due: 40, latencyMs: 50 }, false, 2_000],
    ['the first status among thousands', { due: 5_000, latencyMs: 100 }, true, 2_000],
    ['any other among thousands', { due: 5_000, latencyMs: 100 }, false, 5_000],
    ['thousands on an API server that keeps up', { due: 5_000, latencyMs: 0 }, false, 0],
  ])('%s', (_, load, isFirst, want) => {
    expect(coalescingWindow(load, isFirst)).toBe(want);
  });

  test('never falls as more is due or the API server slows down, and has its bounds', () => {
    const loads = [0, 1, 10, 100, 1_000, 100_000];
    for (const isFirst of [true, false]) {
      for (const other of loads) {
        const windows = loads.flatMap((one) => [
          [coalescingWindow({ due: one, latencyMs: other }, isFirst)],
          [coalescingWindow({ due: other, latencyMs: one }, isFirst)],
        ]);
        for (const column of [0, 1]) {
          const values = windows.filter((__, index) => index % 2 === column).flat();
          expect(values).toEqual([...values].sort((a, b) => a - b));
          expect(Math.max(...values)).toBeLessThanOrEqual(isFirst ? 2_000 : 5_000);
        }
      }
    }
  });
});

/** A pace beside a number of due passes, whose writes take as long as is said. */
function setUp() {
  const clock = new FakeClock();
  const state = { due: 0, writeMs: 10 };
  const pace = createPace({ clock, due: () => state.due });
  const transport = pace.measured({
    request<T>(): Promise<T> {
      clock.stall(state.writeMs);
      return Promise.resolve({} as T);
    },
  } as unknown as Transport);
  const write = async (times = 1, method: 'PATCH' | 'GET' = 'PATCH') => {
    for (let count = 0; count < times; count++) await transport.request({ method, path: '/' });
  };
  return { clock, state, pace, write };
}

const yes = () => true;

describe('a status', () => {
  test('of an object at rest never waits, and nobody asks whether it may', async () => {
    const { pace, state, write } = setUp();
    state.writeMs = 2_000;
    await write(50);
    const never = () => {
      throw new Error('asked');
    };
    expect(pace.statusWait('a/x', true, never)).toBe(0);
    expect(pace.isWaiting('a/x')).toBe(false);
  });

  test('waits while more is due than the API server takes, as long as it has not waited yet', async () => {
    const { clock, pace, state, write } = setUp();
    state.writeMs = 50;
    await write(50);
    state.due = 20;
    expect(pace.statusWait('a/x', true, yes)).toBeCloseTo(1_000);
    clock.advance(300);
    expect(pace.statusWait('a/x', true, yes)).toBeCloseTo(700);
    expect(pace.isWaiting('a/x')).toBe(true);
    clock.advance(700);
    expect(pace.statusWait('a/x', true, yes)).toBe(0);
    pace.settle('a/x');
    // And the next change has all its time again.
    expect(pace.statusWait('a/x', false, yes)).toBeCloseTo(1_000);
  });

  test('waits for no longer once nothing is due', async () => {
    const { pace, state, write } = setUp();
    state.writeMs = 50;
    await write(50);
    state.due = 1_000;
    expect(pace.statusWait('a/x', false, yes)).toBe(5_000);
    state.due = 0;
    expect(pace.statusWait('a/x', false, yes)).toBe(0);
  });

  test('that may not wait does not', async () => {
    const { pace, state, write } = setUp();
    state.writeMs = 50;
    await write(50);
    state.due = 1_000;
    expect(pace.statusWait('a/x', true, () => false)).toBe(0);
    expect(pace.isWaiting('a/x')).toBe(false);
  });

  test('counts those that wait already as due, but not itself', async () => {
    const { pace, state, write } = setUp();
    state.writeMs = 100;
    await write(50);
    state.due = 5;
    expect(pace.statusWait('a/x', false, yes)).toBeCloseTo(500);
    expect(pace.statusWait('a/x', false, yes)).toBeCloseTo(500);
    expect(pace.statusWait('a/y', false, yes)).toBeCloseTo(600);
    expect(pace.eventWait(200)).toBeCloseTo(500);
  });
});

describe('the latency', () => {
  test('is that of writes, and follows them', async () => {
    const { pace, state, write } = setUp();
    const wait = () => pace.eventWait(0);
    state.due = 10;
    await write(50);
    expect(wait()).toBeCloseTo(100);
    state.writeMs = 100;
    await write(50, 'GET');
    expect(wait()).toBeCloseTo(100);
    await write(50);
    expect(wait()).toBeGreaterThan(900);
  });

  test('of before a pause counts for little', async () => {
    const { clock, pace, state, write } = setUp();
    state.due = 10;
    state.writeMs = 400;
    await write(50);
    clock.advance(30_000);
    state.writeMs = 5;
    await write();
    expect(pace.eventWait(0)).toBe(0);
  });

  test('counts requests that failed', async () => {
    const clock = new FakeClock();
    const pace = createPace({ clock, due: () => 10 });
    const transport = pace.measured({
      request: () => {
        clock.stall(200);
        return Promise.reject(new Error('down'));
      },
    } as unknown as Transport);
    await expect(transport.request({ method: 'POST', path: '/' })).rejects.toThrow('down');
    expect(pace.eventWait(0)).toBeGreaterThan(1_000);
  });
});
