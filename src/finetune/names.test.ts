import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { aFinetune } from '../../test/support/finetune';
import { rememberNames } from './earlier-pod';

const key = { namespace: 'ml', name: 'shirts' };
const holder = (uid: string) => {
  const finetune = aFinetune();
  return { ...finetune, metadata: { ...finetune.metadata, uid } };
};

it.each<[string, (names: ReturnType<typeof rememberNames>, clock: FakeClock) => void, boolean]>([
  ['is new for its first holder', () => undefined, false],
  ['is taken when another had it', (names) => names.note(holder('a')), true],
  ['is not taken by its own holder', (names) => names.note(holder('b')), false],
  [
    'is taken for half a minute after another has gone',
    (names, clock) => {
      names.note(holder('a'));
      names.leave(key);
      clock.advance(29_999);
      names.leave({ namespace: 'ml', name: 'other' });
    },
    true,
  ],
  [
    'is new later, and takes no memory',
    (names, clock) => {
      names.note(holder('a'));
      names.leave(key);
      clock.advance(30_000);
      names.leave({ namespace: 'ml', name: 'other' });
    },
    false,
  ],
])('a name %s', (_, before, want) => {
  const clock = new FakeClock();
  const names = rememberNames(clock);
  before(names, clock);
  names.note(holder('b'));
  expect(names.isTaken(holder('b'))).toBe(want);
});
