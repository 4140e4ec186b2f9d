/** Two pods that train one model together, one of which is killed on the way. */
import { expect, it } from 'vitest';
import type { SparseFinetune } from '../../src/api/types';
import { isFinished } from '../../src/finetune/progress';
import {
  apply,
  applyClaim,
  explainFailure,
  fashionMnist,
  get,
  kubectl,
  list,
  smallEvaluation,
  until,
  useNamespace,
} from './cluster';

type Pod = { metadata: { name: string; uid: string; annotations?: Record<string, string> } };

const namespace = useNamespace('e2e-nodes');
const read = () => get<SparseFinetune>(namespace, 'sft/shirts');
const pods = () => list<Pod>(namespace, 'pods', 'sparsedm.io/finetune=shirts');
const indexOf = ({ metadata }: Pod) => metadata.annotations?.['batch.kubernetes.io/job-completion-index'];

it('trains in two pods, and in both again from the last checkpoint when one of them is killed', async () => {
  explainFailure(namespace);
  await applyClaim(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'shirts' },
    spec: {
      model: {
        preset: 'fashion-mnist-uvit-tiny',
        pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
      },
      dataset: fashionMnist,
      training: { steps: 30, batchSize: 16, warmupSteps: 2 },
      checkpoint: { everySteps: 5 },
      evaluation: smallEvaluation,
      trainer: { nodes: 2 },
      output: { uri: 'pvc://models/shirts' },
    },
  });
  const saved = (one: SparseFinetune) => (one.status?.checkpoint?.step ?? 0) >= 5;
  await until(read, saved, 'a checkpoint', 180_000);
  const first = await pods();
  expect(first.map(indexOf).toSorted()).toEqual(['0', '1']);
  const victim = first.find((pod) => indexOf(pod) === '1')!;
  await kubectl(['-n', namespace, 'delete', 'pod', victim.metadata.name, '--grace-period=0', '--force']);

  const { status } = await until(read, isFinished, 'the end of training', 300_000);
  expect(status).toMatchObject({ phase: 'Succeeded', progress: { step: 30, percent: 100 } });
  expect(status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(5);
  expect(status?.sparsity?.compliant).toBe(true);
  // Of each index the last pod has succeeded, and the one that was killed is none of them.
  const last = await list<Pod & { status: { phase: string } }>(
    namespace,
    'pods',
    'sparsedm.io/finetune=shirts',
  );
  const succeeded = last.filter((pod) => pod.status.phase === 'Succeeded');
  expect(succeeded.map(indexOf).toSorted()).toEqual(['0', '1']);
  expect(succeeded.map(({ metadata }) => metadata.uid)).not.toContain(victim.metadata.uid);
});
