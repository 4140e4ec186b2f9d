/** Studies, with the test in the place of Job controller and trainer. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sparseFinetunes, sparseStudies, type SparseFinetune, type SparseStudy } from '../../src/api/types';
import { configMaps } from '../../src/kube/resources';
import { eventually, type ApiServer } from './harness';
import {
  completeJob,
  conditionOf,
  createPodOf,
  endPod,
  findJob,
  finetuneWhere,
  mergeSpec,
  results,
  runPod,
  useOperator,
  writesOf,
} from './operator';
import { finetune, study, type Changes } from './specs';

let server: ApiServer;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;
useOperator({ userAgent }, (opened) => (server = opened));

const by = { fieldManager: 'test' };
const createBase = (name: string, spec: Changes = {}): Promise<SparseFinetune> =>
  server.client.create(sparseFinetunes, finetune(name, server.namespace, { suspend: true, ...spec }), by);

const createStudy = (name: string, spec: Changes): Promise<SparseStudy> =>
  server.client.create(
    sparseStudies,
    study(name, server.namespace, { grid: { seeds: undefined }, ...spec }),
    by,
  );

const read = (name: string) => server.client.get(sparseStudies, { namespace: server.namespace, name });

async function studyWhere(name: string, meets: (study: SparseStudy) => boolean): Promise<SparseStudy> {
  let last: SparseStudy | undefined;
  try {
    return await eventually(async () => {
      last = await read(name);
      return last !== undefined && meets(last) ? last : false;
    });
  } catch (cause) {
    throw new Error(`study ${name} is not as expected: ${JSON.stringify(last?.status, null, 1)}`, { cause });
  }
}

const phases = ({ status }: SparseStudy) => (status?.runs ?? []).map(({ phase }) => phase).join(' ');

/** Simulates the run to success, with this distance. */
async function succeed(name: string, distance: string): Promise<void> {
  const job = await findJob(server, name);
  const pod = await createPodOf(server, job, 'a');
  await runPod(server, pod);
  const uri = `pvc://models/studies/${name}`;
  const model = { ...results.model, uri, manifestUri: `${uri}/manifest.json` };
  const { checkpoint: _, ...rest } = results;
  await endPod(server, pod, 0, { ...rest, model, fid: { ...results.fid, sparse: distance } });
  await completeJob(server, job);
}

