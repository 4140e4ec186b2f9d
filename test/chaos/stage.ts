/** One namespace with SparseFinetunes that run while faults hit their operator, and the invariants that must hold. */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { sparseFinetunes, type SparseFinetune } from '../../src/api/types';
import { isTrue } from '../../src/kube/conditions';
import { FINETUNE_INDEX, finetuneOfPod } from '../../src/finetune/reconcile';
import { trainJobName } from '../../src/kube/names';
import { isOwnedBy } from '../../src/kube/owner';
import { jobs, pods, type Job, type Pod } from '../../src/kube/resources';
import { waitFor } from '../cluster/wait';
import { createTestManager, eventually } from '../integration/api-server';
import { finetune } from '../integration/specs';
import { isFinished, results } from '../integration/stand-ins';
import { checkJobs, readAudit } from './audit';
import { createKubelet } from './kubelet';
import { check, type Check } from './outcome';
import type { Random } from './random';
import type { World } from './world';

const createMs = 90_000;

export type Life = { name: string; kills: number };

export type StageOptions = {
  random: Random;
  /** Upper bounds of the delay before a pod runs, and of its run. */
  waitMs: number;
  runMs: number;
};

export type Stage = {
  namespace: string;
  /** Every run ever created here. */
  lives: readonly Life[];
  unfinished(): Life[];
  create(): Promise<Life>;
  /** Resolves when this many runs have been created in all; fails when that takes longer than any fault lasts. */
  created(count: number): Promise<void>;
  /** Keeps this number of runs unfinished while `wanted` asks for more; ends after stop(). */
  keepBusy(inFlight: number, wanted: () => boolean): { stop(): Promise<void> };
  /** Everything outside of the operator stands still: no run is created or advanced. */
  pause(): void;
  resume(): void;
  /** State of a run, for the statistics. */
  stateOf(life: Life): string;
  /** Resolves when each run's status agrees with its Job and pods. */
  settled(timeoutMs: number): Promise<void>;
  /** Resolves when each run has finished. */
  finished(timeoutMs: number): Promise<void>;
  /** Reads everything again: results equal what the pods said, and each run has had exactly one Job. */
  verify(options?: { auditIsComplete: boolean }): Promise<Check[]>;
  close(): Promise<void>;
};

/** Termination messages differ from run to run, so that no run can be taken for another. */
function lastWordOf(name: string): typeof results {
  const number = Number(/\d+$/.exec(name)?.[0] ?? 0);
  return {
    ...results,
    macs: { ...results.macs, totalSparse: results.macs.totalSparse + number },
    model: { ...results.model, sizeBytes: results.model.sizeBytes + number },
  };
}

function isComplete({ status }: Job): boolean {
  return (
    status?.conditions?.some((condition) => condition.type === 'Complete' && condition.status === 'True') ===
    true
  );
}

/** The phase that a run must show, from its Job and pods alone. */
function wantPhase(job: Job, own: readonly Pod[]): string {
  if (isComplete(job)) return 'Succeeded';
  const runs = own.some(({ status }) => status?.phase === 'Running' || status?.phase === 'Succeeded');
  return runs ? 'Running' : 'Pending';
}

/** Why a finished run's status is not what its pod said; undefined when it is. */
function lossOf({ metadata, status }: SparseFinetune): string | undefined {
  if (status?.phase !== 'Succeeded') return `${metadata.name} is ${status?.phase ?? 'without a status'}`;
  const met = ['Finished', 'Succeeded'].every((type) => isTrue(status.conditions, type));
  if (!met) return `${metadata.name} is Succeeded without its conditions`;
  const want = lastWordOf(metadata.name);
  const part = (Object.keys(want) as (keyof typeof want)[]).find(
    (name) => !isDeepStrictEqual(status[name], want[name]),
  );
  return part === undefined ? undefined : `${metadata.name} lacks the ${part} of its pod's last word`;
}

