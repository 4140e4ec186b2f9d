import { expect, test } from 'vitest';
import { parseSelector } from './selector';

const labels = { app: 'web', tier: 'front', empty: '' };

test.each([
  ['', true],
  ['app=web', true],
  ['app==web', true],
  ['app = web', true],
  ['app=db', false],
  ['app!=db', true],
  ['app!=web', false],
  ['missing!=x', true],
  ['missing=x', false],
  ['app', true],
  ['missing', false],
  ['!missing', true],
  ['!app', false],
  ['empty=', true],
  ['app in (web,db)', true],
  ['app in (db, cache)', false],
  ['app notin (db)', true],
  ['missing notin (db)', true],
  ['app=web,tier in (front,back),!missing', true],
  ['app=web,tier in (back)', false],
  ['app.kubernetes.io/managed-by=x', false],
])('"%s" matches: %s', (selector, want) => {
  expect(parseSelector(selector)(labels)).toBe(want);
});

test('what it cannot read it refuses', () => {
  expect(() => parseSelector('a > 3')).toThrow('cannot read the label selector "a > 3"');
});
