import { describe, expect, test } from 'vitest';
import { FakeClock, realClock, sleep } from './clock';

describe('FakeClock', () => {
  test('runs timers in order of time, each at its own moment', () => {
    const clock = new FakeClock('2026-01-01T00:00:00Z');
    const ran: [string, number][] = [];
    clock.setTimeout(() => ran.push(['late', clock.monotonic()]), 30);
    clock.setTimeout(() => {
      ran.push(['early', clock.monotonic()]);
      clock.setTimeout(() => ran.push(['nested', clock.monotonic()]), 5);
    }, 10);
    clock.advance(30);
    expect(ran).toEqual([
      ['early', 10],
      ['nested', 15],
      ['late', 30],
    ]);
    expect(clock.now().toISOString()).toBe('2026-01-01T00:00:00.030Z');
  });

  test('a cancelled timer does not run', () => {
    const clock = new FakeClock();
    let ran = false;
    const cancel = clock.setTimeout(() => (ran = true), 1);
    cancel();
    clock.advance(10);
    expect(ran).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe('sleep', () => {
  test('ends when the time is over', async () => {
    const clock = new FakeClock();
    let ended = false;
    const asleep = sleep(clock, 100).then(() => (ended = true));
    await clock.advanceAsync(99);
    expect(ended).toBe(false);
    await clock.advanceAsync(1);
    await asleep;
    expect(ended).toBe(true);
  });

  test('ends early when the signal aborts, and leaves no timer', async () => {
    const clock = new FakeClock();
    const stop = new AbortController();
    const asleep = sleep(clock, 100, stop.signal);
    stop.abort();
    await asleep;
    expect(clock.pending).toBe(0);
  });

  test('does not begin when the signal has aborted', async () => {
    const clock = new FakeClock();
    await sleep(clock, 100, AbortSignal.abort());
    expect(clock.pending).toBe(0);
  });
});

test('the real clock does not fire a wait of months at once', () => {
  let fired = false;
  const cancel = realClock.setTimeout(() => (fired = true), 90 * 24 * 3600 * 1000);
  cancel();
  expect(fired).toBe(false);
});
