import { describe, expect, it } from 'vitest';
import { aFinetune, aJob, aPod, running, terminated } from '../../test/support/finetune';
import { failureOf } from './exit';

const job = aJob(aFinetune());
const told = JSON.stringify({ error: { reason: 'DatasetMissing', message: 'There is no data set.' } });

describe('why a training pod failed', () => {
  it.each([
    ['nothing, while it runs', running, undefined, ''],
    ['nothing, when it succeeded', terminated({ exitCode: 0, message: '{}' }), undefined, ''],
    [
      'the trainer’s own word',
      terminated({ exitCode: 3, message: told }),
      'DatasetMissing',
      'There is no data set.',
    ],
    [
      'a file by its URI, not by the path in the pod',
      terminated({
        exitCode: 3,
        message: JSON.stringify({ error: { reason: 'DatasetNotFound', message: 'No /mnt/pvc/data/a.npz.' } }),
      }),
      'DatasetNotFound',
      'No pvc://data/a.npz.',
    ],
    [
      'too little memory',
      terminated({ exitCode: 137, reason: 'OOMKilled' }),
      'OOMKilled',
      'raise spec.trainer.resources.limits.memory',
    ],
    ['SIGTERM', terminated({ exitCode: 143, reason: 'Error' }), 'Terminated', 'exit code 143'],
    [
      'an unknown exit code with its last line',
      terminated({ exitCode: 1, message: 'a\nValueError: b' }),
      'TrainerFailed',
      'exit code 1: ValueError: b.',
    ],
    [
      'the trainer’s own word, cut where containers share the space',
      terminated({ exitCode: 3, message: told.slice(0, -8) }),
      'DatasetMissing',
      'There is no data…',
    ],
    [
      'an unknown exit code with a report that names no error',
      terminated({ exitCode: 1, message: '{"progress":{"step":1,"tot' }),
      'TrainerFailed',
      'exit code 1: "kubectl logs a --namespace ml --container trainer" says why.',
    ],
    [
      'an unknown exit code without a word',
      terminated({ exitCode: 1 }),
      'TrainerFailed',
      'exit code 1: "kubectl logs a --namespace ml --container trainer" says why.',
    ],
    [
      'a command that does not exist',
      terminated({ exitCode: 128, reason: 'StartError', message: 'no such file' }),
      'StartError',
      'no such file',
    ],
    [
      'eviction',
      { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.' },
      'Evicted',
      'low on memory',
    ],
    [
      'preemption',
      {
        phase: 'Failed',
        conditions: [
          { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler', message: 'preempted' },
        ],
      },
      'PreemptionByScheduler',
      'preempted',
    ],
  ])('%s', (_, status, wantReason, wantMessage) => {
    const failure = failureOf(aPod(job, 'a', status));
    expect(failure?.reason).toBe(wantReason);
    if (wantReason !== undefined) expect(failure?.message).toContain(wantMessage);
  });

  it('too little memory, with the limit of its container', () => {
    const pod = aPod(job, 'a', terminated({ exitCode: 137, reason: 'OOMKilled' }));
    const containers = [{ name: 'trainer', resources: { limits: { memory: '512Mi' } } }];
    expect(failureOf({ ...pod, spec: { containers } })?.message).toContain(
      'ran out of memory, of which its limit is 512Mi: raise spec.trainer.resources.limits.memory',
    );
  });
});
