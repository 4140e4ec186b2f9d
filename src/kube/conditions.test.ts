import { describe, expect, test } from 'vitest';
import { findCondition, isTrue, setCondition, type Condition } from './conditions';

const early = new Date('2026-01-01T00:00:00.500Z');
const late = new Date('2026-01-02T00:00:00Z');

const running: Condition = {
  type: 'Training',
  status: 'True',
  reason: 'Running',
  message: 'Step 1.',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-01T00:00:00Z',
};

describe('setCondition', () => {
  test('adds in the order of types, with whole seconds', () => {
    const first = setCondition(
      undefined,
      { type: 'Training', status: 'True', reason: 'R', message: 'm' },
      early,
    );
    const both = setCondition(first, { type: 'JobReady', status: 'True', reason: 'R', message: 'm' }, late);
    expect(both.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).toEqual([
      ['JobReady', '2026-01-02T00:00:00Z'],
      ['Training', '2026-01-01T00:00:00Z'],
    ]);
  });

  test('keeps lastTransitionTime while only reason and message change', () => {
    const next = setCondition([running], { ...running, reason: 'Evaluating', message: 'Step 2.' }, late);
    expect(next).toEqual([{ ...running, reason: 'Evaluating', message: 'Step 2.' }]);
  });

  test('moves lastTransitionTime when the status flips', () => {
    const next = setCondition([running], { ...running, status: 'False' }, late);
    expect(next[0]?.lastTransitionTime).toBe('2026-01-02T00:00:00Z');
  });

  test('again with the same gives an equal list and changes no input', () => {
    const list = Object.freeze([Object.freeze(running)]) as readonly Condition[];
    expect(setCondition(list, running, late)).toEqual(list);
  });
});

test('an absent condition is not true', () => {
  expect(isTrue([running], 'Training')).toBe(true);
  expect(isTrue([running], 'Other')).toBe(false);
  expect(findCondition([running], 'Other')).toBeUndefined();
});
