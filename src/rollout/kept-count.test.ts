import { expect, it } from 'vitest';
import { keptCount } from './kept-count';

const figures = (requests: number, stable = 0) => ({
  canary: { requests, failed: 1, answered: requests, latencySeconds: 0.5 },
  stable: { requests: stable, failed: 0, answered: 0 },
});
const count = (requests: number, stable = 0) => ({
  canary: { requests, failed: 1, answered: requests, answerMilliseconds: 500 * requests },
  stable: { requests: stable, failed: 0, answered: 0, answerMilliseconds: 0 },
});

it.each([
  ['nothing is kept of nothing', undefined, undefined, undefined],
  ['nor of no request', undefined, figures(0), undefined],
  ['the first request is', undefined, figures(1), count(1)],
  ['less than a quarter more is not', count(10, 10), figures(14, 10), count(10, 10)],
  ['a quarter more is', count(10, 10), figures(15, 10), count(15, 10)],
  ['what is kept stays while no gateway reports', count(10, 10), undefined, count(10, 10)],
])('%s', (_, stored, now, want) => {
  expect(keptCount(stored, now)).toEqual(want);
});
