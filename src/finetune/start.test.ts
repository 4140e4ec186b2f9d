/** A run until its first pod starts: it may be corrected, and given up. */
import { expect, it } from 'vitest';
import { aFinetune, aJob, aPod, finished, running, settings, startedAt } from '../../test/support/finetune';
import { timeline } from '../../test/support/timeline';
import type { SparseFinetuneSpec } from '../api/types';
import type { Pod } from '../kube/resources';
import { plan } from './plan';

const job = { ...aJob(aFinetune()), status: { startTime: startedAt } };
const message = 'Back-off pulling image "trainer:typo"';
const stuck: NonNullable<Pod['status']> = {
  phase: 'Pending',
  containerStatuses: [
    {
      name: 'trainer',
      image: 'x',
      imageID: 'x',
      ready: false,
      restartCount: 0,
      state: { waiting: { reason: 'ImagePullBackOff', message } },
    },
  ],
};
const inTime = { startDeadlineSeconds: 600 };

it('a run whose first pod does not start in time fails and says why', () => {
  const see = timeline(inTime);
  const pods = [aPod(job, 'a', stuck)];
  expect(see({ job, pods, at: 599 }).line).toBe('Pending ImagePullBackOff');
  const over = see({ job, pods, at: 600 });
  expect(over).toMatchObject({
    line: 'Failed StartDeadlineExceeded',
    events: ['Warning StartDeadlineExceeded'],
  });
  expect(over.message).toBe(
    `No pod of the run had started after spec.startDeadlineSeconds (600 s): ${message}`,
  );
  expect(see({ pods: [], at: 700 }).line).toBe('Failed StartDeadlineExceeded');
});

it('a run that has once started may wait for its next pod for as long as it takes', () => {
  const see = timeline(inTime);
  expect(see({ job, pods: [aPod(job, 'a', running)] }).finetune.status?.attempts).toMatchObject({
    startedAt,
  });
  const next = aPod(job, 'b', stuck, '2026-01-01T00:01:00Z');
  expect(see({ job, pods: [next], at: 6000 }).line).toBe('Pending ImagePullBackOff');
});

function actionOf(spec: Partial<SparseFinetuneSpec>, seconds: number, started = false): string {
  const attempts = started ? { attempts: { number: 1, startedAt } } : {};
  const finetune = aFinetune(spec, { observedGeneration: -1, ...attempts });
  const now = new Date(Date.parse(startedAt) + seconds * 1000);
  return plan({ finetune, job, pods: [aPod(job, 'a', stuck)] }, settings, now).action;
}

it.each<[string, Partial<SparseFinetuneSpec>, number, boolean, string]>([
  ['stays while it is in time', inTime, 599, false, 'none'],
  ['is deleted when it is not', inTime, 600, false, 'deleteJob'],
  ['stays once a pod has started', inTime, 600, true, 'none'],
  ['is made anew for another trainer', { trainer: { image: 'trainer:2' } }, 0, false, 'deleteJob'],
  ['of a run that has started is never made anew', { trainer: { image: 'trainer:2' } }, 0, true, 'none'],
])('the Job of a run %s', (_, spec, seconds, started, want) => {
  expect(actionOf(spec, seconds, started)).toBe(want);
});

it.each<[string, 'Succeeded' | 'Failed', Partial<SparseFinetuneSpec>, number, string]>([
  ['that failed', 'Failed', { ttlSecondsAfterFailed: 60, ttlSecondsAfterFinished: 10 }, 59, 'none'],
  ['that failed', 'Failed', { ttlSecondsAfterFailed: 60, ttlSecondsAfterFinished: 10 }, 60, 'expire'],
  ['that succeeded', 'Succeeded', { ttlSecondsAfterFailed: 60, ttlSecondsAfterFinished: 10 }, 10, 'expire'],
  ['that succeeded', 'Succeeded', { ttlSecondsAfterSucceeded: 5 }, 5, 'expire'],
  ['that failed', 'Failed', { ttlSecondsAfterSucceeded: 5 }, 500, 'none'],
])('a run %s lives for its own time (%s, %o, %i s)', (_, phase, spec, seconds, want) => {
  const finetune = aFinetune(spec, finished(phase));
  const now = new Date(Date.parse(startedAt) + seconds * 1000);
  expect(plan({ finetune, job, pods: [] }, settings, now).action).toBe(want);
});
