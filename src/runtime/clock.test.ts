import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { realClock, sleep } from './clock';

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
