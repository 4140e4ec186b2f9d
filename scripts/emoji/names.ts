/** Emoji by name: which differ in their skin tone only, and a caption for each. */

const tone = '(?:medium-light|medium-dark|light|medium|dark)';
const spelledOut = new RegExp(`(?:^|-)${tone}-skin-tone`, 'g');
const atTheEnd = new RegExp(`(?:-${tone})+$`);

/**
 * The name that all skin tones of an emoji share; '' for a sample of a skin tone itself. `names` are those of its
 * style, some of which have tones as in "artist-dark", which only people have: a police-car-light has none.
 * Worked example: "man-dark-skin-tone-bald" -> "man-bald".
 */
export function withoutTone(name: string, isPerson: boolean, names: ReadonlySet<string>): string {
  const plain = name.replace(spelledOut, '').replace(/^-/, '');
  const shorter = plain.replace(atTheEnd, '');
  return isPerson && names.has(shorter) ? shorter : plain;
}

const joining =
  / (?:with|without|of|in|on|at|to|and|from|behind|over|holding|taking|lifting|facing|wearing|making|pointing|getting) /;
const singularInS = /(?:ss|us|gas|lis|mas|tennis|rhinoceros)$/;
const withoutArticle = new Set(
  ['men', 'women', 'people', 'children'].concat(['water', 'fire', 'rice', 'bread', 'money', 'milk']),
);

/** Whether the thing that a name is about takes an article: the last word before "with", "of" and the like. */
function takesArticle(words: string): boolean {
  const [thing = words] = words.split(joining);
  const head = thing.split(' ').findLast((word) => word.length > 1) ?? thing;
  return !withoutArticle.has(head) && (!head.endsWith('s') || singularInS.test(head));
}

const soundsLikeConsonant = /^(?:uni|eu|one\b|ufo|usb)/;

/**
 * A caption as people write prompts. Worked examples: "red-apple" in noto -> "a red apple, noto style"; "ice-cream"
 * -> "an ice cream, noto style"; "grapes" -> "grapes, noto style".
 */
export function caption(name: string, style: string): string {
  const words = name.replaceAll('-', ' ');
  const an = /^(?:[aeiou]|8\b|18\b|11\b)/.test(words) && !soundsLikeConsonant.test(words);
  const article = takesArticle(words) ? (an ? 'an ' : 'a ') : '';
  return `${article}${words}, ${style} style`;
}
