/** A small grid with real pods and real training. */
import { expect, it } from 'vitest';
import type { SparseStudy } from '../../src/api/types';
import {
  apply,
  applyClaim,
  explainFailure,
  fashionMnist,
  get,
  kubectl,
  smallEvaluation,
  useNamespace,
} from './cluster';

const namespace = useNamespace('e2e-study');

it('trains four runs, two at a time, and puts their figures side by side', async () => {
  explainFailure(namespace);
  await applyClaim(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'base' },
    spec: {
      model: {
        preset: 'fashion-mnist-uvit-tiny',
        pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
      },
      dataset: fashionMnist,
      sparsity: { schedule: { type: 'fixed' } },
      training: { steps: 2, batchSize: 16, warmupSteps: 0 },
      evaluation: smallEvaluation,
      output: { uri: 'pvc://models/base' },
      suspend: true,
    },
  });
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseStudy',
    metadata: { name: 'grid' },
    spec: {
      finetuneRef: { name: 'base' },
      grid: { patterns: ['2:4', '1:4'], methods: ['sparsedm', 'asp'] },
      parallelism: 2,
      output: { uri: 'pvc://models/grid' },
    },
  });
  await kubectl(['-n', namespace, 'wait', 'sst/grid', '--for=condition=Finished', '--timeout=300s']);
  const { status } = await get<SparseStudy>(namespace, 'sst/grid');
  expect(status).toMatchObject({ phase: 'Succeeded', counts: { total: 4, succeeded: 4 } });
  const runs = status?.runs ?? [];
  const macsOf = (pattern: string) => runs.filter((run) => run.pattern === pattern).map(({ macs }) => macs);
  expect(new Set(macsOf('2:4')).size).toBe(1);
  expect(macsOf('1:4')[0]).toBeLessThan(macsOf('2:4')[0] ?? 0);
  // Three of four weights gone after two steps show more than two of four.
  const distanceOf = (pattern: string) => Number(runs.find((run) => run.pattern === pattern)?.distance);
  expect(distanceOf('1:4')).toBeGreaterThan(distanceOf('2:4'));
  const key = 'jsonpath={.data.table\\.md}';
  const table = await kubectl(['-n', namespace, 'get', 'configmap/grid-results', '--output', key]);
  expect(table.match(/^\| [12]:4 /gm)).toHaveLength(4);
});
