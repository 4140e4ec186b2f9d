import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { createHold } from './hold';

const never = new AbortController().signal;

it('lets all of them go at once, and each at its own deadline', async () => {
  const clock = new FakeClock();
  const hold = createHold(clock);
  const short = hold.wait(1_000, never);
  const long = hold.wait(5_000, never);
  expect(hold.size).toBe(2);
  await clock.advanceAsync(1_000);
  expect(await short).toBe(false);
  expect(hold.size).toBe(1);
  hold.release();
  expect(await long).toBe(true);
  expect(hold.size).toBe(0);
  expect(clock.pending).toBe(0);
});

it('forgets one whose client has gone, before and while it waits', async () => {
  const hold = createHold(new FakeClock());
  const client = new AbortController();
  const waiting = hold.wait(1_000, client.signal);
  client.abort();
  expect(await waiting).toBe(false);
  expect(await hold.wait(1_000, client.signal)).toBe(false);
  expect(hold.size).toBe(0);
});
