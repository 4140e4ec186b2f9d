import { describe, expect, it } from 'vitest';
import { aFinetune, aJob, aPod, running, terminated } from '../../test/support/finetune';
import { countAttempts, imageOf } from './attempts';

const job = aJob(aFinetune());
const failed = terminated({ exitCode: 137, reason: 'OOMKilled' });
const first = aPod(job, 'a', failed, '2026-01-01T00:00:00Z');
const second = aPod(job, 'b', running, '2026-01-01T00:01:00Z');
const sameSecond = aPod(job, 'c', running, '2026-01-01T00:01:00Z');

it('the image is that of the newest trainer that has started', () => {
  const of = (name: string, imageID: string, minute: number) =>
    aPod(
      job,
      name,
      { containerStatuses: [{ name: 'trainer', image: 'x', imageID, ready: true, restartCount: 0 }] },
      `2026-01-01T00:0${minute}:00Z`,
    );
  const [one, two] = [of('a', 'r/x@sha256:1', 0), of('b', 'r/x@sha256:2', 1)];
  expect(imageOf([])).toBeUndefined();
  expect(imageOf([two, one])).toBe('r/x@sha256:2');
  expect(imageOf([one, of('b', '', 1)])).toBe('r/x@sha256:1');
});

describe('attempts', () => {
  it('are unknown before the first pod', () => {
    expect(countAttempts(undefined, [])).toBeUndefined();
  });

  it.each([
    ['one pod', undefined, [second], 1, 'b-uid'],
    ['pods in any order', undefined, [second, first], 2, 'b-uid'],
    [
      'the same pods again',
      { number: 2, podUid: 'b-uid', podCreatedAt: '2026-01-01T00:01:00Z' },
      [first, second],
      2,
      'b-uid',
    ],
    [
      'a further pod',
      { number: 1, podUid: 'a-uid', podCreatedAt: '2026-01-01T00:00:00Z' },
      [first, second],
      2,
      'b-uid',
    ],
    ['no pod any more', { number: 2, podUid: 'b-uid', podCreatedAt: '2026-01-01T00:01:00Z' }, [], 2, 'b-uid'],
    [
      'only a later pod, of another Job',
      { number: 1, podUid: 'a-uid', podCreatedAt: '2026-01-01T00:00:00Z' },
      [second],
      2,
      'b-uid',
    ],
    [
      'only a later pod of the same second',
      { number: 2, podUid: 'b-uid', podCreatedAt: '2026-01-01T00:01:00Z' },
      [sameSecond],
      3,
      'c-uid',
    ],
    [
      'only an earlier pod, for the later one was deleted',
      { number: 2, podUid: 'b-uid', podCreatedAt: '2026-01-01T00:01:00Z' },
      [first],
      2,
      'b-uid',
    ],
  ])('count %s', (_, before, pods, wantNumber, wantUid) => {
    expect(countAttempts(before, pods)).toMatchObject({ number: wantNumber, podUid: wantUid });
  });

  it('remember how the last one that failed ended, and from where this one went on', () => {
    const counted = countAttempts({ number: 1, podUid: 'a-uid', resumedFromStep: 50 }, [first, second]);
    expect(counted).toMatchObject({ lastExitReason: 'OOMKilled', resumedFromStep: 50 });
  });
});
