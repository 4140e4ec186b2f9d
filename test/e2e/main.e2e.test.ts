/**
 * The main job through real pods: a finetune trains while its operator is killed, its result is served, and
 * every failure is explained in a sentence.
 */
import { describe, expect, it } from 'vitest';
import type { SparseFinetune, SparseInferenceService } from '../../src/api/types';
import { isFinished } from '../../src/finetune/progress';
import { findCondition } from '../../src/kube/conditions';
import { allPids, environmentOf } from '../cluster/procfs';
import {
  apply,
  applyClaim,
  explainFailure,
  fashionMnist,
  forward,
  generate,
  get,
  kubectl,
  list,
  operatorNamespace,
  picturesOf,
  serve,
  smallEvaluation,
  until,
  useNamespace,
} from './cluster';
import { endTraffic, evict, senders, startTraffic } from './traffic';

type Pod = {
  metadata: { name: string; uid: string; deletionTimestamp?: string };
  status: { phase: string; containerStatuses?: { restartCount: number }[] };
};
type Job = { metadata: { name: string; uid: string } };
type Event = { reason: string };

const namespace = useNamespace('e2e-main');
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Small enough for two cores and long enough to be interrupted: 60 steps in a quarter of a minute. */
function finetune(name: string, changes: Record<string, object | number> = {}) {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name },
    spec: {
      model: {
        preset: 'fashion-mnist-uvit-tiny',
        pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
      },
      dataset: fashionMnist,
      training: { steps: 60, batchSize: 16, warmupSteps: 5 },
      checkpoint: { everySteps: 10 },
      evaluation: { samples: 64, steps: 8 },
      output: { uri: `pvc://models/${name}` },
      ...changes,
    },
  };
}

const readFinetune = (name: string) => () => get<SparseFinetune>(namespace, `sft/${name}`);
const stepOf = (one: SparseFinetune) => one.status?.progress?.step ?? 0;
const jobsOf = (name: string) => list<Job>(namespace, 'jobs', `sparsedm.io/finetune=${name}`);
const podsOf = (name: string) => list<Pod>(namespace, 'pods', `sparsedm.io/finetune=${name}`);

/** The process of a run, where the cluster's nodes are on this machine. */
function trainerOf(run: string): number | undefined {
  return allPids().find((pid) => environmentOf(pid).get('SPARSEDM_RUN') === run);
}

