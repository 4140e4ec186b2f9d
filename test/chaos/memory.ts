/** A day's reconciles in minutes: the heap after garbage collection stays flat. */
import { writeFile, rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  sparseFinetunes,
  sparseInferenceServices,
  sparseStudies,
  type SparseFinetune,
} from '../../src/api/types';
import { childKinds } from '../../src/inference/child-kinds';
import { labels, trainJobName } from '../../src/kube/names';
import { ownerReference } from '../../src/kube/owner';
import { deployments, jobs, pods, services } from '../../src/kube/resources';
import type { Resource } from '../../src/runtime/objects';
import { finetune } from '../integration/specs';
import { isFinished, results } from '../integration/stand-ins';
import { check, type Outcome } from './outcome';
import { buildProgram, startProcess, type OperatorProcess } from './process';
import { startToyApi, type ToyApi, type ToyObject } from './toy-api';
import { kubeconfigFor } from './proxy';

export type MemoryOptions = { reconciles: number; report: (line: string) => void };

const namespace = 'memory';
const inFlight = 60;
const touches = 10;
const touchMs = 20;
/** Heap samples over the whole. */
const samples = 40;
/** Reconciles during which bounded caches (of events, of applied objects) fill up. */
const warmUp = 0.4;
/** Growth of the heap from the end of the warm-up to the end, by the line fitted to the samples. */
const mostGrowth = 0.05;

type Sample = { reconciles: number; heapMiB: number };

/** Slope of the line of least squares. Example: of (0, 1), (1, 3), (2, 5) it is 2. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return over / under;
}

const now = () => new Date().toISOString().replace(/\.\d+Z$/, 'Z');

/** Simulates runs, each under its own name, one step per write of the operator. */
function playLives(api: ToyApi): { start(): void; ended(): number } {
  let made = 0;
  let ended = 0;
  /** Further steps of a run, taken one at a time when the operator has written its status. */
  const steps = new Map<string, (() => void)[]>();

  function start(): void {
    const name = `run-${String(made++).padStart(6, '0')}`;
    steps.set(name, stepsOf(name));
    api.create(sparseFinetunes, finetune(name, namespace));
  }

  /** Changes that each lead to a pass without a write; then what follows. */
  function touch(name: string, left: number, then: () => void): void {
    if (left === 0) return then();
    api.patch(sparseFinetunes, name, { metadata: { annotations: { touched: String(left) } } });
    setTimeout(() => touch(name, left - 1, then), touchMs);
  }

  function stepsOf(name: string): (() => void)[] {
    const job = trainJobName(name);
    const status = (resource: Resource, object: string, value: object) =>
      api.patch(resource, object, { status: value });
    const last = {
      exitCode: 0,
      reason: 'Completed',
      startedAt: now(),
      finishedAt: now(),
      message: JSON.stringify(results),
    };
    return [
      () => {
        const owner = { ...ownerReference(api.get(jobs, job)!), apiVersion: 'batch/v1', kind: 'Job' };
        const own = { [labels.managedBy]: 'sparsedm-operator', [labels.finetune]: name };
        api.create(pods, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            name: job,
            labels: { ...own, 'batch.kubernetes.io/controller-uid': owner.uid },
            ownerReferences: [owner],
          },
        });
        status(pods, job, { phase: 'Running', startTime: now() });
      },
      () =>
        touch(name, touches, () => {
          status(pods, job, {
            phase: 'Succeeded',
            containerStatuses: [
              { name: 'trainer', ready: false, restartCount: 0, state: { terminated: last } },
            ],
          });
          status(jobs, job, {
            completionTime: now(),
            conditions: [{ type: 'Complete', status: 'True' }],
          });
        }),
    ];
  }

  function end(name: string): void {
    steps.delete(name);
    const job = trainJobName(name);
    api.delete(sparseFinetunes, name);
    api.delete(pods, job);
    api.delete(jobs, job);
    ended++;
    start();
  }

  function isReadyFor(object: SparseFinetune, left: number): boolean {
    return left === 2 ? object.status?.jobUid !== undefined : object.status?.phase === 'Running';
  }

  api.onChange((resource, object: ToyObject) => {
    if (resource !== sparseFinetunes) return;
    const changed = object as SparseFinetune;
    const { name } = changed.metadata;
    const left = steps.get(name) ?? [];
    // After the answer to the operator's write is sent.
    if (isFinished(changed)) setImmediate(() => end(name));
    else if (left.length > 0 && isReadyFor(changed, left.length)) setImmediate(left.shift()!);
  });
  return { start, ended: () => ended };
}

