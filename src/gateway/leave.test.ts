import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { leave } from './leave';

it.each([
  ['come no more', -1, 10_000],
  ['move soon', 3_000, 10_000],
  ['come for longer, by rules that are late', 12_000, 17_000],
  ['never end', Infinity, 150_000],
])('a gateway leaves when requests %s', async (_, until, want) => {
  const clock = new FakeClock();
  let requests = 0;
  const come = () => (clock.monotonic() <= until ? ++requests : requests);
  const ended = leave(clock, { delayMs: 10_000, mostMs: 150_000 }, come).then(() => clock.monotonic());
  await clock.advanceAsync(200_000);
  expect(await ended).toBe(want);
});

it('a gateway that was stopped for a while leaves no sooner than its naps are over', async () => {
  const clock = new FakeClock();
  const ended = leave(clock, { delayMs: 10_000, mostMs: 150_000 }, () => 0).then(() => clock.monotonic());
  clock.stall(60_000);
  await clock.advanceAsync(200_000);
  expect(await ended).toBe(69_500);
});
