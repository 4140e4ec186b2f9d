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
import { unhurried } from '../../test/support/unhurried';
import type { SparseFinetune, SparseFinetuneStatus } from '../api/types';
import type { KubeClient } from '../kube/client';
import { trainerLabels } from '../kube/names';
import type { Job, Pod } from '../kube/resources';
import { ObjectStore } from '../runtime/cache/store';
import { ApiError } from '../runtime/errors';
import { buildJob } from './job';
import { createFinetuneReconciler, FINETUNE_INDEX, finetuneOfPod } from './reconcile';

const key = { namespace: 'ml', name: 'shirts' };
const lastWord = JSON.stringify({ error: { reason: 'DatasetMissing', message: 'There is no data set.' } });
const labelled = (pod: Pod): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, labels: trainerLabels('shirts') },
});

/** The caches as given; the API server holds `live`, which the caches have not seen yet. */
function setUp(
  cached: { finetune: SparseFinetune; job: Job; pods: Pod[] },
  live: { job: Job; pods: Pod[] },
  countGpus = noGpus,
) {
  const finetunes = new ObjectStore<SparseFinetune>();
  const jobs = new ObjectStore<Job>();
  const pods = new ObjectStore<Pod>({ [FINETUNE_INDEX]: finetuneOfPod });
  finetunes.applyEvent(cached.finetune);
  jobs.applyEvent(cached.job);
  for (const pod of cached.pods) pods.applyEvent(pod);
  const written: SparseFinetuneStatus[] = [];
  const client = {
    apply: () => Promise.resolve(live.job),
    list: () => Promise.resolve(live.pods),
    patchStatus: (_: unknown, __: unknown, status: SparseFinetuneStatus) => {
      written.push(status);
      return Promise.resolve(true);
    },
  } as unknown as KubeClient;
  const clock = new FakeClock(startedAt);
  const events = { event: () => undefined };
  const logged: [string, unknown][] = [];
  const logger = { ...silentLogger, info: (...line: [string, unknown?]) => logged.push([line[0], line[1]]) };
  const reconciler = createFinetuneReconciler({
    queues: noQueues,
    countGpus,
    networks: new ObjectStore(),
    client,
    clock,
    logger,
    events,
    pace: unhurried,
    settings,
    finetunes,
    jobs,
    pods,
  });
  return { reconciler, client, written, logged, finetunes };
}

describe('a Job that has failed before its pod is known to', () => {
  const finetune = aFinetune({ activeDeadlineSeconds: 60 });
  const failed = aJob(finetune, ended('Failed', 'PodFailurePolicy'));
  const lastPod = labelled(aPod(failed, 'a', terminated({ exitCode: 3, message: lastWord })));
  const stalePod = labelled(aPod(failed, 'a', running));
  const earlierPod = labelled(aPod(failed, 'earlier', terminated({ exitCode: 1 }), '2025-12-31T23:00:00Z'));
  const withDeadline = { ...failed, spec: { ...failed.spec!, activeDeadlineSeconds: 60 } };

  it.each([
    ['in the cache', { finetune, job: withDeadline, pods: [stalePod] }],
    ['in the cache, after an earlier attempt', { finetune, job: withDeadline, pods: [earlierPod, stalePod] }],
    ['in the answer to our own write', { finetune, job: aJob(finetune), pods: [stalePod] }],
  ])('%s: the pod’s last word is read all the same', async (_, cached) => {
    const { reconciler, written } = setUp(cached, { job: withDeadline, pods: [earlierPod, lastPod] });
    await reconciler.reconcile(key);
    expect(written[0]?.phase).toBe('Failed');
    expect(written[0]?.conditions?.find(({ type }) => type === 'Succeeded')).toMatchObject({
      status: 'False',
      reason: 'DatasetMissing',
    });
  });
});

it('a run on a CPU beside GPUs is told so, and they are counted once for it', async () => {
  const finetune = aFinetune({}, { trainer: { device: 'CPU (AMD EPYC)', gpus: 0 } });
  const job = aJob(finetune);
  const pods = [labelled(aPod(job, 'a', running))];
  let counted = 0;
  const countGpus = () => Promise.resolve({ nodes: 1, gpus: 8 * ++counted });
  const { reconciler, written, finetunes } = setUp({ finetune, job, pods }, { job, pods }, countGpus);
  await reconciler.reconcile(key);
  finetunes.applyEvent({ ...finetune, status: written[0]! });
  await reconciler.reconcile(key);
  for (const { conditions } of written) {
    const { status, reason, message } = conditions!.find(({ type }) => type === 'UsesGPU')!;
    expect([status, reason]).toEqual(['False', 'NoGPUAsked']);
    expect(message).toContain('a node of the cluster offers 8 of nvidia.com/gpu');
  }
  expect(written).toHaveLength(2);
  expect(counted).toBe(1);
});

