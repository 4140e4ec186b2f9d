import { describe, expect, it } from 'vitest';
import type { Analysis } from './config';
import { judge, type Figures, type VersionFigures } from './judge';
import type { ServedQuality } from './quality';

const analysis: Analysis = {
  maxErrorRatePercent: 5,
  maxLatencyIncreasePercent: 50,
  minRequests: 20,
};
const good: VersionFigures = { requests: 100, failed: 0, answered: 100, latencySeconds: 2 };

const measured = (distance: number | undefined, evaluated?: number): ServedQuality => ({
  distance,
  evaluated,
  basis: 'fd-x',
  fills: distance === undefined,
  message: distance === undefined ? '12 of 500 images have features.' : '',
});

describe('a canary that is judged by its images', () => {
  const bounded = { ...analysis, maxDistanceIncreasePercent: 20, maxLatencyIncreasePercent: undefined };

  it('fails before its requests are there, since more of them would not mend it', () => {
    const figures = { canary: { requests: 1, failed: 0, answered: 1 }, stable: good };
    expect(judge(bounded, { ...figures, quality: { canary: measured(13, 10) } }, 10).outcome).toBe('fails');
    expect(judge(bounded, { ...figures, quality: { canary: measured(12, 10) } }, 10).outcome).toBe('waits');
  });

  it.each([
    ['passes with all figures kept', measured(12, 10), 'passes', /0 of its 100 .* 12, against 10 of its own/],
    ['waits while its distance is not known', measured(undefined, 10), 'waits', /12 of 500 images/],
    ['waits without a report', undefined, 'waits', /Its servers have not reported any/],
  ])('%s', (_, canary, wantOutcome, wantMessage) => {
    const { outcome, message } = judge(bounded, { canary: good, stable: good, quality: { canary } }, 10);
    expect(outcome).toBe(wantOutcome);
    expect(message).toMatch(wantMessage);
  });

  it('is not, without a bound', () => {
    const figures = { canary: good, stable: good, quality: { canary: measured(900, 10) } };
    expect(judge(analysis, figures, 10).outcome).toBe('passes');
  });
});

type Row = [
  what: string,
  canary: Partial<VersionFigures>,
  stable: Partial<VersionFigures>,
  changes: Partial<Analysis> & { weight?: number },
  wantOutcome: string,
  wantMessage: string | RegExp,
];

describe('a canary', () => {
  it.each<Row>([
    ['that does as well passes', {}, {}, {}, 'passes', /0 of its 100 requests failed \(0 %, bound 5 %\)/],
    ['on the bound passes', { failed: 5 }, {}, {}, 'passes', /5 of its 100/],
    [
      'beyond the bound fails',
      { failed: 6 },
      {},
      {},
      'fails',
      /6 of its 100 requests failed \(6 %, bound 5 %\), and 0 of 100/,
    ],
    ['with too few requests waits', { requests: 19 }, {}, {}, 'waits', /19 of the 20 of minRequests/],
    ['without requests waits', { requests: 0, latencySeconds: undefined }, {}, {}, 'waits', /0 of the 20/],
    [
      'that is certain to fail does so before the rest comes',
      { requests: 2, failed: 2 },
      {},
      {},
      'fails',
      /2 of its 2 requests/,
    ],
    ['with one early failure waits', { requests: 2, failed: 1 }, {}, {}, 'waits', /2 of the 20/],
    [
      'that fails no more than what serves waits',
      { failed: 30 },
      { failed: 40 },
      {},
      'waits',
      /in both versions/,
    ],
    [
      'that fails more than a bad one that serves fails',
      { failed: 50 },
      { failed: 40 },
      {},
      'fails',
      /40 of 100/,
    ],
    [
      'is to blame where hardly a request reached the other',
      { failed: 30 },
      { requests: 2, failed: 2 },
      {},
      'fails',
      /30 of its 100/,
    ],
    [
      'that is slower by half passes',
      { latencySeconds: 3 },
      {},
      {},
      'passes',
      /3 s, \+50 % against 2 s \(bound \+50 %\)/,
    ],
    [
      'that is slower fails',
      { latencySeconds: 3.2 },
      {},
      {},
      'fails',
      /3.2 s, \+60 % against 2 s \(bound \+50 %\)/,
    ],
    ['that is faster passes', { latencySeconds: 1 }, {}, {}, 'passes', /-50 % against 2 s/],
    [
      'waits for the other’s latency',
      {},
      { requests: 3 },
      {},
      'waits',
      /to the version that serves, 20 in this step/,
    ],
    [
      'with all requests is compared with nothing',
      {},
      { requests: 0, latencySeconds: undefined },
      { weight: 100 },
      'passes',
      /0 of its 100/,
    ],
    [
      'whose latency nobody bounds may be slow',
      { latencySeconds: 9 },
      {},
      { maxLatencyIncreasePercent: undefined },
      'passes',
      /./,
    ],
    [
      'that needs no requests passes without',
      { requests: 0, latencySeconds: undefined },
      { requests: 0 },
      { minRequests: 0, maxLatencyIncreasePercent: undefined },
      'passes',
      /0 of its 0/,
    ],
  ])('%s', (_, canary, stable, { weight = 10, ...changes }, wantOutcome, wantMessage) => {
    const figures: Figures = { canary: { ...good, ...canary }, stable: { ...good, ...stable } };
    const { outcome, message } = judge({ ...analysis, ...changes }, figures, weight);
    expect(outcome).toBe(wantOutcome);
    expect(message).toMatch(wantMessage);
  });
});
