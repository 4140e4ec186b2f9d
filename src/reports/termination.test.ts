import { expect, it } from 'vitest';
import { wordsIn } from './termination';

it.each([
  ['a traceback', ' Traceback: x\n', 'Traceback: x'],
  ['a report without an error, cut', '{"progress":{"step":1,"tot', undefined],
  ['nothing', undefined, undefined],
])('a termination message that is %s has words for people', (_, message, want) => {
  expect(wordsIn(message)).toBe(want);
});