/** Over caches that hold no Jobs and no pods. */
function reconcilerOf(client: KubeClient, finetunes: ObjectStore<SparseFinetune>) {
  return createFinetuneReconciler({
    queues: noQueues,
    countGpus: noGpus,
    networks: new ObjectStore(),
    client,
    clock: new FakeClock(startedAt),
    logger: silentLogger,
    events: { event: () => undefined },
    pace: unhurried,
    settings,
    finetunes,
    jobs: new ObjectStore<Job>(),
    pods: new ObjectStore<Pod>({ [FINETUNE_INDEX]: finetuneOfPod }),
  });
}

it('looks again when another’s Job had the name and is gone', async () => {
  const finetune = aFinetune();
  const finetunes = new ObjectStore<SparseFinetune>();
  finetunes.applyEvent(finetune);
  const taken = new ApiError({ status: 409, reason: 'AlreadyExists', message: 'taken' });
  const client = {
    create: () => Promise.reject(taken),
    get: () => Promise.resolve(undefined),
    patchStatus: () => Promise.resolve(true),
  } as unknown as KubeClient;
  const reconciler = reconcilerOf(client, finetunes);
  expect(await reconciler.reconcile(key)).toEqual({ requeueAfterMs: 2_000 });
});

describe('a last word that the API server refuses', () => {
  const sources = [{ uri: 's3://data/images', sha256: 'a'.repeat(64) }];
  const finetune: SparseFinetune = { ...aFinetune(), status: { sources } };
  const job = aJob(finetune, ended('Complete', 'CompletionsReached'));
  const told = {
    sources: [{ uri: 's3://data/images', sha256: 'c'.repeat(64) }],
    model: { uri: 'pvc://models/shirts', sha256: 'b'.repeat(64) },
    fid: { metric: 'fd-x', sparse: '3' },
    progress: { loss: '0.5' },
  };
  const pod = labelled(aPod(job, 'a', terminated({ exitCode: 0, message: JSON.stringify(told) })));

  const refusing = (fields: string[]) => {
    const { reconciler, client, written } = setUp({ finetune, job, pods: [pod] }, { job, pods: [pod] });
    const causes = fields.map((field) => ({ field, message: 'Invalid value' }));
    const error = new ApiError({ status: 422, reason: 'Invalid', message: 'bad', details: { causes } });
    const patch = client.patchStatus.bind(client);
    let tries = 0;
    client.patchStatus = (...given) => (++tries === 1 ? Promise.reject(error) : patch(...given));
    return { reconciler, written, error, tries: () => tries };
  };

  it.each<[string, string[], object]>([
    ['in its figures', ['status.fid.sparse'], { model: told.model, loss: '0.5' }],
    [
      'in its model, whose place the spec knows',
      ['status.model.sha256'],
      { model: { uri: told.model.uri }, fid: told.fid, loss: '0.5' },
    ],
    [
      'in what it fetched, of which an earlier report told',
      ['status.sources[0].sha256'],
      { model: told.model, fid: told.fid, loss: '0.5', sources },
    ],
    ['in two parts', ['status.fid.sparse', 'status.progress.history[0].step'], { model: told.model }],
  ])('%s does not keep the run from its end', async (_, fields, want) => {
    const { reconciler, written } = refusing(fields);
    await reconciler.reconcile(key);
    expect(written).toHaveLength(1);
    const { phase, model, fid, progress, sources } = written[0] ?? {};
    expect(phase).toBe('Succeeded');
    expect({ sources, model, fid, loss: progress?.loss }).toEqual({ sources: told.sources, ...want });
    expect(written[0]?.conditions?.find(({ type }) => type === 'Finished')?.status).toBe('True');
  });

  it('is no reason to pass over what is wrong with the spec', async () => {
    const { reconciler, error, tries } = refusing(['spec.trainer.image']);
    await expect(reconciler.reconcile(key)).rejects.toBe(error);
    expect(tries()).toBe(1);
  });
});

