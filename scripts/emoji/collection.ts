/** Which emoji of the npm packages make the data set, and what each is called there. */
import { createRequire } from 'node:module';
import { caption, withoutTone } from './names';

const packages = {
  noto: '@iconify-json/noto',
  twemoji: '@iconify-json/twemoji',
  fluent: '@iconify-json/fluent-emoji-flat',
  openmoji: '@iconify-json/openmoji',
  emojione: '@iconify-json/emojione',
} as const;

export type Style = keyof typeof packages;
export const styles = Object.keys(packages) as readonly Style[];
/** Licences that allow weights trained on them to ship; openmoji's (CC-BY-SA) would bind the weights. */
export const defaultStyles: readonly Style[] = ['noto', 'twemoji', 'fluent'];

/** Unicode's groups as the packages spell them -> the word in a class's name. Flags are left out: two styles have nine. */
const categories: Readonly<Record<string, string>> = {
  'Smileys & Emotion': 'smileys',
  'People & Body': 'people',
  'Animals & Nature': 'animals',
  'Food & Drink': 'food',
  'Travel & Places': 'travel',
  Activities: 'activities',
  Objects: 'objects',
  Symbols: 'symbols',
};
export const categoryNames = Object.values(categories);

/** resvg ends the whole process on these. */
const undrawable = new Set(['noto/package', 'noto/rainbow-flag']);
/** What is held out for the test split: a name in all styles, or a pair of a name and one style of several. */
export const holdOuts = ['names', 'pairs'] as const;
export type HoldOut = (typeof holdOuts)[number];
/** Of the names in order, each whose position is a multiple of this is held out, alone or in one style. */
const heldOutEvery: Readonly<Record<HoldOut, number>> = { names: 20, pairs: 6 };

export type Icon = { body: string; width?: number; height?: number; hidden?: boolean };
export type Pack = {
  icons: Readonly<Record<string, Icon>>;
  width: number;
  height: number;
  /** Category as the package spells it -> names. */
  categories: Readonly<Record<string, readonly string[]>>;
  /** For the attribution. */
  origin: { name: string; author: { name: string; url: string }; license: { title: string; url: string } };
};

export type Picture = {
  style: Style;
  name: string;
  category: string;
  text: string;
  split: 'train' | 'test';
  icon: Required<Omit<Icon, 'hidden'>>;
};

export function readPacks(): Record<Style, Pack> {
  const require = createRequire(import.meta.url);
  const read = (style: Style): Pack => {
    const name = packages[style];
    const { icons, width, height } = require(`${name}/icons.json`) as Omit<Pack, 'categories' | 'origin'>;
    const metadata = require(`${name}/metadata.json`) as Pick<Pack, 'categories'>;
    const origin = require(`${name}/info.json`) as Pack['origin'];
    return { icons, width, height, categories: metadata.categories, origin };
  };
  return Object.fromEntries(styles.map((style) => [style, read(style)])) as Record<Style, Pack>;
}

/** Name -> category, the same in all styles: that of the first package that knows the name. */
function categoriesByName(packs: Record<Style, Pack>): Map<string, string> {
  const found = new Map<string, string>();
  const groups = styles.flatMap((style) => Object.entries(packs[style].categories));
  for (const [spelled, names] of groups) {
    const category = categories[spelled];
    if (category === undefined) continue;
    for (const name of names) found.set(name, found.get(name) ?? category);
  }
  return found;
}

/** Names without a skin tone that are held out. They depend on the packages alone, not on the styles chosen. */
function heldOutNames(bases: Iterable<string>): Set<string> {
  return new Set([...new Set(bases)].sort().filter((_, position) => position % heldOutEvery.names === 0));
}

/** "style/name" of names that all `chosen` styles have, the styles in turn: each is known from the other styles. */
function heldOutPairs(
  candidates: readonly { style: Style; name: string }[],
  chosen: readonly Style[],
): Set<string> {
  const having = (style: Style) =>
    new Set(candidates.filter((one) => one.style === style).map(({ name }) => name));
  const known = chosen.map(having);
  const shared = [...(known[0] ?? [])].filter((name) => known.every((names) => names.has(name))).sort();
  const held = shared.filter((_, position) => position % heldOutEvery.pairs === 0);
  return new Set(held.map((name, turn) => `${chosen[turn % chosen.length]}/${name}`));
}

export class UnknownNames extends Error {}

export type Choice = {
  styles: readonly Style[];
  categories: readonly string[];
  /** Those alone, each of which a chosen style has; undefined for all. */
  names?: readonly string[];
  skinTones: boolean;
  holdOut: HoldOut;
};

/** In the order of styles as given, then of names. */
export function choosePictures(packs: Record<Style, Pack>, choice: Choice): Picture[] {
  const byName = categoriesByName(packs);
  const candidates = styles.flatMap((style) => {
    const { icons, width, height } = packs[style];
    const visible = new Set(Object.keys(icons).filter((name) => !icons[name]?.hidden));
    return [...visible].sort().flatMap((name) => {
      const category = byName.get(name);
      const icon = icons[name];
      const base = withoutTone(name, category === 'people', visible);
      if (category === undefined || icon === undefined || base === '') return [];
      return [{ style, name, category, base, icon: { width, height, ...icon } }];
    });
  });
  const testNames = heldOutNames(candidates.map(({ base }) => base));
  const chosen = choice.styles.flatMap((style) =>
    candidates
      .filter((one) => one.style === style && !undrawable.has(`${style}/${one.name}`))
      .filter((one) => choice.categories.includes(one.category))
      .filter((one) => choice.names?.includes(one.name) ?? true)
      .filter((one) => choice.skinTones || one.name === one.base),
  );
  const unknown = choice.names?.filter((name) => chosen.every((one) => one.name !== name)) ?? [];
  if (unknown.length > 0) throw new UnknownNames(`No emoji among those is named ${unknown.join(', ')}.`);
  const testPairs = heldOutPairs(chosen, choice.styles);
  return chosen.map(({ base, icon, ...one }) => {
    const held = choice.holdOut === 'names' ? testNames.has(base) : testPairs.has(`${one.style}/${one.name}`);
    return {
      ...one,
      icon: { body: icon.body, width: icon.width, height: icon.height },
      text: caption(one.name, one.style),
      split: held ? ('test' as const) : ('train' as const),
    };
  });
}
