import { describe, expect, test } from 'vitest';
import { quantile, rounded } from './statistics';

describe('quantile', () => {
  const oneTo = (count: number) => Array.from({ length: count }, (_, index) => count - index);

  test.each([
    ['the median of an odd number of values is the middle one', [9, 1, 5], 0.5, 5],
    ['the median of an even number is the lower of the two', [4, 1, 3, 2], 0.5, 2],
    ['of 1 to 100, 99 per cent lie at or below 99', oneTo(100), 0.99, 99],
    ['of ten values the largest is the 99 per cent quantile', oneTo(10), 0.99, 10],
    ['numbers are ordered as numbers', [10, 9, 100], 1, 100],
    ['the quantile 0 is the smallest value', [3, 2], 0, 2],
    ['of nothing there is none', [], 0.5, NaN],
  ])('%s', (_, values, share, want) => {
    expect(quantile(values, share)).toBe(want);
  });
});

test('a figure is rounded, not cut', () => {
  expect(rounded(1.2356, 2)).toBe(1.24);
});
