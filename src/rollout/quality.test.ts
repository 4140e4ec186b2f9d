import { describe, expect, it } from 'vitest';
import { judgeQuality, type ServedQuality } from './quality';

const of = (changes: Partial<ServedQuality>): ServedQuality => ({
  distance: 12.5,
  evaluated: undefined,
  basis: 'fd-x reference 500',
  fills: false,
  message: '',
  ...changes,
});

type Row = [
  what: string,
  canary: ServedQuality | undefined,
  stable: ServedQuality | undefined,
  want: string[],
  wantMessage?: RegExp,
];

describe('with a bound of 20 %, a canary at a distance of 12.5', () => {
  it.each<Row>([
    [
      'passes against 11 of its own evaluation',
      of({ evaluated: 11 }),
      undefined,
      ['passes'],
      /is 12.5, against 11 of its own evaluation \(\+13.6 %, bound \+20 %\)/,
    ],
    ['fails against 10', of({ evaluated: 10 }), undefined, ['fails'], /\(\+25 %, bound/],
    ['passes on the bound', of({ distance: 12, evaluated: 10 }), undefined, ['passes'], /\(\+20 %/],
    ['passes against a worse figure', of({ evaluated: 25 }), undefined, ['passes'], /\(-50 %/],
    [
      'is held against what serves too, where the two can be compared',
      of({ evaluated: 11 }),
      of({ distance: 10 }),
      ['passes', 'fails'],
      /against 10 of the version that serves \(\+25 %/,
    ],
    [
      'is held against what serves alone, where it draws otherwise than it was evaluated',
      of({}),
      of({ distance: 12 }),
      ['passes'],
      /of the version that serves/,
    ],
    [
      'is not held against what serves over another reference',
      of({ evaluated: 11 }),
      of({ distance: 1, basis: 'fd-y reference 500' }),
      ['passes'],
      /of its own evaluation/,
    ],
    [
      'waits where there is nothing to hold it against',
      of({ message: 'Other steps.' }),
      of({ distance: undefined }),
      ['waits'],
      /^Waits for a distance to compare its own of 12.5 with. Other steps. To go on without it, remove rollout/,
    ],
    [
      'waits without a distance, and says how to go on',
      of({ distance: undefined, evaluated: 10, message: '3 of 500.' }),
      of({ distance: 1 }),
      ['waits'],
      /^Waits for the distance of its images. 3 of 500. To go on without it, remove rollout.canary.analysis/,
    ],
    ['waits without any report', undefined, undefined, ['waits'], /servers have not reported any/],
    ['fails against nothing at all', of({ evaluated: 0 }), undefined, ['fails'], /from nothing/],
  ])('%s', (_, canary, stable, want, wantMessage) => {
    const found = judgeQuality(20, { canary, stable });
    expect(found.map(({ outcome }) => outcome)).toEqual(want);
    if (wantMessage !== undefined) expect(found.at(-1)?.message).toMatch(wantMessage);
  });

  it.each<[string, ServedQuality | undefined, ServedQuality | undefined, boolean]>([
    ['while its images are measured', of({ distance: undefined, fills: true }), undefined, false],
    ['where they are not', of({ distance: undefined }), undefined, true],
    ['without any report', undefined, undefined, true],
    ['while those of what serves are measured', of({}), of({ distance: undefined, fills: true }), false],
    ['where those can not be compared', of({}), of({ distance: undefined, fills: true, basis: 'y' }), true],
  ])('waits, %s: whether nothing will end the wait', (_, canary, stable, want) => {
    expect(judgeQuality(20, { canary, stable })).toMatchObject([{ outcome: 'waits', isStuck: want }]);
  });

  it('is not judged without a bound', () => {
    expect(judgeQuality(undefined, { canary: of({ evaluated: 1 }) })).toEqual([]);
  });
});
