import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { ApiError } from '../runtime/errors';
import { createCoalescer, type CoalescerOptions } from './coalesce';

type Report = Record<string, number>;

function setUp(options: Partial<CoalescerOptions<Report>> = {}) {
  const clock = new FakeClock();
  const written: [key: string, report: Report, at: number][] = [];
  const coalescer = createCoalescer<Report>({
    clock,
    merge: (earlier, later) => ({ ...earlier, ...later }),
    write: (key, report) => {
      written.push([key, report, clock.monotonic()]);
      return Promise.resolve();
    },
    intervalMs: 2000,
    writesPerSecond: 50,
    ...options,
  });
  return { clock, written, coalescer };
}

describe('reports of one object', () => {
  it('are written at once when the last write is long ago', async () => {
    const { coalescer, written } = setUp();
    await coalescer.submit('a', { step: 1 }, false);
    expect(written).toEqual([['a', { step: 1 }, 0]]);
  });

  it('become one write an interval, with the newest of each part', async () => {
    const { clock, coalescer, written } = setUp();
    await coalescer.submit('a', { step: 1 }, false);
    await coalescer.submit('a', { step: 2, loss: 5 }, false);
    await clock.advanceAsync(1000);
    await coalescer.submit('a', { step: 3 }, false);
    expect(coalescer.waiting).toBe(1);
    await clock.advanceAsync(1000);
    expect(written.slice(1)).toEqual([['a', { step: 3, loss: 5 }, 2000]]);
    expect(coalescer.waiting).toBe(0);
  });

  it('are written at once when they are urgent, with what waited', async () => {
    const { coalescer, written } = setUp();
    await coalescer.submit('a', { step: 1 }, false);
    await coalescer.submit('a', { loss: 5 }, false);
    await coalescer.submit('a', { stage: 2 }, true);
    expect(written.map(([, report]) => report)).toEqual([{ step: 1 }, { loss: 5, stage: 2 }]);
  });

  it('are written one after the other', async () => {
    const open: (() => void)[] = [];
    const started: Report[] = [];
    const { coalescer } = setUp({
      write: (_, report) => {
        started.push(report);
        return new Promise((resolve) => open.push(resolve));
      },
    });
    const first = coalescer.submit('a', { step: 1 }, true);
    const second = coalescer.submit('a', { step: 2 }, true);
    await Promise.resolve();
    expect(started).toEqual([{ step: 1 }]);
    open[0]?.();
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toEqual([{ step: 1 }, { step: 2 }]);
    open[1]?.();
    await second;
  });

  it('tell their sender whether they are written or will be', async () => {
    const { coalescer } = setUp();
    expect(await coalescer.submit('a', { step: 1 }, false)).toBe('written');
    expect(await coalescer.submit('a', { step: 2 }, false)).toBe('accepted');
    expect(await coalescer.submit('a', { step: 3 }, true)).toBe('written');
  });

  it('that were accepted are written again and again while that fails in passing', async () => {
    const tries: Report[] = [];
    const { clock, coalescer } = setUp({
      write: (_, report) => {
        tries.push(report);
        return tries.length < 4 && tries.length > 1 ? Promise.reject(new Error('down')) : Promise.resolve();
      },
    });
    await coalescer.submit('a', { step: 1 }, false);
    expect(await coalescer.submit('a', { step: 2, loss: 5 }, false)).toBe('accepted');
    await clock.advanceAsync(2_000);
    expect(await coalescer.submit('a', { step: 3 }, false)).toBe('accepted');
    await clock.advanceAsync(4_000);
    expect(tries.slice(1)).toEqual([
      { step: 2, loss: 5 },
      { step: 3, loss: 5 },
      { step: 3, loss: 5 },
    ]);
    expect(coalescer.waiting).toBe(0);
    await clock.advanceAsync(10_000);
    expect([tries.length, clock.pending]).toEqual([4, 0]);
  });

  it('are not written again when they are refused', async () => {
    let tries = 0;
    const { clock, coalescer } = setUp({
      write: () => {
        tries++;
        return Promise.reject(new ApiError({ status: 422, reason: 'Invalid', message: 'no' }));
      },
    });
    await expect(coalescer.submit('a', { step: 1 }, true)).rejects.toThrow('no');
    await clock.advanceAsync(60_000);
    expect([tries, coalescer.waiting]).toEqual([1, 0]);
  });

  it('that are written with those of another sender fail for both', async () => {
    const open: ((error?: Error) => void)[] = [];
    const { coalescer } = setUp({
      write: () =>
        new Promise((resolve, reject) => open.push((error) => (error ? reject(error) : resolve()))),
    });
    const first = coalescer.submit('a', { step: 1 }, true);
    const others = Promise.allSettled([2, 3].map((step) => coalescer.submit('a', { step }, true)));
    await Promise.resolve();
    open[0]?.();
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    open[1]?.(new ApiError({ status: 422, reason: 'Invalid', message: 'no' }));
    expect((await others).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(open).toHaveLength(2);
  });

  it('tell the sender when an urgent write fails, and go on', async () => {
    let fails = true;
    const { coalescer } = setUp({
      write: () => (fails ? Promise.reject(new Error('down')) : Promise.resolve()),
    });
    await expect(coalescer.submit('a', { step: 1 }, true)).rejects.toThrow('down');
    fails = false;
    await coalescer.submit('a', { step: 2 }, true);
  });

  it('do not hold up those of another', async () => {
    const { coalescer, written } = setUp();
    await coalescer.submit('a', { step: 1 }, false);
    await coalescer.submit('b', { step: 1 }, false);
    expect(written.map(([key]) => key)).toEqual(['a', 'b']);
  });

  it('come more rarely when there are many objects', async () => {
    const { clock, coalescer, written } = setUp({ writesPerSecond: 1 });
    for (const key of ['a', 'b', 'c', 'd']) await coalescer.submit(key, { step: 1 }, false);
    await coalescer.submit('d', { step: 2 }, false);
    await clock.advanceAsync(3999);
    expect(written).toHaveLength(4);
    await clock.advanceAsync(1);
    expect(written).toHaveLength(5);
  });

  it('are all written at the end, and no timer is left', async () => {
    const { clock, coalescer, written } = setUp();
    await coalescer.submit('a', { step: 1 }, false);
    await coalescer.submit('a', { step: 2 }, false);
    await coalescer.flush();
    expect(written.at(-1)?.[1]).toEqual({ step: 2 });
    expect(clock.pending).toBe(0);
  });

  it('are forgotten after a while', async () => {
    const { clock, coalescer } = setUp();
    await coalescer.submit('a', { step: 1 }, false);
    await clock.advanceAsync(10_000);
    expect(clock.pending).toBe(0);
  });
});
