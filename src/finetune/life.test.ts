/** Whole lives of runs: each is a sequence of states of the cluster, and what the user reads at each of them. */
import { expect, it } from 'vitest';
import { aFinetune, aJob, aPod, ended, running, startedAt, terminated } from '../../test/support/finetune';
import { timeline, type Seen } from '../../test/support/timeline';
import type { SparseFinetuneStatus } from '../api/types';
import type { Job, Pod } from '../kube/resources';
import { REASONS } from '../api/conditions';
import { findCondition } from '../kube/conditions';

type Status = NonNullable<Job['status']>;
const job = (status: Status = {}, uid = 'job-uid'): Job =>
  aJob(aFinetune(), { startTime: startedAt, ...status }, uid);
const at = (minutes: number) => `2026-01-01T00:${String(minutes).padStart(2, '0')}:00Z`;
const pod = (name: string, status: NonNullable<Pod['status']>, minutes = 0) =>
  aPod(job(), name, status, at(minutes));
const step = (reached: number): Partial<SparseFinetuneStatus> => ({
  progress: { step: reached, totalSteps: 300, percent: Math.round(reached / 3) },
  checkpoint: { step: reached, uri: 'pvc://models/shirts/checkpoints' },
});
const word = (more: object = {}) =>
  terminated({
    exitCode: 0,
    message: JSON.stringify({
      model: { uri: 'pvc://models/shirts', sha256: 'a'.repeat(64) },
      fid: { metric: 'FID', dense: '10', sparse: '11', increase: '1' },
      ...more,
    }),
  });
const pending: NonNullable<Pod['status']> = { phase: 'Pending' };
const conditionOf = ({ finetune }: Seen, type: string) => findCondition(finetune.status?.conditions, type);

it('goes from its Job to its model', () => {
  const see = timeline();
  expect(see({})).toMatchObject({ line: 'Pending JobMissing' });
  expect(see({ job: job() })).toMatchObject({ line: 'Pending WaitingForPod' });
  expect(see({ job: job({ active: 1 }), pods: [pod('a', pending)] })).toMatchObject({
    line: 'Pending WaitingForPod',
  });
  expect(see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(30) })).toMatchObject({
    line: 'Running Running',
    events: ['Normal TrainingStarted'],
    finetune: { status: { attempts: { number: 1 }, progress: { step: 30 } } },
  });
  const over = see({ job: job(ended('Complete')), pods: [pod('a', word())], at: 600 });
  expect(over).toMatchObject({
    line: 'Succeeded Succeeded',
    events: ['Normal Succeeded'],
    finetune: { status: { progress: { step: 300, percent: 100 }, model: { uri: 'pvc://models/shirts' } } },
  });
  // Its Job and its pod may go.
  expect(see({ at: 7000 })).toMatchObject({ line: 'Succeeded Succeeded', events: [] });
});

it('is suspended in the middle, keeps what it reached, and goes on', () => {
  const see = timeline();
  const first = [pod('a', running)];
  see({ job: job({ active: 1 }), pods: first, told: { ...step(100), startTime: startedAt } });
  const stopping = see({ spec: { suspend: true }, job: job({ active: 1 }), pods: first, at: 60 });
  expect(stopping.finetune.status?.phase).toBe('Suspended');
  const away = see({ job: job(), pods: [], at: 70 });
  expect(away).toMatchObject({
    line: 'Suspended Suspended',
    finetune: { status: { checkpoint: { step: 100 } } },
  });
  expect(away.finetune.status?.progress?.eta).toBeUndefined();
  const waiting = see({
    spec: { suspend: false },
    job: job({ active: 1 }),
    pods: [pod('b', pending, 2)],
    at: 120,
  });
  expect(waiting.line).toBe('Pending WaitingForPod');
  const again = see({ job: job({ active: 1 }), pods: [pod('b', running, 2)], at: 130 });
  expect(again).toMatchObject({
    line: 'Running Running',
    finetune: { status: { attempts: { number: 2 }, checkpoint: { step: 100 } } },
  });
});

it('is tried again where memory was too small, with the limit named, and fails when the tries are used up', () => {
  const see = timeline({ backoffLimit: 1 });
  const killed = (name: string, minutes = 0) =>
    pod(name, terminated({ exitCode: 137, reason: 'OOMKilled' }), minutes);
  see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(40) });
  const lost = see({ job: job({ failed: 1 }), pods: [killed('a')], at: 60 });
  expect(lost.line).toBe('Pending Retrying');
  expect(lost.message).toContain('spec.trainer.resources.limits.memory');
  expect(lost.message).toContain('spec.backoffLimit allows 1 more');
  see({ job: job({ active: 1, failed: 1 }), pods: [killed('a'), pod('b', running, 2)], at: 130 });
  const over = see({
    job: job(ended('Failed', 'BackoffLimitExceeded')),
    pods: [killed('a'), killed('b', 2)],
    at: 300,
  });
  expect(over).toMatchObject({ line: 'Failed OOMKilled', events: ['Warning OOMKilled'] });
  expect(over.message).toContain('spec.trainer.resources.limits.memory');
  expect(over.finetune.status).toMatchObject({ attempts: { number: 2 }, checkpoint: { step: 40 } });
});

