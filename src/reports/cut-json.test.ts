import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCutJson, parseCutText } from './cut-json';

/** Whether the value holds only members that the whole has, with the same values. */
function isPartOf(part: unknown, whole: unknown): boolean {
  if (typeof part !== 'object' || part === null) return part === whole;
  const members = whole as Record<string, unknown>;
  return Object.entries(part).every(([key, value]) => isPartOf(value, members[key]));
}

describe('JSON that was cut', () => {
  it.each<[string, unknown, unknown]>([
    // The worked example of parseCutJson.
    ['{"a":1,"b":{"c":"xy","d":12', { a: 1, b: { c: 'xy' } }, undefined],
    ['{"a":1,"b":"x, y', { a: 1 }, { a: 1, b: 'x, y' }],
    ['{"a":[1,2,{"b":"}', { a: [1, 2] }, { a: [1, 2, { b: '}' }] }],
    ['{"a":"x\\"y\\', undefined, { a: 'x"y' }],
    ['{"a":"x\\u00e', undefined, { a: 'x' }],
    ['{"a":1,"b', { a: 1 }, undefined],
    ['{"a":1,"b":{"c":2}', { a: 1, b: { c: 2 } }, undefined],
    ['{"a":1,"b":"x"', { a: 1 }, { a: 1, b: 'x' }],
    ['', undefined, undefined],
  ])('%s', (text, wantWhole, wantText) => {
    expect(parseCutJson(text)).toEqual(wantWhole);
    expect(parseCutText(text)).toEqual(wantText);
  });

  it('holds nothing that the whole does not hold, wherever it is cut', () => {
    const report = fc.record({
      a: fc.jsonValue(),
      b: fc.record({ c: fc.string(), d: fc.nat() }),
      e: fc.nat(),
    });
    fc.assert(
      fc.property(report, fc.nat(400), (whole, at) => {
        const text = JSON.stringify(whole);
        const cut = parseCutJson(text.slice(0, Math.min(at, text.length - 1)));
        expect(cut === undefined || isPartOf(cut, JSON.parse(text))).toBe(true);
      }),
    );
  });
});
