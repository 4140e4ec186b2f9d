import { describe, expect, it } from 'vitest';
import { conditionsFrom, no, unknown, yes } from './verdict';

const early = new Date('2026-01-01T00:00:00Z');
const late = new Date('2026-01-02T00:00:00Z');

describe('conditions from verdicts', () => {
  it('move their time only when the status flips', () => {
    const first = conditionsFrom([], { A: yes('X', 'x'), B: unknown('Y', 'y') }, 1, early);
    const second = conditionsFrom(first, { A: yes('X', 'other words'), B: no('Z', 'z') }, 2, late);
    expect(second.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).toEqual([
      ['A', '2026-01-01T00:00:00Z'],
      ['B', '2026-01-02T00:00:00Z'],
    ]);
    expect(second.every(({ observedGeneration }) => observedGeneration === 2)).toBe(true);
  });

  it('go when there is no verdict, and others stay', () => {
    const first = conditionsFrom([], { A: yes('X', 'x'), B: yes('Y', 'y') }, 1, early);
    expect(conditionsFrom(first, { A: undefined }, 1, late).map(({ type }) => type)).toEqual(['B']);
  });

  it('stay within the schema, whatever others say', () => {
    const [condition] = conditionsFrom([], { A: no('R'.repeat(300), 'm'.repeat(5000)) }, 1, early);
    expect(condition?.reason).toHaveLength(128);
    expect(condition?.message).toHaveLength(2048);
  });

  it('hold whole characters, so that the server stores what was sent', () => {
    const [long] = conditionsFrom([], { A: no('R', '🐟'.repeat(2000)) }, 1, early);
    expect(long?.message).toBe(`${'🐟'.repeat(1023)}…`);
    const [broken] = conditionsFrom([], { A: no('R', 'x\ud83d y') }, 1, early);
    expect(broken?.message).toBe('x\ufffd y');
  });
});
