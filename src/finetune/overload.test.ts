/**
 * Hundreds of runs on an API server that takes one write after the other, or a few at a time, on a clock of its own:
 * what the coalescing window saves there, the same on any machine.
 */
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import {
  aFinetune,
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
import type { SparseFinetune } from '../api/types';
import { createKubeClient } from '../kube/client';
import { isTrue } from '../kube/conditions';
import { trainerLabels } from '../kube/names';
import type { Job, Pod } from '../kube/resources';
import { ObjectStore } from '../runtime/cache/store';
import { createController } from '../runtime/controller';
import { createEventRecorder } from '../runtime/events';
import type { Request, Transport } from '../runtime/http/transport';
import { keyOf, type KubeObject } from '../runtime/objects';
import { createPace, type Pace } from '../runtime/queue/pace';
import { createMetrics } from '../runtime/telemetry/metrics';
import { createFinetuneReconciler, FINETUNE_INDEX, finetuneOfPod } from './reconcile';

const runs = 400;
const createdPerSecond = 40;
const podMs = 2_000;
const settleMs = 100;
const lastWord = JSON.stringify({ model: { uri: 'pvc://models/shirts' } });

/** A number of writes at one time, each of the same length, for all callers. */
function busyServer(clock: FakeClock, { writeMs, atOnce = 1 }: Server) {
  const freeAt = Array<number>(atOnce).fill(0);
  return (): Promise<void> => {
    const at = Math.max(Math.min(...freeAt), clock.monotonic()) + writeMs;
    freeAt[freeAt.indexOf(Math.min(...freeAt))] = at;
    const { promise, resolve } = Promise.withResolvers<void>();
    clock.setTimeout(resolve, at - clock.monotonic());
    return promise;
  };
}

type Server = { writeMs: number; atOnce?: number };

type Pacing = (clock: FakeClock) => Pace;

async function simulate(server: Server, pacing: Pacing) {
  const clock = new FakeClock(startedAt);
  const write = busyServer(clock, server);
  const metrics = createMetrics();
  const finetunes = new ObjectStore<SparseFinetune>();
  const jobs = new ObjectStore<Job>();
  const pods = new ObjectStore<Pod>({ [FINETUNE_INDEX]: finetuneOfPod });
  const sent = { jobs: 0, statuses: 0, events: 0, reads: 0 };
  const untilJob: number[] = [];
  const untilTold: number[] = [];
  const told: string[] = [];
  let endedAt = 0;
  jobs.replace([], '1', 0);
  finetunes.replace([], '1', 0);
  let version = 1;
  const stored = <T extends KubeObject>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, resourceVersion: String(++version) },
  });

  /** Job controller, scheduler and kubelet. */
  async function runJob(job: Job, name: string): Promise<void> {
    const setJob = async (status: Job['status']) => {
      await write();
      jobs.applyEvent(stored({ ...job, status: status! }));
      controller.enqueueAfter({ namespace: 'ml', name }, settleMs);
    };
    const setPod = async (status: NonNullable<Pod['status']>) => {
      await write();
      const pod = aPod(job, `${name}-0`, status);
      pods.applyEvent(stored({ ...pod, metadata: { ...pod.metadata, labels: trainerLabels(name) } }));
      controller.enqueueAfter({ namespace: 'ml', name }, settleMs);
    };
    await setPod({ phase: 'Pending' });
    await setJob({ active: 1, startTime: startedAt });
    await setPod(running);
    await new Promise<void>((resolve) => clock.setTimeout(resolve, podMs));
    await setPod(terminated({ exitCode: 0, message: lastWord }));
    await setJob(ended('Complete'));
  }

  const createdAt = new Map<string, number>();

  function createJob(body: Job): Job {
    const name = body.metadata.name.replace(/-train$/, '');
    sent.jobs++;
    untilJob.push(clock.monotonic() - (createdAt.get(name) ?? 0));
    const job = stored({ ...body, metadata: { ...body.metadata, uid: `${name}-job` }, status: {} });
    void runJob(job, name);
    return job;
  }

  function patchStatus(path: string, { status }: { status: object }): SparseFinetune {
    const name = path.split('/').at(-2) ?? '';
    sent.statuses++;
    const before = finetunes.get('ml', name)!;
    if (before.status?.phase === undefined) untilTold.push(clock.monotonic() - (createdAt.get(name) ?? 0));
    const merged = { ...before, status: { ...before.status, ...status } } as SparseFinetune;
    if (isTrue(merged.status?.conditions, 'Finished')) endedAt = clock.monotonic();
    return stored(merged);
  }

  const transport = {
    async request<T>({ method, path, body }: Request): Promise<T> {
      await write();
      if (method === 'GET') {
        sent.reads++;
        return { items: [], metadata: {} } as T;
      }
      if (path.endsWith('/jobs')) return createJob(body as Job) as T;
      if (path.endsWith('/status')) return patchStatus(path, body as { status: object }) as T;
      sent.events++;
      told.push((body as { reason: string }).reason);
      return {} as T;
    },
  } as unknown as Transport;

  const pace = pacing(clock);
  const events = createEventRecorder({
    transport,
    clock,
    logger: silentLogger,
    controller: 'test',
    instance: 'test',
    pace,
  });
  const client = createKubeClient({
    transport: pace.measured(transport),
    observe: (_, object) => {
      if (object.kind === 'Job') jobs.observeWrite(object);
      else finetunes.applyEvent(object as KubeObject as SparseFinetune);
    },
  });
  const controller = createController({
    name: 'sparsefinetune',
    reconciler: createFinetuneReconciler({
      queues: noQueues,
      countGpus: noGpus,
      networks: new ObjectStore(),
      client,
      clock,
      events,
      pace,
      logger: silentLogger,
      settings,
      finetunes,
      jobs,
      pods,
    }),
    concurrency: 8,
    clock,
    logger: silentLogger,
    metrics,
  });
  const stop = new AbortController();
  const working = controller.run(stop.signal);
  for (let index = 0; index < runs; index++) {
    clock.setTimeout(
      () => {
        const name = `run-${index}`;
        const made = aFinetune();
        createdAt.set(name, clock.monotonic());
        const finetune = stored({ ...made, metadata: { ...made.metadata, name, uid: `${name}-uid` } });
        finetunes.applyEvent(finetune);
        controller.enqueue(keyOf(finetune), 'high');
      },
      (index * 1000) / createdPerSecond,
    );
  }
  const isOver = () => told.filter((reason) => reason === 'Succeeded').length === runs;
  for (let seconds = 0; seconds < 600 && !isOver(); seconds++) await clock.advanceAsync(1_000);
  stop.abort();
  await clock.advanceAsync(1_000);
  await working;
  untilJob.sort((a, b) => a - b);
  untilTold.sort((a, b) => a - b);
  return {
    endedS: endedAt / 1000,
    p50: untilJob[runs / 2]!,
    p99: untilJob[(runs * 99) / 100]!,
    told50: untilTold[runs / 2]!,
    told99: untilTold[(runs * 99) / 100]!,
    succeeded: finetunes.list().filter(({ status }) => status?.phase === 'Succeeded').length,
    perRun: (sent.jobs + sent.statuses + sent.events + sent.reads) / runs,
    sent,
    ends: told.filter((reason) => reason === 'Succeeded').length,
  };
}

