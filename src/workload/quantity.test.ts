import { expect, it } from 'vitest';
import { quantityValue } from './quantity';

it.each([
  ['2', 2],
  [2, 2],
  ['500m', 0.5],
  ['0.5', 0.5],
  ['.5', 0.5],
  ['1e3', 1000],
  ['1E', 1e18],
  ['2Ki', 2048],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['1k', 1000],
])('the quantity %s is %d', (text, want) => {
  expect(quantityValue(text)).toBe(want);
});

it.each(['', 'much', '1 Gi', '1KiB'])('%j is no quantity', (text) => {
  expect(quantityValue(text)).toBeNaN();
});
