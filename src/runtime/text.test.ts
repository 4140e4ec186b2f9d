import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutToBytes, cutToLength } from './text';

test.each([
  ['a short text stays', 'plain', 5, 'plain'],
  ['ASCII', 'abcdef', 5, 'ab…'],
  ['a character of two bytes', 'aéééé', 7, 'aé…'],
  ['a character of four bytes', 'a🐟🐟', 8, 'a🐟…'],
  ['a character of four bytes with no room for it', 'a🐟🐟', 7, 'a…'],
  ['half a pair', 'x\ud83d', 10, 'x\ufffd'],
])('bytes: %s', (_, text, longest, want) => {
  expect(cutToBytes(text, longest)).toBe(want);
});

test.each([
  ['a short text stays', 'plain', 5, 'plain'],
  ['ASCII', 'abcdef', 5, 'abcd…'],
  ['between the halves of a pair', 'abc🐟🐟', 5, 'abc…'],
  ['half a pair', 'x\udc1f', 5, 'x\ufffd'],
])('length: %s', (_, text, longest, want) => {
  expect(cutToLength(text, longest)).toBe(want);
});

test('property: what is cut fits, is well formed, and begins as the text does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 3, max: 40 }), (text, longest) => {
      for (const cut of [cutToBytes(text, longest), cutToLength(text, longest)]) {
        expect(cut.isWellFormed()).toBe(true);
        expect(text.toWellFormed().startsWith(cut.replace(/…$/, ''))).toBe(true);
      }
      expect(Buffer.byteLength(cutToBytes(text, longest))).toBeLessThanOrEqual(longest);
      expect(cutToLength(text, longest).length).toBeLessThanOrEqual(longest);
    }),
  );
});