describe('the log', () => {
  it('has one line for a Job that is made', async () => {
    const finetune = aFinetune();
    const job = aJob(finetune);
    const another = { ...job, metadata: { ...job.metadata, name: 'another' } };
    const { reconciler, client, logged } = setUp({ finetune, job: another, pods: [] }, { job, pods: [] });
    client.create = () => Promise.resolve(job as never);
    await reconciler.reconcile(key);
    expect(logged).toEqual([['Job created', { namespace: 'ml', name: 'shirts-train' }]]);
  });

  it('has one line for the end of a run', async () => {
    const finetune = aFinetune();
    const job = aJob(finetune, ended('Failed', 'PodFailurePolicy'));
    const pods = [labelled(aPod(job, 'a', terminated({ exitCode: 3, message: lastWord })))];
    const { reconciler, logged, written, finetunes } = setUp({ finetune, job, pods }, { job, pods });
    await reconciler.reconcile(key);
    finetunes.applyEvent({ ...finetune, status: written[0]! });
    await reconciler.reconcile(key);
    expect(logged).toEqual([
      [
        'run ended',
        {
          namespace: 'ml',
          name: 'shirts',
          phase: 'Failed',
          reason: 'DatasetMissing',
          detail: 'There is no data set.',
        },
      ],
    ]);
  });
});

describe('a refusal of a pod', () => {
  const started = { startTime: startedAt };
  const finetune = aFinetune();
  const pod = (job: Job) => labelled(aPod(job, 'a', terminated({ exitCode: 1 }), '2026-01-01T00:01:00Z'));

  it.each<[string, string, Job, boolean, string]>([
    ['before any pod', '2026-01-01T00:00:00Z', aJob(finetune, started), false, 'PodsRefused'],
    ['after the last pod', '2026-01-01T00:02:00Z', aJob(finetune, started), true, 'PodsRefused'],
    ['before the last pod', '2026-01-01T00:00:30Z', aJob(finetune, started), true, 'JobCreated'],
    ['before a suspension', '2025-12-31T23:00:00Z', aJob(finetune, started), false, 'WaitingForPod'],
  ])('%s', async (_, lastTimestamp, job, hasPod, want) => {
    const event = { involvedObject: { uid: 'job-uid' }, message: 'exceeded quota', lastTimestamp };
    const cached = hasPod ? [pod(job)] : [];
    const { reconciler, written } = setUp({ finetune, job, pods: cached }, { job, pods: [event as never] });
    await reconciler.reconcile(key);
    expect(written[0]?.conditions?.find(({ type }) => type === 'JobReady')?.reason).toBe(want);
  });
});

describe('what is read past the caches', () => {
  const done = JSON.stringify({ model: { uri: 'pvc://models/shirts', sha256: 'b'.repeat(64) } });
  const finetune = aFinetune();
  const complete = aJob(finetune, ended('Complete', 'CompletionsReached'));
  const retrying = aJob(finetune, { failed: 1 });
  const failedPod = (job: Job) => labelled(aPod(job, 'a', terminated({ exitCode: 1 })));

  it.each<[string, { finetune?: SparseFinetune; job?: Job; pods?: Pod[] }, string[]]>([
    ['nothing in the pass that makes the first Job', {}, []],
    [
      'the pods before a further Job',
      { finetune: aFinetune({}, { phase: 'Running', jobUid: 'gone' }) },
      ['sparsedm.io/finetune=shirts'],
    ],
    [
      'nothing while the cache holds a pod that has not ended',
      {
        finetune: aFinetune({}, { phase: 'Running', jobUid: 'gone' }),
        pods: [labelled(aPod(aJob(finetune), 'a', running))],
      },
      [],
    ],
    [
      'events of a Job that has no pod and knows of none',
      { job: aJob(finetune) },
      ['involvedObject.kind=Job,reason=FailedCreate'],
    ],
    [
      'no events where the Job knows of a pod that the cache lacks',
      { job: aJob(finetune, { active: 1 }) },
      [],
    ],
    [
      'no events while a pod runs',
      { job: aJob(finetune), pods: [labelled(aPod(aJob(finetune), 'a', running))] },
      [],
    ],
    [
      'no events where a pod has succeeded',
      { job: aJob(finetune), pods: [labelled(aPod(aJob(finetune), 'a', terminated({ exitCode: 0 })))] },
      [],
    ],
    [
      'events of a Job whose pod has failed, for the next one may be refused',
      { job: retrying, pods: [failedPod(retrying)] },
      ['involvedObject.kind=Job,reason=FailedCreate'],
    ],
    [
      'no pods at the end, where the cache holds the one that succeeded',
      { job: complete, pods: [labelled(aPod(complete, 'a', terminated({ exitCode: 0, message: done })))] },
      [],
    ],
    [
      'the pods at the end, where the cache holds none that succeeded',
      { job: complete, pods: [labelled(aPod(complete, 'a', running))] },
      ['batch.kubernetes.io/controller-uid=job-uid'],
    ],
  ])('%s', async (_, { finetune: seen = finetune, job, pods = [] }, want) => {
    const read: string[] = [];
    const client = {
      create: () => Promise.resolve(aJob(finetune)),
      list: (_resource: unknown, { labelSelector, fieldSelector }: Record<string, string>) => {
        read.push(labelSelector ?? fieldSelector ?? '');
        return Promise.resolve([]);
      },
      patchStatus: () => Promise.resolve(true),
    } as unknown as KubeClient;
    const finetunes = new ObjectStore<SparseFinetune>();
    const jobs = new ObjectStore<Job>();
    const cached = new ObjectStore<Pod>({ [FINETUNE_INDEX]: finetuneOfPod });
    finetunes.applyEvent(seen);
    if (job !== undefined) jobs.applyEvent(job);
    for (const pod of pods) cached.applyEvent(pod);
    const clock = new FakeClock(startedAt);
    const events = { event: () => undefined };
    await createFinetuneReconciler({
      queues: noQueues,
      countGpus: noGpus,
      networks: new ObjectStore(),
      client,
      clock,
      logger: silentLogger,
      events,
      pace: unhurried,
      settings,
      finetunes,
      jobs,
      pods: cached,
    }).reconcile(key);
    expect(read).toEqual(want);
  });
});