describe('a study', () => {
  it('runs its grid two at a time, puts the figures side by side, and then is silent', async () => {
    await createBase('base');
    await createStudy('grid', {
      grid: { methods: ['ste', 'asp'], seeds: [0, 1] },
      parallelism: 2,
    });
    await studyWhere('grid', (study) => phases(study) === 'Pending Pending Waiting Waiting');
    const first = await finetuneWhere(server, 'grid-1', () => true);
    expect(first.spec).toMatchObject({
      suspend: false,
      sparsity: { method: 'ste' },
      output: { uri: 'pvc://models/studies/grid-1' },
    });
    expect(first.metadata.ownerReferences).toMatchObject([{ kind: 'SparseStudy', name: 'grid' }]);

    await succeed('grid-1', '12.0');
    const partly = await studyWhere('grid', ({ status }) => status?.counts?.display === '1/4');
    expect(phases(partly)).toMatch(/^Succeeded (Pending|Running) Pending Waiting$/);
    expect(partly.status?.best).toEqual({ name: 'grid-1', distance: '12.0' });
    await succeed('grid-2', '15.0');
    await succeed('grid-3', '14.0');
    await succeed('grid-4', '15.5');
    const seen = await studyWhere('grid', (one) => conditionOf(one, 'Finished')?.status === 'True');
    expect(seen.status).toMatchObject({
      phase: 'Succeeded',
      counts: { total: 4, succeeded: 4, display: '4/4' },
      results: 'grid-results',
    });
    expect(seen.status?.runs?.[2]).toEqual({
      ...{ name: 'grid-3', pattern: '2:4', method: 'ste', layers: 'default', seed: 1, phase: 'Succeeded' },
      ...{ metric: 'fd-fashion-mnist-cnn', denseDistance: '100.0', distance: '14.0' },
      ...{ denseMacs: 1100, macs: 600, modelUri: 'pvc://models/studies/grid-3' },
      ...{ latencyMilliseconds: '8.50', device: 'CPU (test)' },
    });
    const key = { namespace: server.namespace, name: 'grid-results' };
    const data = (await server.client.get(configMaps, key))?.data;
    expect(data?.['table.md']).toContain('| 2:4 | ste | default | 2 | fd-fashion-mnist-cnn | 13.00 ± 1.41 |');
    expect(data?.['runs.csv']?.split('\r\n')).toHaveLength(6);
    expect(data?.['pareto.svg']).toMatch(/^<svg /);
    expect(data?.['pareto-latency.svg']).toContain('Latency of one image on CPU (test), ms');

    // A change that changes nothing makes it look again.
    const before = await writesOf(userAgent, server.namespace);
    await mergeSpec(server, sparseStudies, 'grid', { parallelism: 5 });
    await studyWhere('grid', ({ metadata, status }) => status?.observedGeneration === metadata.generation);
    // The audit log is behind the answers.
    const after = () => writesOf(userAgent, server.namespace);
    const last = 'patch sparsestudies/status grid';
    await eventually(async () => (await after()).slice(before.length).includes(last));
    expect((await after()).slice(before.length)).toEqual([last]);
    await server.client.delete(sparseFinetunes, { namespace: server.namespace, name: 'grid-1' });
    await mergeSpec(server, sparseStudies, 'grid', { parallelism: 6 });
    const kept = await studyWhere(
      'grid',
      (one) => one.status?.observedGeneration === one.metadata.generation,
    );
    expect(kept.status?.runs?.[0]).toMatchObject({ phase: 'Succeeded', distance: '12.0' });
  });

  it('of every method, over a SparseFinetune with every setting, is taken by the schema', async () => {
    const source = 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors';
    await createBase('rich', {
      model: { teacher: { preset: 'fashion-mnist-uvit-tiny', pretrained: { uri: source } } },
      sparsity: {
        maskUpdateSteps: 2,
        schedule: {
          family: 'doubling',
          rampPercent: 10,
          freezeMaskPercent: 80,
          onRegression: 'RollBack',
          maxRegressionPercent: 20,
        },
        layers: { include: ['*.attn.qkv'] },
        regularization: '0.001',
        distillationWeight: '30',
      },
      training: { steps: 400, warmupSteps: 5, learningRateSchedule: 'cosine' },
      checkpoint: { everySteps: 20 },
      evaluation: { everySteps: 100, select: 'best' },
    });
    const methods = [
      'sparsedm',
      'sr-ste',
      'sr-ste-decoupled',
      'ste',
      's-ste',
      'cast',
      'asp',
      'dense',
      'masked-dense',
    ] as const;
    await createStudy('methods', {
      finetuneRef: { name: 'rich' },
      grid: { methods: [...methods], patterns: ['2:4', '1:4'] },
      parallelism: 32,
    });
    const seen = await studyWhere('methods', ({ status }) => status?.counts?.active === 17);
    expect(phases(seen)).not.toContain('Failed');
    await mergeSpec(server, sparseStudies, 'methods', { suspend: true });
    await studyWhere('methods', ({ status }) => status?.phase === 'Suspended');
  });

  it('shows the words of the schema for a run that it refuses, and ends', async () => {
    await createBase('stages', {
      sparsity: { schedule: { type: 'custom', stages: [{ pattern: '2:4', steps: 300 }] } },
    });
    await createStudy('refused', { finetuneRef: { name: 'stages' }, grid: { patterns: ['4:8'] } });
    const { status } = await studyWhere('refused', (one) => conditionOf(one, 'Finished')?.status === 'True');
    expect(status?.phase).toBe('Failed');
    expect(status?.runs?.[0]?.message).toContain('the last of schedule.stages must have the pattern');
  });

  it('waits for its SparseFinetune, and does not go on with another of that name', async () => {
    await createStudy('early', { finetuneRef: { name: 'late' }, grid: { seeds: [1, 2] } });
    const stalled = (reason: string) => (study: SparseStudy) =>
      conditionOf(study, 'Stalled')?.reason === reason;
    await studyWhere('early', stalled('FinetuneNotFound'));
    await createBase('late');
    await studyWhere('early', (study) => phases(study) === 'Pending Waiting');
    await server.client.delete(sparseFinetunes, { namespace: server.namespace, name: 'late' });
    await createBase('late');
    await succeed('early-1', '12.0');
    const seen = await studyWhere('early', (one) => phases(one) === 'Succeeded Waiting');
    expect(conditionOf(seen, 'Stalled')?.reason).toBe('FinetuneReplaced');
  });

  it('suspends its runs and resumes them, but not one that a user suspended', async () => {
    await createBase('held');
    await createStudy('pause', { finetuneRef: { name: 'held' }, grid: { seeds: [1, 2, 3] }, parallelism: 2 });
    await studyWhere('pause', (study) => phases(study) === 'Pending Pending Waiting');
    await mergeSpec(server, sparseFinetunes, 'pause-2', { suspend: true });
    await mergeSpec(server, sparseStudies, 'pause', { suspend: true });
    await finetuneWhere(server, 'pause-1', ({ spec }) => spec.suspend === true);
    await studyWhere('pause', ({ status }) => status?.phase === 'Suspended');
    await mergeSpec(server, sparseStudies, 'pause', { suspend: false });
    await finetuneWhere(server, 'pause-1', ({ spec }) => spec.suspend === false);
    await studyWhere('pause', ({ status, metadata }) => status?.observedGeneration === metadata.generation);
    const other = await finetuneWhere(server, 'pause-2', () => true);
    expect(other.spec.suspend).toBe(true);
  });

  it('leaves alone a SparseFinetune that has the name of one of its runs', async () => {
    await createBase('own');
    await createBase('taken-1');
    await createStudy('taken', { finetuneRef: { name: 'own' }, grid: { seeds: [1] } });
    const { status } = await studyWhere('taken', (one) => conditionOf(one, 'Finished')?.status === 'True');
    expect(status?.runs?.[0]?.message).toContain('A SparseFinetune taken-1 exists that is not of this study');
  });
});