it('loses its node to a drain, which counts for nothing, and resumes', () => {
  const see = timeline({ backoffLimit: 0 });
  const disruption = {
    ...{ type: 'DisruptionTarget', status: 'True' as const, reason: 'EvictionByEvictionAPI' },
    message: 'Eviction API: evicting',
  };
  see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(60) });
  const drained = { ...terminated({ exitCode: 143 }), conditions: [disruption] };
  const lost = see({ job: job({ failed: 1 }), pods: [pod('a', drained)], at: 60 });
  expect(lost.line).toBe('Pending Retrying');
  expect(lost.message).toContain('does not count against spec.backoffLimit');
  const again = see({ job: job({ active: 1 }), pods: [pod('b', running, 2)], at: 130 });
  expect(again).toMatchObject({
    line: 'Running Running',
    finetune: { status: { attempts: { number: 2 }, checkpoint: { step: 60 } } },
  });
});

it('is held by somebody else’s suspension, which stays, and goes on when it is lifted', () => {
  const see = timeline();
  const held = { ...job(), spec: { ...job().spec!, suspend: true } };
  see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(50) });
  expect(see({ job: held, pods: [], at: 60 })).toMatchObject({ line: 'Suspended HeldByOthers' });
  expect(see({ job: held, pods: [], at: 600 })).toMatchObject({ line: 'Suspended HeldByOthers', events: [] });
  expect(see({ job: job({ active: 1 }), pods: [pod('b', running, 11)], at: 700 })).toMatchObject({
    line: 'Running Running',
    finetune: { status: { attempts: { number: 2 }, checkpoint: { step: 50 } } },
  });
});

it('gets another Job where its own was deleted, once its pod has ended', () => {
  const see = timeline();
  const deleted = { ...job(), metadata: { ...job().metadata, deletionTimestamp: at(1) } };
  const ending = pod('a', running);
  const told = { ...ending, metadata: { ...ending.metadata, deletionTimestamp: at(1) } };
  see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(70) });
  expect(see({ job: deleted, pods: [told], at: 60 }).line).toBe('Pending JobDeleting');
  expect(see({ pods: [], at: 90 }).line).toBe('Pending JobMissing');
  const next = job({ active: 1 }, 'next-uid');
  expect(see({ job: next, pods: [aPod(next, 'b', running, at(2))], at: 130 })).toMatchObject({
    line: 'Running Running',
    finetune: { status: { attempts: { number: 2 }, checkpoint: { step: 70 } } },
  });
});

it('ends with the trainer’s own word, and is not tried again where it can not help', () => {
  const see = timeline();
  see({ job: job({ active: 1 }), pods: [pod('a', running)] });
  const message = JSON.stringify({
    error: { reason: 'DatasetNotFound', message: 'No /mnt/pvc/data/fashion.' },
  });
  const over = see({
    job: job(ended('Failed', 'PodFailurePolicy')),
    pods: [pod('a', terminated({ exitCode: 3, message }))],
    at: 60,
  });
  expect(over).toMatchObject({ line: 'Failed DatasetNotFound', events: ['Warning DatasetNotFound'] });
  expect(over.message).toContain('No pvc://data/fashion.');
});

it('ends at its own deadline', () => {
  const see = timeline({ activeDeadlineSeconds: 60 });
  see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(20) });
  const over = see({ job: job(ended('Failed', 'DeadlineExceeded')), pods: [], at: 70 });
  expect(over.line).toBe('Failed DeadlineExceeded');
  expect(over.message).toContain('spec.activeDeadlineSeconds');
  expect(over.finetune.status?.checkpoint?.step).toBe(20);
});

it('has a model beyond the gate, which is no success', () => {
  const see = timeline({ acceptance: { maxFidIncrease: '0.5' } });
  see({ job: job({ active: 1 }), pods: [pod('a', running)] });
  const over = see({ job: job(ended('Complete')), pods: [pod('a', word())], at: 600 });
  expect(over).toMatchObject({ line: 'Succeeded GateFailed' });
  expect(over.events).toContain('Warning OutOfBounds');
  expect(conditionOf(over, 'QualityGatePassed')).toMatchObject({
    status: 'False',
    reason: REASONS.gateFailed,
  });
});

it('went back to its last good stage, and says so with its success', () => {
  const see = timeline();
  see({ job: job({ active: 1 }), pods: [pod('a', running)], told: step(180) });
  const rollback = {
    stage: 2,
    pattern: '6:8',
    step: 120,
    regressedStep: 180,
    message: 'It rose after stage 3.',
  };
  const over = see({ job: job(ended('Complete')), pods: [pod('a', word({ rollback }))], at: 600 });
  expect(over.finetune.status).toMatchObject({ phase: 'Succeeded', rollback, progress: { step: 120 } });
  expect(conditionOf(over, 'Succeeded')).toMatchObject({ status: 'True', reason: REASONS.rolledBack });
});
