/** What of a run is told when the API server is behind, and when it is not. */
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import {
  aFinetune,
  aJob,
  aPod,
  ended,
  noGpus,
  noQueues,
  running,
  settings,
  startedAt,
  terminated,
} from '../../test/support/finetune';
import { silentLogger } from '../../test/support/silent-logger';
import type { SparseFinetune, SparseFinetuneStatus } from '../api/types';
import type { KubeClient } from '../kube/client';
import { trainerLabels } from '../kube/names';
import type { Job, Pod } from '../kube/resources';
import { ObjectStore } from '../runtime/cache/store';
import type { Transport } from '../runtime/http/transport';
import { createPace } from '../runtime/queue/pace';
import { createFinetuneReconciler, FINETUNE_INDEX, finetuneOfPod } from './reconcile';
import { isOvertaken } from './transitions';

const key = { namespace: 'ml', name: 'shirts' };
const lastWord = JSON.stringify({ model: { uri: 'pvc://models/shirts' } });

/** A run in the caches, and that many writes of others, which the API server has not answered for a minute. */
function setUp(others: number) {
  const clock = new FakeClock(new Date(Date.parse(startedAt) - 60_000));
  const pace = createPace(clock);
  let answered = Promise.withResolvers<void>();
  const slow = pace.measured({ request: () => answered.promise } as unknown as Transport);
  const fallBehind = (writes: number) => {
    for (let count = 0; count < writes; count++) void slow.request({ method: 'POST', path: '/' });
    clock.advance(60_000);
  };
  const answer = async () => {
    answered.resolve();
    answered = Promise.withResolvers<void>();
    await clock.advanceAsync(0);
  };
  fallBehind(others);

  const finetunes = new ObjectStore<SparseFinetune>();
  const jobs = new ObjectStore<Job>();
  const pods = new ObjectStore<Pod>({ [FINETUNE_INDEX]: finetuneOfPod });
  const written: SparseFinetuneStatus[] = [];
  const told: string[] = [];
  let created = 0;
  const client = {
    create: (_: unknown, job: Job) => {
      created++;
      const stored = { ...job, metadata: { ...job.metadata, uid: 'job-uid' }, status: {} };
      jobs.applyEvent(stored);
      return Promise.resolve(stored);
    },
    list: () => Promise.resolve([]),
    patchStatus: (_: unknown, finetune: SparseFinetune, status: SparseFinetuneStatus) => {
      if (JSON.stringify(finetune.status) === JSON.stringify(status)) return Promise.resolve(false);
      written.push(status);
      finetunes.applyEvent({ ...finetune, status });
      return Promise.resolve(true);
    },
  } as unknown as KubeClient;
  const events = { event: (_: unknown, __: unknown, reason: string) => void told.push(reason) };
  const reconciler = createFinetuneReconciler({
    queues: noQueues,
    countGpus: noGpus,
    networks: new ObjectStore(),
    client,
    clock,
    logger: silentLogger,
    events,
    pace,
    settings,
    finetunes,
    jobs,
    pods,
  });
  finetunes.applyEvent(aFinetune());
  const next = async () => (await reconciler.reconcile(key)) ?? undefined;
  const pass = async () => (await next())?.requeueAfterMs;
  const podIs = (status: Pod['status'], job: Job['status'] = {}) => {
    const own = aJob(aFinetune(), job);
    const pod = aPod(own, 'a', status!);
    jobs.applyEvent(own);
    pods.applyEvent({ ...pod, metadata: { ...pod.metadata, labels: trainerLabels('shirts') } });
  };
  const phases = () => written.map(({ phase }) => phase);
  return { clock, fallBehind, answer, next, pass, podIs, phases, told, finetunes, created: () => created };
}

const succeeded = terminated({ exitCode: 0, message: lastWord });

describe('a run alone', () => {
  it('is told of in the very pass that learns of it, however slow the API server is', async () => {
    const { pass, podIs, phases, told } = setUp(1);
    await pass();
    expect(phases()).toEqual(['Pending']);
    podIs(running);
    await pass();
    expect(phases()).toEqual(['Pending', 'Running']);
    podIs(succeeded, ended('Complete'));
    await pass();
    expect(phases()).toEqual(['Pending', 'Running', 'Succeeded']);
    expect(told).toEqual(['TrainingStarted', 'Succeeded']);
  });
});

