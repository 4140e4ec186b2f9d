import { describe, expect, it } from 'vitest';
import { caption, withoutTone } from './names';

describe('the name that skin tones share', () => {
  const names = new Set(['artist', 'artist-dark', 'police-car', 'man-bald', 'couple', 'medium-square']);
  it.each([
    ['artist', true, 'artist'],
    ['artist-dark', true, 'artist'],
    ['artist-medium-light-skin-tone', true, 'artist'],
    ['man-dark-skin-tone-bald', true, 'man-bald'],
    ['couple-dark-skin-tone-light-skin-tone', true, 'couple'],
    ['couple-medium-dark-medium', true, 'couple'],
    ['vertical-traffic-light', false, 'vertical-traffic-light'],
    ['police-car-light', false, 'police-car-light'],
    ['knight-dark', true, 'knight-dark'],
    ['medium-skin-tone', true, ''],
  ])('of %s (a person: %s) is "%s"', (name, isPerson, want) => {
    expect(withoutTone(name, isPerson, names)).toBe(want);
  });
});

describe('captions', () => {
  it.each([
    ['red-apple', 'a red apple'],
    ['ice-cream', 'an ice cream'],
    ['unicorn', 'a unicorn'],
    ['8-ball', 'an 8 ball'],
    ['1st-place-medal', 'a 1st place medal'],
    ['grapes', 'grapes'],
    ['octopus', 'an octopus'],
    ['wine-glass', 'a wine glass'],
    ['face-with-tears-of-joy', 'a face with tears of joy'],
    ['man-lifting-weights', 'a man lifting weights'],
    ['men-with-bunny-ears', 'men with bunny ears'],
    ['cooked-rice', 'cooked rice'],
  ])('of %s begins "%s"', (name, want) => {
    expect(caption(name, 'noto')).toBe(`${want}, noto style`);
  });
});
