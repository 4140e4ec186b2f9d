import { describe, expect, it } from 'vitest';
import { aFinetune, aJob, aPod, ended, finished, running, settings } from '../../test/support/finetune';
import { plan } from './plan';
import { podsOfRun, type Observed } from './situation';

const now = new Date('2026-01-01T00:10:00Z');
const finetune = aFinetune();
const foreign = { ...aJob(finetune), metadata: { name: 'shirts-train', namespace: 'ml', uid: 'x' } };
const deleted = {
  ...finetune,
  metadata: { ...finetune.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
};
const deletedJob = {
  ...aJob(finetune),
  metadata: { ...aJob(finetune).metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
};
const over = (spec: object) => aFinetune(spec, finished('Succeeded', '2026-01-01T00:00:00Z'));

describe('what is written next', () => {
  it.each<[string, Observed, string]>([
    ['a Job, when there is none', { finetune, job: undefined, pods: [] }, 'createJob'],
    [
      'no Job, while an earlier pod of the name has not ended',
      { finetune, job: undefined, pods: [], earlierPod: aPod(aJob(finetune), 'a', running) },
      'none',
    ],
    ['nothing, when all is as it should be', { finetune, job: aJob(finetune), pods: [] }, 'none'],
    [
      'the controls, when the spec has changed',
      { finetune: aFinetune({ suspend: true }), job: aJob(finetune), pods: [] },
      'controlJob',
    ],
    [
      'nothing, when the name is another’s',
      { finetune: aFinetune({ suspend: true }), job: foreign, pods: [] },
      'none',
    ],
    [
      'nothing, while the Job is being deleted',
      { finetune: aFinetune({ suspend: true }), job: deletedJob, pods: [] },
      'none',
    ],
    [
      'nothing, when the Job has just ended',
      { finetune: aFinetune({ backoffLimit: 9 }), job: aJob(finetune, ended('Failed')), pods: [] },
      'none',
    ],
    [
      'nothing, while a pod runs',
      { finetune, job: aJob(finetune), pods: [aPod(aJob(finetune), 'a', running)] },
      'none',
    ],
    [
      'no Job after the end, even if it was deleted',
      { finetune: over({}), job: undefined, pods: [] },
      'none',
    ],
    ['no Job while the object is being deleted', { finetune: deleted, job: undefined, pods: [] }, 'none'],
    [
      'nothing before the time to live has passed',
      { finetune: over({ ttlSecondsAfterFinished: 601 }), job: undefined, pods: [] },
      'none',
    ],
    [
      'its deletion once it has',
      { finetune: over({ ttlSecondsAfterFinished: 600 }), job: undefined, pods: [] },
      'expire',
    ],
  ])('%s', (_, observed, want) => {
    expect(plan(observed, settings, now).action).toBe(want);
  });
});

describe('the pods of a run', () => {
  const run = aFinetune({}, { jobUid: 'earlier-uid' });
  const labelled = {
    ...aPod(aJob(finetune), 'forged', running),
    metadata: { name: 'forged', namespace: 'ml' },
  };

  it.each([
    ['one of its Job', aPod(aJob(finetune), 'a', running), 1],
    [
      'one of its Job, whatever the clocks say',
      aPod(aJob(finetune), 'a', running, '2025-12-31T23:59:59Z'),
      1,
    ],
    ['one of the Job before', aPod(aJob(finetune, {}, 'earlier-uid'), 'a', running), 1],
    [
      'none of a Job of the same name, of a run before it',
      aPod(aJob(finetune, {}, 'other-uid'), 'a', running),
      0,
    ],
    ['none that only has its label', labelled, 0],
  ])('%s', (_, pod, want) => {
    expect(podsOfRun(run, aJob(run), [pod])).toHaveLength(want);
  });
});
