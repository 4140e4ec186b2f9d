import { describe, expect, test } from 'vitest';
import { FakeClock } from './fake-clock';

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