describe('a run among thousands', () => {
  it('has its Job at once, and its first status after 2 s', async () => {
    const { clock, pass, phases, created } = setUp(8);
    expect(await pass()).toBeCloseTo(2_000);
    expect([created(), phases()]).toEqual([1, []]);
    clock.advance(1_500);
    expect(await pass()).toBeCloseTo(500);
    expect(phases()).toEqual([]);
    clock.advance(500);
    await pass();
    expect([created(), phases()]).toEqual([1, ['Pending']]);
  });

  it('that starts meanwhile is told of as running, once', async () => {
    const { clock, pass, podIs, phases, told } = setUp(8);
    await pass();
    clock.advance(1_000);
    podIs(running);
    await pass();
    clock.advance(1_000);
    await pass();
    expect([phases(), told]).toEqual([['Running'], ['TrainingStarted']]);
  });

  it('whose start is known is told of as running within 5 s', async () => {
    const { clock, pass, podIs, phases } = setUp(8);
    await pass();
    clock.advance(2_000);
    await pass();
    podIs(running);
    expect(await pass()).toBeCloseTo(5_000);
    clock.advance(5_000);
    await pass();
    expect(phases()).toEqual(['Pending', 'Running']);
  });

  it('is due with the new ones after that for its first status, and behind the ends of others for any later one', async () => {
    const { clock, next, podIs } = setUp(8);
    expect((await next())?.priority).toBe('high');
    clock.advance(2_000);
    expect((await next())?.priority).toBeUndefined(); // written
    podIs(running);
    expect((await next())?.priority).toBe('low');
  });

  it('that ends is told of at once, with all that waited', async () => {
    const { pass, podIs, phases, told, finetunes } = setUp(8);
    await pass();
    podIs(running);
    await pass();
    podIs(succeeded, ended('Complete'));
    await pass();
    expect([phases(), told]).toEqual([['Succeeded'], ['Succeeded']]);
    expect(finetunes.get('ml', 'shirts')?.status).toMatchObject({
      jobUid: 'job-uid',
      attempts: { number: 1 },
      model: { uri: 'pvc://models/shirts' },
    });
  });

  it('is told of as soon as the others are done', async () => {
    const { clock, answer, pass, podIs, phases } = setUp(2);
    await pass();
    clock.advance(2_000);
    await pass();
    podIs(running);
    expect(await pass()).toBe(5_000);
    await answer();
    clock.advance(1_500);
    await pass();
    expect(phases()).toEqual(['Pending', 'Running']);
  });

  it('writes nothing in a second pass, and does not wait with nothing to say', async () => {
    const { clock, fallBehind, pass, phases } = setUp(0);
    await pass();
    fallBehind(8);
    expect(await pass()).toBe(2_000); // where it looks for its pod again
    clock.advance(10_000);
    await pass();
    expect(phases()).toEqual(['Pending']);
  });
});

describe('what is never left out', () => {
  const base: SparseFinetuneStatus = { phase: 'Pending', conditions: [] };
  const condition = (type: string, status: 'True' | 'False', reason = 'X') => ({
    type,
    status,
    reason,
    message: 'x',
    lastTransitionTime: startedAt,
  });

  it.each<[string, SparseFinetuneStatus | undefined, SparseFinetuneStatus, boolean]>([
    ['a run that waits', undefined, base, true],
    ['a run that starts', base, { ...base, phase: 'Running', attempts: { number: 1 } }, true],
    ['nothing new', base, base, false],
    ['an end', base, { ...base, phase: 'Succeeded' }, false],
    ['a failure', base, { ...base, phase: 'Failed' }, false],
    ['a suspension', base, { ...base, phase: 'Suspended' }, false],
    ['the end of a suspension', { ...base, phase: 'Suspended' }, base, false],
    ['a trouble', base, { ...base, conditions: [condition('JobReady', 'False')] }, false],
    ['silence', base, { ...base, phase: 'Running', conditions: [condition('Reporting', 'False')] }, false],
    ['another attempt', { ...base, attempts: { number: 1 } }, { ...base, attempts: { number: 2 } }, false],
    [
      'the reason of a failed attempt',
      base,
      { ...base, attempts: { number: 1, lastExitReason: 'x' } },
      false,
    ],
  ])('%s', (_, before, after, want) => {
    expect(isOvertaken(aFinetune({}, before), after)).toBe(want);
  });
});