describe('a Job is made only when no pod of the name is left', () => {
  const left = labelled(aPod(aJob(aFinetune(), {}, 'gone'), 'a', running));

  /** The API server holds `live`, of which no cache knows. */
  function setUpEmpty(live: Pod[]) {
    const finetunes = new ObjectStore<SparseFinetune>();
    const made: Job[] = [];
    const client = {
      create: (_: unknown, job: Job) => {
        made.push(job);
        return Promise.resolve({ ...job, metadata: { ...job.metadata, uid: 'job-uid' } });
      },
      list: () => Promise.resolve(live),
      patchStatus: () => Promise.resolve(true),
    } as unknown as KubeClient;
    const reconciler = reconcilerOf(client, finetunes);
    return { reconciler, finetunes, made };
  }

  it('of a run that had one before', async () => {
    const live = [left];
    const { reconciler, finetunes, made } = setUpEmpty(live);
    finetunes.applyEvent(aFinetune({}, { phase: 'Running', jobUid: 'gone' }));
    expect(await reconciler.reconcile(key)).toEqual({ requeueAfterMs: 2_000 });
    expect(made).toEqual([]);
    live[0] = { ...left, status: { phase: 'Failed' } };
    await reconciler.reconcile(key);
    expect(made).toHaveLength(1);
  });

  it('of a SparseFinetune that took the name of another', async () => {
    const { reconciler, finetunes, made } = setUpEmpty([left]);
    finetunes.applyEvent(aFinetune());
    await reconciler.reconcile(key);
    expect(made).toHaveLength(1);
    const later = aFinetune();
    finetunes.applyEvent({ ...later, metadata: { ...later.metadata, uid: 'later-uid' } });
    await reconciler.reconcile(key);
    expect(made).toHaveLength(1);
  });
});

it('asks a silent pod once where it reports to', async () => {
  const finetune = aFinetune();
  const job = aJob(finetune);
  const pod = labelled(aPod(job, 'a', running));
  const whole = {
    ...pod,
    spec: buildJob(finetune, { ...settings, reportsUrl: 'http://old.svc:8082' }).spec!.template.spec!,
  };
  const finetunes = new ObjectStore<SparseFinetune>();
  const jobs = new ObjectStore<Job>();
  const pods = new ObjectStore<Pod>({ [FINETUNE_INDEX]: finetuneOfPod });
  finetunes.applyEvent(finetune);
  jobs.applyEvent(job);
  pods.applyEvent(pod);
  const asked: string[] = [];
  const written: SparseFinetuneStatus[] = [];
  const client = {
    get: (_: unknown, { name }: { name: string }) => {
      asked.push(name);
      return Promise.resolve(whole);
    },
    patchStatus: (_: unknown, object: SparseFinetune, status: SparseFinetuneStatus) => {
      written.push(status);
      finetunes.applyEvent({ ...object, status });
      return Promise.resolve(true);
    },
  } as unknown as KubeClient;
  const clock = new FakeClock(startedAt);
  const events = { event: () => undefined };
  const reconciler = createFinetuneReconciler({
    queues: noQueues,
    countGpus: noGpus,
    networks: new ObjectStore(),
    client,
    clock,
    events,
    settings,
    finetunes,
    jobs,
    pods,
    pace: unhurried,
    logger: silentLogger,
  });
  await reconciler.reconcile(key);
  expect(asked).toEqual([]);
  clock.advance(60_000);
  await reconciler.reconcile(key);
  await reconciler.reconcile(key);
  expect(asked).toEqual(['a']);
  expect(written.at(-1)?.conditions?.find(({ type }) => type === 'Reporting')).toMatchObject({
    reason: 'ReportsElsewhere',
    message: expect.stringContaining('http://old.svc:8082') as string,
  });
});