export async function openStage(world: World, options: StageOptions): Promise<Stage> {
  const { random } = options;
  const namespace = await world.server.createNamespace();
  const server = { ...world.server, namespace };
  const sut = createTestManager(server, { userAgent: 'chaos' });
  const known = {
    finetunes: sut.manager.watch(sparseFinetunes),
    jobs: sut.manager.watch(jobs),
    pods: sut.manager.watch(pods, { indexes: { [FINETUNE_INDEX]: finetuneOfPod } }),
  };
  const kubelet = createKubelet({
    server,
    pods: known.pods,
    random: random.fork('kubelet'),
    waitMs: options.waitMs,
    runMs: options.runMs,
    lastWord: lastWordOf,
  });
  sut.manager.controller({ name: 'kubelet', for: pods, reconciler: kubelet, concurrency: 8 });
  await sut.start();

  const lives: Life[] = [];
  let alive: Life[] = [];
  let paused = false;

  function unfinished(): Life[] {
    alive = alive.filter(({ name }) => {
      const found = known.finetunes.get(namespace, name);
      return found === undefined || !isFinished(found);
    });
    return alive;
  }

  async function create(): Promise<Life> {
    const life = { name: `run-${String(lives.length).padStart(5, '0')}`, kills: 0 };
    lives.push(life);
    alive.push(life);
    const key = { namespace, name: life.name };
    // While the API server is away, creations fail and are retried.
    const make = async () =>
      (await world.server.client.get(sparseFinetunes, key)) ??
      (await world.server.client.create(sparseFinetunes, finetune(life.name, namespace)));
    await eventually(make, { timeoutMs: 60_000 });
    return life;
  }

  function partsOf({ name }: Life) {
    return {
      finetune: known.finetunes.get(namespace, name),
      job: known.jobs.get(namespace, trainJobName(name)),
      pods: known.pods.byIndex(FINETUNE_INDEX, `${namespace}/${name}`),
    };
  }

  function isSettled(life: Life): boolean {
    const { finetune: object, job, pods: own } = partsOf(life);
    if (object === undefined || job === undefined || !isOwnedBy(job, object)) return false;
    const { phase, jobUid } = object.status ?? {};
    return jobUid === job.metadata.uid && phase === wantPhase(job, own);
  }

  function stateOf(life: Life): string {
    const { finetune: object, job, pods: own } = partsOf(life);
    if (object === undefined || job === undefined) return 'no Job yet';
    if (isComplete(job)) return 'Job complete, not yet recorded';
    const phase = own.at(-1)?.status?.phase;
    if (phase === undefined) return 'Job without a pod';
    return isSettled(life) ? `pod ${phase}` : `pod ${phase}, not yet recorded`;
  }

  function keepBusy(inFlight: number, wanted: () => boolean) {
    let open = true;
    const loop = async () => {
      while (open) {
        if (!paused && unfinished().length < inFlight && wanted()) await create();
        else await delay(20);
      }
    };
    const running = loop();
    running.catch(() => undefined); // stop() tells
    return {
      stop: () => {
        open = false;
        return running;
      },
    };
  }

  async function awaitNone(what: string, timeoutMs: number, missing: () => Life[]): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (let left = missing(); left.length > 0; left = missing()) {
      if (performance.now() > deadline) {
        const examples = left.slice(0, 3).map((life) => `${life.name} (${stateOf(life)})`);
        throw new Error(
          `${left.length} runs are not ${what} after ${timeoutMs / 1000} s: ${examples.join(', ')}`,
        );
      }
      await delay(5);
    }
  }

  async function verify({ auditIsComplete } = { auditIsComplete: true }): Promise<Check[]> {
    const isLife = ({ metadata }: { metadata: { name: string } }) => metadata.name.startsWith('run-');
    const [allObjects, allJobs, events] = await Promise.all([
      world.server.client.list(sparseFinetunes, { namespace }),
      world.server.client.list(jobs, { namespace }),
      readAudit(world.plane.auditLog, namespace),
    ]);
    const [objects, ofJobs] = [allObjects.filter(isLife), allJobs.filter(isLife)];
    const missing = lives.filter(({ name }) => !objects.some(({ metadata }) => metadata.name === name));
    const losses = [
      ...missing.map(({ name }) => `${name} is gone`),
      ...objects.map(lossOf).filter((loss) => loss !== undefined),
    ];
    const uids = new Set(ofJobs.map(({ metadata }) => metadata.uid));
    const strangers = objects.filter(({ status }) => !uids.has(status?.jobUid));
    return [
      ...checkJobs(
        events,
        lives.map(({ name }) => trainJobName(name)),
        auditIsComplete,
      ),
      check(
        'one Job stands for each run',
        ofJobs.length === lives.length && strangers.length === 0,
        `${ofJobs.length} Jobs, ${strangers.length} runs name another`,
      ),
      check(
        'no result lost',
        losses.length === 0,
        losses.length === 0
          ? `${objects.length} runs hold what their pods said`
          : losses.slice(0, 5).join('; '),
      ),
    ];
  }

  return {
    namespace,
    lives,
    async created(count) {
      await waitFor(() => lives.length >= count, {
        what: `${count} runs to be created`,
        timeoutMs: createMs,
        intervalMs: 20,
      });
    },
    unfinished,
    create,
    keepBusy,
    pause() {
      paused = true;
      kubelet.pause();
    },
    resume() {
      paused = false;
      kubelet.resume();
    },
    stateOf,
    settled: (timeoutMs) =>
      awaitNone('settled', timeoutMs, () => unfinished().filter((life) => !isSettled(life))),
    finished: (timeoutMs) => awaitNone('finished', timeoutMs, unfinished),
    verify,
    close: () => sut.stop(),
  };
}