async function sampleHeap(operator: OperatorProcess, reconciles: number): Promise<Sample> {
  const line = operator.loggedNext('heap');
  operator.signal('SIGUSR2');
  return { reconciles, heapMiB: Number((await line).heapUsed) / 2 ** 20 };
}

/** Waits for this many reconciles; returns their number. */
async function reconcilesFrom(operator: OperatorProcess, wanted: number): Promise<number> {
  for (;;) {
    const count = await operator.metric('controller_runtime_reconcile_total');
    if (count >= wanted) return count;
    await delay(100);
  }
}

async function follow(operator: OperatorProcess, options: MemoryOptions): Promise<Sample[]> {
  const found: Sample[] = [];
  for (let at = options.reconciles / samples; found.length < samples; at += options.reconciles / samples) {
    const count = await reconcilesFrom(operator, at);
    const sample = await sampleHeap(operator, count);
    found.push(sample);
    if (found.length % 5 === 0) options.report(`${count} reconciles, ${sample.heapMiB.toFixed(1)} MiB`);
  }
  return found;
}

export async function memoryScenario(options: MemoryOptions): Promise<Outcome> {
  const kinds = childKinds({ reportsUrl: '', keda: false, operatorNamespace: '', reportsPorts: [] });
  const resources = [
    ...[sparseFinetunes, sparseInferenceServices, sparseStudies, jobs, deployments, services, pods],
    ...kinds.map(({ resource }) => resource),
  ];
  const api = await startToyApi({ namespace, resources, eventsPerWatch: 150 });
  const folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-chaos-memory-'));
  const kubeconfig = path.join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigFor(api.url));
  const program = await buildProgram();
  const operator = await startProcess({
    program: program.file,
    kubeconfig,
    namespace,
    nodeFlags: ['--expose-gc', '--import', fileURLToPath(new URL('heap.mjs', import.meta.url))],
  });
  try {
    await operator.ready();
    const lives = playLives(api);
    for (let count = 0; count < inFlight; count++) lives.start();
    const found = await follow(operator, options);
    const errors = await operator.metric('controller_runtime_reconcile_errors_total');
    const flat = found.slice(Math.floor(warmUp * found.length));
    const [first, last] = [flat[0]!, flat.at(-1)!];
    const slope = slopeOf(flat.map(({ reconciles, heapMiB }) => [reconciles, heapMiB]));
    const growth = slope * (last.reconciles - first.reconciles);
    const mean = flat.reduce((sum, { heapMiB }) => sum + heapMiB, 0) / flat.length;
    return {
      checks: [
        check(
          'the heap stays flat',
          growth <= mostGrowth * mean,
          `${growth.toFixed(2)} MiB of growth from ${first.reconciles} to ${last.reconciles} reconciles, ` +
            `by a heap of ${mean.toFixed(1)} MiB (bound ${100 * mostGrowth} %)`,
        ),
        check(
          'runs end',
          lives.ended() > 0,
          `${lives.ended()} runs, ${api.watches()} watches, ${errors} failed passes`,
        ),
      ],
      figures: {
        growthMiB: growth,
        bytesPerReconcile: slope * 2 ** 20,
        meanMiB: mean,
        samples: found,
        runs: lives.ended(),
      },
    };
  } finally {
    await operator.kill();
    await api.close();
    await program.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