describe('a SparseFinetune and its SparseInferenceService', () => {
  it('trains to the end, with the operator killed in the middle and nothing lost', async () => {
    explainFailure(namespace);
    await applyClaim(namespace);
    await apply(namespace, finetune('shirts'));
    const first = await until(
      readFinetune('shirts'),
      (one) => Boolean(one.status?.phase),
      'a first status',
      10_000,
    );
    expect(first.status?.observedGeneration).toBe(1);

    const training = await until(readFinetune('shirts'), (one) => stepOf(one) >= 10, 'progress of 10 steps');
    expect(training.status?.phase).toBe('Running');
    expect(training.status?.progress).toMatchObject({ totalSteps: 60 });

    const kill = [
      'delete',
      'pod',
      '-l',
      'app.kubernetes.io/name=sparsedm-operator',
      '--grace-period=0',
      '--force',
      '--wait=false',
    ];
    await kubectl(['-n', operatorNamespace(), ...kill]);

    const done = await until(readFinetune('shirts'), isFinished, 'the end of training', 240_000);
    expect(done.status?.phase).toBe('Succeeded');
    expect(done.status?.attempts?.number).toBe(1);
    expect(done.status?.sparsity).toMatchObject({ pattern: '2:4', compliant: true });
    expect(Number(done.status?.sparsity?.achieved)).toBeGreaterThanOrEqual(0.5);
    expect(Number(done.status?.sparsity?.achieved)).toBeLessThan(0.51);
    expect(done.status?.macs?.sparse).toBeLessThan(done.status?.macs?.dense ?? 0);
    expect(done.status?.fid?.metric).toMatch(/^fd-/);
    expect(Number(done.status?.fid?.sparse)).toBeGreaterThan(0);
    expect(done.status?.model?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(done.status?.progress?.percent).toBe(100);
    expect(await jobsOf('shirts')).toHaveLength(1);
    expect(await podsOf('shirts')).toHaveLength(1);
  });

  it('tells its story in events and columns', async () => {
    explainFailure(namespace);
    await until(
      () => list<Event>(namespace, 'events.events.k8s.io'),
      (events) =>
        ['TrainingStarted', 'Succeeded'].every((reason) => events.some((one) => one.reason === reason)),
      'events of the start and the end', // events are written after the status
      30_000,
    );
    const table = await kubectl(['-n', namespace, 'get', 'sft']);
    expect(table).toMatch(/NAME\s+PHASE\s+REASON\s+PROGRESS\s+ETA\s+PATTERN\s+SPARSITY/);
    expect(table).toMatch(/shirts\s+Succeeded\s+Succeeded\s+100%/);
    expect(await kubectl(['explain', 'sft.spec.sparsity'])).toContain('pattern');
  });

  it('is served by reference: images for known prompts, a list of classes for unknown ones', async () => {
    explainFailure(namespace);
    await serve(namespace, 'shirts', 8);
    const trained = await readFinetune('shirts')();
    const service = await until(
      () => get<SparseInferenceService>(namespace, 'sis/shirts'),
      (one) => one.status?.engine?.backend !== undefined,
      'the engine report',
    );
    expect(service.status?.model?.sha256).toBe(trained.status?.model?.sha256);
    expect(service.status?.engine).toMatchObject({ backend: 'dense', device: 'cpu' });

    await forward(namespace, 'svc/shirts', 80, async (url) => {
      const good = await generate(url, { prompt: 'a photo of an ankle boot', n: 2, seed: 1 });
      expect(good.status).toBe(200);
      const pictures = await picturesOf(good);
      expect(pictures).toHaveLength(2);
      for (const picture of pictures) expect(picture.subarray(0, 8)).toEqual(pngSignature);
      const bad = await generate(url, { prompt: 'a quantum flux capacitor' });
      expect(bad.status).toBe(400);
      expect(await bad.text()).toMatch(/ankle boot.*/i);
      const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
      expect(models.data.map((model) => model.id)).toContain('shirts');
      expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
    });
  });

  it('leaves the artefact on the claim: weights, manifest, grid and report', async () => {
    explainFailure(namespace);
    const read = ['exec', 'deploy/shirts-server', '--', 'sh', '-c', 'base64 "$SPARSEDM_MODEL/samples.png"'];
    const grid = Buffer.from(await kubectl(['-n', namespace, ...read]), 'base64');
    expect(grid.subarray(0, 8)).toEqual(pngSignature);
    const verify = ['exec', 'deploy/shirts-server', '--', 'sh', '-c', 'sparsedm verify "$SPARSEDM_MODEL"'];
    await kubectl(['-n', namespace, ...verify]);
  });

  it('answers every request while pods are replaced, evicted and scaled away', async () => {
    explainFailure(namespace);
    const read = () => get<SparseInferenceService>(namespace, 'sis/shirts');
    const serving = (one: SparseInferenceService) => one.status?.readyReplicas;
    const isSettled = (one: SparseInferenceService) =>
      one.status?.observedGeneration === one.metadata.generation &&
      findCondition(one.status?.conditions, 'UpToDate')?.status === 'True' &&
      findCondition(one.status?.conditions, 'Reconciling') === undefined;
    const podsNow = () => list<Pod>(namespace, 'pods', 'sparsedm.io/service=shirts');

    await startTraffic(namespace, `shirts.${namespace}.svc`, { prompt: 'a photo of a sandal', seed: 1 });
    const change = { spec: { replicas: 2, engine: { steps: 6 } } };
    await kubectl(['-n', namespace, 'patch', 'sis/shirts', '--type=merge', '-p', JSON.stringify(change)]);
    const changed = await until(read, isSettled, 'the rollout', 180_000);
    expect(serving(changed)).toBe(2);

    const [evicted] = await podsNow();
    await evict(namespace, evicted!.metadata.name);
    const gone = (pods: Pod[]) => pods.every(({ metadata }) => metadata.uid !== evicted!.metadata.uid);
    await until(podsNow, gone, 'the end of the evicted pod');
    await until(read, isSettled, 'a pod in its place', 180_000);

    await kubectl(['-n', namespace, 'scale', 'sis/shirts', '--replicas=1']);
    await until(podsNow, (pods) => pods.length === 1, 'one pod');
    const { answers, failures, connections } = await endTraffic(namespace);
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(20);
    // The rollout leaves no pod of before, so each sender has opened a second connection: it was told to.
    expect(connections).toBeGreaterThanOrEqual(2 * senders);
    expect(connections).toBeLessThan(answers);
  });

  it('scales by kubectl scale, down to zero and up again', async () => {
    explainFailure(namespace);
    const read = () => get<SparseInferenceService>(namespace, 'sis/shirts');
    await kubectl(['-n', namespace, 'scale', 'sis/shirts', '--replicas=0']);
    await until(read, (one) => (one.status?.replicas ?? 0) === 0, 'no replicas');
    await until(
      () => list<Pod>(namespace, 'pods', 'sparsedm.io/service=shirts'),
      (pods) => pods.length === 0,
      'no pods',
    );
    await kubectl(['-n', namespace, 'scale', 'sis/shirts', '--replicas=1']);
    await until(read, (one) => one.status?.readyReplicas === 1, 'a ready replica', 180_000);
  });

  it('goes with its children when it is deleted', async () => {
    explainFailure(namespace);
    await kubectl(['-n', namespace, 'delete', 'sis/shirts', 'sft/shirts', '--timeout=60s']);
    const left = () =>
      list<Pod>(
        namespace,
        'jobs,deployments,services,pods',
        'app.kubernetes.io/managed-by=sparsedm-operator',
      );
    await until(left, (objects) => objects.length === 0, 'no children');
  });
});

describe('faults', () => {
  it('resumes from the last checkpoint when the trainer pod is killed', async () => {
    explainFailure(namespace);
    await apply(namespace, finetune('boots', { evaluation: smallEvaluation }));
    await until(
      readFinetune('boots'),
      (one) => (one.status?.checkpoint?.step ?? 0) >= 20,
      'a checkpoint at step 20',
    );
    const [pod] = await podsOf('boots');
    await kubectl([
      '-n',
      namespace,
      'delete',
      'pod',
      pod?.metadata.name ?? '',
      '--grace-period=0',
      '--force',
    ]);
    const done = await until(readFinetune('boots'), isFinished, 'the end of training', 240_000);
    expect(done.status?.phase).toBe('Succeeded');
    expect(done.status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(20);
    expect(done.status?.progress?.step).toBe(60);
  });

  it('goes on after an eviction and a suspension, neither of which counts, and is held to its gate', async () => {
    explainFailure(namespace);
    const evaluation = smallEvaluation;
    const acceptance = { minMacsReductionPercent: 60 }; // 2:4 saves less than half
    await apply(namespace, finetune('hats', { evaluation, acceptance, backoffLimit: 0 }));
    const reached = (step: number) =>
      until(readFinetune('hats'), (one) => stepOf(one) >= step, `step ${step}`);
    await reached(10);
    const [first] = await podsOf('hats');
    await evict(namespace, first!.metadata.name);
    await until(
      readFinetune('hats'),
      (one) => (one.status?.attempts?.resumedFromStep ?? 0) >= 10,
      'a pod that goes on',
    );
    await reached(25);
    const suspend = (value: boolean) => {
      const patch = JSON.stringify({ spec: { suspend: value } });
      return kubectl(['-n', namespace, 'patch', 'sft/hats', '--type=merge', '-p', patch]);
    };
    await suspend(true);
    const held = await until(
      readFinetune('hats'),
      (one) => findCondition(one.status?.conditions, 'Suspended')?.status === 'True',
      'the end of the pod',
    );
    expect(held.status?.phase).toBe('Suspended');
    expect(held.status?.progress).not.toHaveProperty('eta');
    expect((await podsOf('hats')).filter(({ status }) => status.phase === 'Running')).toEqual([]);
    await suspend(false);
    const done = await until(readFinetune('hats'), isFinished, 'the end of training', 240_000);
    expect(done.status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(25);
    const condition = (type: string) => findCondition(done.status?.conditions, type);
    expect(condition('Succeeded')).toMatchObject({ status: 'True', reason: 'GateFailed' });
    expect(condition('QualityGatePassed')).toMatchObject({ status: 'False' });
    expect(condition('QualityGatePassed')?.message).toContain('60');
  });

  it('names the limit of memory that it did not fit in', async () => {
    explainFailure(namespace);
    const resources = { requests: { memory: '64Mi' }, limits: { memory: '160Mi' } };
    await apply(namespace, finetune('shawls', { trainer: { resources }, backoffLimit: 0 }));
    const failed = await until(readFinetune('shawls'), isFinished, 'a verdict');
    expect(findCondition(failed.status?.conditions, 'Succeeded')).toMatchObject({
      status: 'False',
      reason: 'OOMKilled',
      message: expect.stringContaining('of which its limit is 160Mi') as string,
    });
  });

  it('goes back to the last good stage when the next one regresses, also after a kill', async () => {
    explainFailure(namespace);
    await applyClaim(namespace);
    const stages = [
      { pattern: '31:32', steps: 10 },
      { pattern: '1:32', steps: 20 }, // too few weights to draw anything
    ];
    const sparsity = { pattern: '1:32', schedule: { type: 'custom', stages, onRegression: 'RollBack' } };
    const training = { steps: 30, batchSize: 16, warmupSteps: 5 };
    const acceptance = { maxFidIncreasePercent: 1000 };
    const evaluation = smallEvaluation;
    await apply(namespace, finetune('scarves', { sparsity, training, acceptance, evaluation }));
    await until(readFinetune('scarves'), (one) => stepOf(one) > 10, 'the stage that regresses', 240_000);
    const [pod] = await podsOf('scarves');
    const name = pod?.metadata.name ?? '';
    await kubectl(['-n', namespace, 'delete', 'pod', name, '--grace-period=0', '--force']);
    const done = await until(readFinetune('scarves'), isFinished, 'the end of training', 240_000);
    const { status } = done;
    expect(findCondition(status?.conditions, 'Succeeded')).toMatchObject({
      status: 'True',
      reason: 'RolledBack',
    });
    expect(status?.rollback).toMatchObject({ stage: 1, pattern: '31:32', step: 10, regressedStep: 30 });
    expect(status?.sparsity).toMatchObject({ pattern: '31:32', compliant: true });
    expect(status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(10);
    expect(status?.progress).toMatchObject({ step: 10, totalSteps: 30, imagesProcessed: 30 * 16 });
    expect(status?.trainer).toMatchObject({ gpus: 0, gpuSeconds: 0 });
    expect(status?.trainer?.device).toMatch(/^CPU \(.+\)$/);
    expect(status?.trainer?.image).toMatch(/sha256:[0-9a-f]{64}/);
    const measures = findCondition(status?.conditions, 'MeasuresFID');
    expect(measures).toMatchObject({ status: 'False', reason: 'NotFID' });
    expect(measures?.message).toContain('fd-fashion-mnist-cnn');
  });

  it('recreates a Job that somebody deleted, and never one of a finished run', async () => {
    explainFailure(namespace);
    await apply(namespace, finetune('bags', { evaluation: smallEvaluation }));
    await until(readFinetune('bags'), (one) => stepOf(one) >= 10, 'progress');
    const [before] = await jobsOf('bags');
    await kubectl(['-n', namespace, 'delete', 'job/bags-train', '--timeout=60s']);
    const done = await until(readFinetune('bags'), isFinished, 'the end of training', 240_000);
    expect(done.status?.phase).toBe('Succeeded');
    const [after] = await jobsOf('bags');
    expect(after?.metadata.uid).not.toBe(before?.metadata.uid);

    await kubectl(['-n', namespace, 'delete', 'job/bags-train', '--timeout=60s']);
    await kubectl(['-n', namespace, 'annotate', 'sft/bags', 'touched=yes']); // forces a reconcile
    const version = (await readFinetune('bags')()).metadata.resourceVersion;
    await kubectl([
      '-n',
      operatorNamespace(),
      'rollout',
      'restart',
      'deployment',
      '-l',
      'app.kubernetes.io/name=sparsedm-operator',
    ]);
    await kubectl([
      '-n',
      operatorNamespace(),
      'rollout',
      'status',
      'deployment',
      '-l',
      'app.kubernetes.io/name=sparsedm-operator',
      '--timeout=120s',
    ]);
    expect(await jobsOf('bags')).toHaveLength(0);
    const kept = await readFinetune('bags')();
    expect(kept.status?.phase).toBe('Succeeded');
    expect(kept.metadata.resourceVersion).toBe(version);
  });

  it('makes no second trainer while one whose Job was deleted still lives', async ({ skip }) => {
    explainFailure(namespace);
    await applyClaim(namespace);
    await apply(namespace, finetune('coats', { evaluation: smallEvaluation }));
    const before = await until(
      readFinetune('coats'),
      (one) => (one.status?.checkpoint?.step ?? 0) >= 10,
      'a checkpoint',
    );
    const [first] = await podsOf('coats');
    // It hears SIGTERM only when it goes on.
    const trainer = trainerOf(`${namespace}/coats`);
    if (trainer === undefined)
      return skip('The nodes are on other machines, so nobody here can hold a process.');
    process.kill(trainer, 'SIGSTOP');
    try {
      await kubectl(['-n', namespace, 'delete', 'job/coats-train', '--cascade=background', '--wait=false']);
      const held = await until(
        readFinetune('coats'),
        (one) => findCondition(one.status?.conditions, 'JobReady')?.reason === 'EarlierPodRuns',
        'a run that waits',
        30_000,
      );
      const message = findCondition(held.status?.conditions, 'JobReady')?.message;
      expect(message).toContain(`pod ${first?.metadata.name} on node `);
      await until(
        () => podsOf('coats'),
        ([pod]) => pod?.metadata.deletionTimestamp !== undefined,
        'its end',
      );
      expect(await jobsOf('coats')).toHaveLength(0);
    } finally {
      process.kill(trainer, 'SIGCONT');
    }
    await until(
      () => podsOf('coats'),
      (pods) => {
        const alive = pods.filter(({ status }) => status.phase === 'Running' || status.phase === 'Pending');
        expect(alive.length).toBeLessThanOrEqual(1);
        return alive.some(({ metadata }) => metadata.uid !== first?.metadata.uid);
      },
      'the next pod',
    );
    const done = await until(readFinetune('coats'), isFinished, 'the end of training', 240_000);
    expect(done.status?.phase).toBe('Succeeded');
    const resumed = done.status?.attempts?.resumedFromStep;
    expect(resumed).toBeGreaterThanOrEqual(before.status?.checkpoint?.step ?? Infinity);
  });

  it('says what is wrong with weights of another digest and does not try again', async () => {
    explainFailure(namespace);
    const model = {
      preset: 'fashion-mnist-uvit-tiny',
      pretrained: {
        uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors',
        sha256: '0'.repeat(64),
      },
    };
    await apply(namespace, finetune('wrong-digest', { model }));
    const failed = await until(readFinetune('wrong-digest'), isFinished, 'a verdict');
    expect(failed.status?.phase).toBe('Failed');
    expect(findCondition(failed.status?.conditions, 'Succeeded')?.message).toMatch(/sha256/);
    expect(await podsOf('wrong-digest')).toHaveLength(1);
  });

  it('is refused at apply when the spec is wrong, with a sentence', async () => {
    const sparsity = { pattern: '4:2' };
    await expect(apply(namespace, finetune('bad', { sparsity }))).rejects.toThrow(/pattern/);
  });
});
