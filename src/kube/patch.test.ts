import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covers, differences, equalJson, mergePatch, stableStringify } from './patch';

describe('mergePatch', () => {
  test.each([
    [
      'the example of its comment',
      { a: 1, b: { c: 2, d: 3 } },
      { a: 1, b: { c: 4 } },
      { b: { c: 4, d: null } },
    ],
    ['a first status', {}, { phase: 'Pending' }, { phase: 'Pending' }],
    ['a field that goes', { a: 1, b: 2 }, { a: 1 }, { b: null }],
    ['a field set to undefined, which counts as gone', { a: 1 }, { a: undefined }, { a: null }],
    ['a list, whole', { l: [1, 2] }, { l: [1, 3] }, { l: [1, 3] }],
    ['an object in place of a text', { a: 'x' }, { a: { b: 1 } }, { a: { b: 1 } }],
    ['an emptied object', { a: { b: 1 } }, { a: {} }, { a: { b: null } }],
  ])('%s', (_, before, after, want) => {
    expect(mergePatch(before, after)).toEqual(want);
  });

  test('is undefined when nothing changes, whatever the order of keys', () => {
    expect(mergePatch({ a: 1, b: [{ c: 2 }] }, { b: [{ c: 2, d: undefined }], a: 1 })).toBeUndefined();
  });

  /** RFC 7386, section 2. */
  function applyPatch(target: unknown, patch: unknown): unknown {
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
    const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
    const result: Record<string, unknown> = isObject ? { ...target } : {};
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) delete result[key];
      else result[key] = applyPatch(result[key], value);
    }
    return result;
  }

  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 }));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.oneof({ maxDepth: 3 }, leaf, tie('tree'))),
  }));

  test('property: applied to before it gives after, and it is absent exactly when they are equal', () => {
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        const patch = mergePatch(before, after);
        expect(patch === undefined).toBe(equalJson(before, after));
        if (patch !== undefined) expect(equalJson(applyPatch(before, patch), after)).toBe(true);
      }),
    );
  });
});

test('stableStringify is the same for equal values', () => {
  expect(stableStringify({ b: 1, a: { d: [1, { y: 1, x: 2 }], c: undefined } })).toBe(
    '{"a":{"d":[1,{"x":2,"y":1}]},"b":1}',
  );
});

describe('covers', () => {
  test.each([
    ['defaults the server added', { a: 1, b: 2 }, { a: 1 }, true],
    ['a value that was changed', { a: 2 }, { a: 1 }, false],
    ['a field that was removed', {}, { a: 1 }, false],
    ['an empty object where nothing is', {}, { a: {} }, true],
    [
      'defaults in the elements of a list',
      { c: [{ name: 'x', image: 'i', pull: 'Always' }] },
      { c: [{ name: 'x', image: 'i' }] },
      true,
    ],
    [
      'an element that another manager added',
      { c: [{ name: 'y' }, { name: 'x' }] },
      { c: [{ name: 'x' }] },
      true,
    ],
    ['an element that is missing', { c: [{ name: 'y' }] }, { c: [{ name: 'x' }] }, false],
    ['a list without keys that grew', { c: ['a', 'b'] }, { c: ['a'] }, false],
    ['a list without keys in another order', { c: ['a', 'b'] }, { c: ['b', 'a'] }, false],
    ['a list that should be empty', { c: ['a'] }, { c: [] }, false],
    [
      'keys that repeat, by position',
      {
        p: [
          { port: 1, protocol: 'TCP' },
          { port: 1, protocol: 'UDP' },
        ],
      },
      {
        p: [
          { port: 1, protocol: 'TCP' },
          { port: 1, protocol: 'UDP' },
        ],
      },
      true,
    ],
  ])('%s', (_, live, desired, want) => {
    expect(covers(live, desired)).toBe(want);
  });
});

describe('differences', () => {
  test.each([
    ['nothing where all is there', { a: 1, b: 2 }, { a: 1 }, []],
    ['a field', { a: { b: 1, c: 1 } }, { a: { b: 2, c: 1 } }, ['a.b']],
    [
      'a field of a keyed element',
      { c: [{ name: 'x', image: 'i' }] },
      { c: [{ name: 'x', image: 'j' }] },
      ['c[x].image'],
    ],
    ['an element that is missing', { c: [] }, { c: [{ name: 'x' }] }, ['c[x]']],
    ['an element by its position', { c: ['a', 'b'] }, { c: ['a', 'c'] }, ['c[1]']],
    ['a list that grew', { c: ['a', 'b'] }, { c: ['a'] }, ['c']],
    [
      'nothing for what the server leaves out',
      { e: [{ name: 'A' }] },
      { e: [{ name: 'A', value: '' }], f: [] },
      [],
    ],
    ['a list in the place of an object', { a: [] }, { a: { b: 1 } }, ['a']],
  ])('tells of %s', (_, live, desired, want) => {
    expect(differences(live, desired)).toEqual(want);
  });
});
