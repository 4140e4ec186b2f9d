import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choose, ejectionMs, QUEUE_FRESH_MS, sideOf, type Candidate, type Queue } from './balance';

const candidate = fc.record({
  revision: fc.constantFrom('old', 'new', undefined),
  load: fc.nat(20),
  ejectedUntil: fc.constantFrom(0, 0, 0, 2_000),
});
const dice = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
  minLength: 8,
  maxLength: 8,
});
const NOW = 1_000;
const at = (random: () => number, now = NOW) => ({ now, requestSeconds: 0.5, random });

/** Throws the given numbers, one after the other. */
function thrown(numbers: readonly number[]): () => number {
  let index = 0;
  return () => numbers[index++ % numbers.length]!;
}

describe('choose', () => {
  it('takes one of them, and none that failed while another is able', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 6 }), dice, (all, numbers) => {
        const found = choose(all, at(thrown(numbers)))!;
        expect(all).toContain(found);
        const isAble = ({ ejectedUntil }: Candidate) => ejectedUntil <= NOW;
        if (all.some(isAble)) expect(isAble(found)).toBe(true);
      }),
    );
  });

  it('never takes the most loaded of three different ones', () => {
    fc.assert(
      fc.property(dice, (numbers) => {
        const all = [5, 1, 9].map((load) => ({ revision: undefined, load, ejectedUntil: 0 }));
        expect(choose(all, at(thrown(numbers)))!.load).toBeLessThan(9);
      }),
    );
  });

  it('can take each of two that are equal', () => {
    const all = ['a', 'b'].map((revision) => ({ revision, load: 0, ejectedUntil: 0 }));
    const found = [0, 0.99].map(
      (number) =>
        choose(
          all,
          at(() => number),
        )!.revision,
    );
    expect(new Set(found)).toEqual(new Set(['a', 'b']));
  });

  const now = 60_000;
  const said = (seconds: number, { age = 0, since = 0 } = {}): Queue => ({ seconds, at: now - age, since });

  it.each<[title: string, one: [load: number, Queue?], other: [load: number, Queue?], want: 'one' | 'other']>(
    [
      [
        'the shorter queue, although it has more of this gateway’s requests',
        [3, said(1)],
        [0, said(4)],
        'one',
      ],
      ['a queue as it was some seconds ago', [1, said(2, { age: 9_000 })], [0, said(3)], 'one'],
      ['what this gateway has sent since', [0, said(1, { since: 5 })], [0, said(3)], 'other'],
      ['its own requests where one has said nothing', [2, said(0)], [1], 'other'],
      [
        'its own requests where one said it long ago',
        [2, said(0, { age: QUEUE_FRESH_MS + 1 })],
        [1, said(9)],
        'other',
      ],
      ['its own requests between equal queues', [2, said(3)], [1, said(3)], 'other'],
    ],
  )('goes by %s', (_, [load, queue], [otherLoad, otherQueue], want) => {
    const all = [
      { revision: 'one', load, queue, ejectedUntil: 0 },
      { revision: 'other', load: otherLoad, queue: otherQueue, ejectedUntil: 0 },
    ];
    for (const number of [0, 0.99])
      expect(
        choose(
          all,
          at(() => number, now),
        )?.revision,
      ).toBe(want);
  });

  it('finds none among none', () => {
    expect(
      choose(
        [],
        at(() => 0),
      ),
    ).toBeUndefined();
  });
});

describe('sideOf', () => {
  const all = ['old', 'new', undefined].map((revision) => ({ revision, load: 0, ejectedUntil: 0 }));
  const canary = { revision: 'new', weightPercent: 25 };

  it.each([
    ['below the weight, the canary', 0.249, ['new']],
    ['from the weight on, all others', 0.25, ['old', undefined]],
  ])('gives, %s', (_, number, expected) => {
    expect(sideOf(all, canary, () => number).map(({ revision }) => revision)).toEqual(expected);
  });

  it('gives all without a canary, and the other side where one is empty', () => {
    expect(sideOf(all, undefined, () => 0)).toEqual(all);
    const old = all.slice(0, 1);
    expect(sideOf(old, canary, () => 0)).toEqual(old);
  });

  it('gives a canary of 0 % nothing and one of 100 % everything', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (number) => {
        const side = (weightPercent: number) =>
          sideOf(all, { ...canary, weightPercent }, () => number).map(({ revision }) => revision);
        expect(side(0)).toEqual(['old', undefined]);
        expect(side(100)).toEqual(['new']);
      }),
    );
  });
});

it('leaves a replica out for longer each time, up to half a minute', () => {
  expect([1, 2, 3, 4, 5, 6, 60].map(ejectionMs)).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
});
