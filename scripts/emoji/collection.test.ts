import { beforeAll, describe, expect, it } from 'vitest';
import { categoryNames, choosePictures, defaultStyles, readPacks, styles, type Picture } from './collection';

const everything = {
  styles: defaultStyles,
  categories: categoryNames,
  skinTones: false,
  holdOut: 'names',
} as const;

let plain: Picture[];
let toned: Picture[];
beforeAll(() => {
  const packs = readPacks();
  plain = choosePictures(packs, everything);
  toned = choosePictures(packs, { ...everything, styles, skinTones: true });
});

const namesIn = (pictures: Picture[], split: string) =>
  new Set(pictures.filter((one) => one.split === split).map(({ name }) => name));

describe('the emoji of the packages', () => {
  it('has each name once in each style', () => {
    const keys = plain.map(({ style, name }) => `${style}/${name}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(plain.length).toBe(4938);
  });

  it('has eight categories in every style, each in both splits', () => {
    const want = defaultStyles.flatMap((style) =>
      ['activities', 'animals', 'food', 'objects', 'people', 'smileys', 'symbols', 'travel'].flatMap(
        (category) => [`${style} ${category} test`, `${style} ${category} train`],
      ),
    );
    const got = new Set(plain.map(({ style, category, split }) => `${style} ${category} ${split}`));
    expect([...got].sort()).toEqual(want.sort());
  });

  it('gives a name one category in all styles', () => {
    const found = new Map<string, string>();
    const differing = toned.filter(({ name, category }) => {
      const known = found.get(name) ?? category;
      found.set(name, known);
      return known !== category;
    });
    expect(differing).toEqual([]);
  });

  it('holds a name out in all styles, whichever are drawn', () => {
    const [train, test] = [namesIn(plain, 'train'), namesIn(plain, 'test')];
    expect([...test].filter((name) => train.has(name))).toEqual([]);
    expect(test.size / (train.size + test.size)).toBeCloseTo(1 / 20, 2);
    const alone = choosePictures(readPacks(), { ...everything, styles: ['twemoji'] });
    expect(alone).toEqual(plain.filter(({ style }) => style === 'twemoji'));
  });

  it('holds out one style of a name that all styles have, each style as often', () => {
    const food = choosePictures(readPacks(), { ...everything, categories: ['food'], holdOut: 'pairs' });
    expect(new Set(food.map(({ category }) => category))).toEqual(new Set(['food']));
    const held = food.filter(({ split }) => split === 'test');
    const train = food.filter(({ split }) => split === 'train').map(({ style, name }) => `${style}/${name}`);
    for (const { style, name } of held) {
      const others = defaultStyles.filter((one) => one !== style).map((one) => `${one}/${name}`);
      expect(train).toEqual(expect.arrayContaining(others));
      expect(train).not.toContain(`${style}/${name}`);
    }
    expect(defaultStyles.map((style) => held.filter((one) => one.style === style).length)).toEqual([8, 7, 7]);
  });

  it('holds a person out in all skin tones', () => {
    const test = namesIn(toned, 'test');
    for (const name of namesIn(plain, 'test')) expect(test).toContain(name);
    const train = namesIn(toned, 'train');
    expect([...test].filter((name) => train.has(name))).toEqual([]);
    const people = [...test].filter((name) => name.endsWith('-dark-skin-tone'));
    expect(people.length).toBeGreaterThan(20);
  });

  it('leaves out what the renderer can not draw, and samples of skin tones', () => {
    const keys = toned.map(({ style, name }) => `${style}/${name}`);
    expect(keys).not.toContain('noto/package');
    expect(keys).not.toContain('noto/rainbow-flag');
    expect(keys).toContain('twemoji/package');
    expect(keys).not.toContain('noto/dark-skin-tone');
    expect(toned.length).toBeGreaterThan(15_000);
  });
});
