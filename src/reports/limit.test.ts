import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { createRateLimit } from './limit';

it('lets a burst through, then a steady rate, for each key', () => {
  const clock = new FakeClock();
  const limit = createRateLimit(clock, { burst: 3, perSecond: 2 });
  expect([1, 2, 3].map(() => limit.take('a'))).toEqual([0, 0, 0]);
  expect(limit.take('a')).toBe(500);
  expect(limit.take('b')).toBe(0);
  clock.advance(500);
  expect(limit.take('a')).toBe(0);
  expect(limit.take('a')).toBe(500);
  clock.advance(60_000);
  expect([1, 2, 3].map(() => limit.take('a'))).toEqual([0, 0, 0]);
  expect(limit.take('a')).toBe(500);
});
