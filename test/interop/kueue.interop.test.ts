/** The real Kueue decides when runs start: it admits them, takes one's place for another, and gives it back. */
import { beforeAll, expect, it } from 'vitest';
import type { SparseFinetune } from '../../src/api/types';
import { isFinished } from '../../src/finetune/progress';
import { findCondition } from '../../src/kube/conditions';
import { apply, applyClaim, explainFailure, get, kubectl, until, useNamespace } from '../e2e/cluster';

const namespace = useNamespace('interop-kueue');
const queueing = 'kueue.x-k8s.io/v1beta2';

function quota(cpus: string): Promise<string> {
  return kubectl(
    ['apply', '-f', '-'],
    JSON.stringify({
      apiVersion: queueing,
      kind: 'ClusterQueue',
      metadata: { name: 'interop' },
      spec: {
        namespaceSelector: {},
        preemption: { withinClusterQueue: 'LowerPriority' },
        resourceGroups: [
          {
            coveredResources: ['cpu', 'memory'],
            flavors: [
              {
                name: 'interop',
                resources: [
                  { name: 'cpu', nominalQuota: cpus },
                  { name: 'memory', nominalQuota: '64Gi' },
                ],
              },
            ],
          },
        ],
      },
    }),
  );
}

/** Of half a CPU in the queue. */
function train(name: string, steps: number, trainer: object = {}): Promise<string> {
  return apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name },
    spec: {
      queueName: 'team-a',
      model: {
        preset: 'fashion-mnist-uvit-tiny',
        pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
      },
      dataset: { format: 'fashion-mnist', uri: 'file:///opt/sparsedm/data/fashion-mnist' },
      training: { steps, batchSize: 16, warmupSteps: 1 },
      checkpoint: { everySteps: Math.min(5, steps) },
      evaluation: { samples: 32, steps: 4 },
      output: { uri: `pvc://models/${name}` },
      trainer: { resources: { requests: { cpu: '500m', memory: '512Mi' } }, ...trainer },
    },
  });
}

const read = (name: string) => () => get<SparseFinetune>(namespace, `sft/${name}`);
const waits = ({ status }: SparseFinetune) =>
  findCondition(status?.conditions, 'JobReady')?.reason === 'Queued';
const stepOf = ({ status }: SparseFinetune) => status?.progress?.step ?? 0;
const said = ({ status }: SparseFinetune) => findCondition(status?.conditions, 'JobReady')?.message ?? '';

beforeAll(async () => {
  await kubectl(
    ['apply', '-f', '-'],
    JSON.stringify({ apiVersion: queueing, kind: 'ResourceFlavor', metadata: { name: 'interop' } }),
  );
  await kubectl(
    ['apply', '-f', '-'],
    JSON.stringify({
      apiVersion: 'scheduling.k8s.io/v1',
      kind: 'PriorityClass',
      metadata: { name: 'interop-urgent' },
      value: 1000,
      preemptionPolicy: 'Never',
    }),
  );
  await quota('0');
  await applyClaim(namespace);
  await apply(namespace, {
    apiVersion: queueing,
    kind: 'LocalQueue',
    metadata: { name: 'team-a' },
    spec: { clusterQueue: 'interop' },
  });
});

it('holds a run until its quota is raised', async () => {
  explainFailure(namespace);
  await train('patient', 400);
  const inWords = (one: SparseFinetune) => /^Waiting in queue team-a.*quota/.test(said(one));
  const waiting = await until(read('patient'), inWords, "the wait in the queue, in Kueue's words");
  expect(waiting.status?.phase).toBe('Pending');
  expect(waits(waiting)).toBe(true);
  console.log(`Kueue: ${said(waiting)}`);
  await quota('500m');
  await until(read('patient'), (one) => stepOf(one) >= 10, 'ten steps');
});

it('takes its place for one that is more urgent, and it goes on from its checkpoint', async () => {
  explainFailure(namespace);
  await train('urgent', 4, { priorityClassName: 'interop-urgent' });
  const preempted = await until(read('patient'), waits, 'the loss of its place');
  console.log(`Kueue: ${said(preempted)}`);
  const urgent = await until(read('urgent'), isFinished, 'the end of the urgent run', 240_000);
  expect(urgent.status?.phase).toBe('Succeeded');
  // Its last word came while its pod ended.
  const reached = stepOf(await read('patient')());
  expect(reached).toBeGreaterThanOrEqual(10);
  const again = await until(read('patient'), (one) => stepOf(one) > reached, 'more steps', 240_000);
  // What it had reached is saved before it goes.
  expect(again.status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(reached);
  expect(again.status?.attempts?.number).toBe(2);
});

it('is left by suspend, and returned to', async () => {
  explainFailure(namespace);
  const suspend = (value: boolean) =>
    kubectl(['-n', namespace, 'patch', 'sft/patient', '--type=merge', '-p', `{"spec":{"suspend":${value}}}`]);
  await suspend(true);
  await until(read('patient'), ({ status }) => status?.phase === 'Suspended', 'its suspension');
  // Its place is free for another one.
  await train('other', 4);
  const other = await until(read('other'), isFinished, 'the end of the other run', 240_000);
  expect(other.status?.phase).toBe('Succeeded');
  // Its last word came while its pod ended.
  const away = await read('patient')();
  await suspend(false);
  const back = await until(read('patient'), (one) => stepOf(one) > stepOf(away), 'more steps', 240_000);
  expect(back.status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(stepOf(away));
});