const atOnce: Pacing = () => unhurried;
const paced: Pacing = (clock) => createPace(clock);
const complete = { succeeded: runs, ends: runs, sent: { jobs: runs } };

it('with a quarter fewer requests all runs end sooner, and their Jobs are made sooner', async () => {
  const before = await simulate({ writeMs: 5 }, atOnce);
  const after = await simulate({ writeMs: 5 }, paced);
  expect(before).toMatchObject(complete);
  expect(after).toMatchObject(complete);
  expect(after.perRun).toBeLessThan(0.8 * before.perRun);
  expect(after.endedS).toBeLessThan(0.95 * before.endedS);
  expect(after.p50).toBeLessThan(0.9 * before.p50);
}, 60_000);

it('where the API server keeps up, everything is told, as soon as without a window', async () => {
  const before = await simulate({ writeMs: 2 }, atOnce);
  const after = await simulate({ writeMs: 2 }, paced);
  expect(after).toEqual(before);
  expect(after.sent).toEqual({ jobs: runs, statuses: 3 * runs, events: 2 * runs, reads: 0 });
}, 60_000);

it('where the API server takes many writes at a time and is busy, a run costs two statuses, and no Job is later', async () => {
  const server = { writeMs: 20, atOnce: 8 };
  const before = await simulate(server, atOnce);
  const after = await simulate(server, paced);
  expect(before).toMatchObject({ ...complete, sent: { jobs: runs, statuses: 3 * runs } });
  expect(after).toMatchObject(complete);
  expect(after.sent.statuses).toBeLessThan(2.1 * runs);
  expect(after.perRun).toBeLessThan(0.8 * before.perRun);
  expect(after.p99).toBeLessThanOrEqual(before.p99);
  expect(after.endedS).toBeLessThanOrEqual(before.endedS);
}, 60_000);

// Here a wait once came out as a tiny fraction of a millisecond, which no clock moves by: the pass spun.
it('where the API server just keeps up, every wait ends', async () => {
  expect(await simulate({ writeMs: 3 }, paced)).toMatchObject(complete);
}, 60_000);
