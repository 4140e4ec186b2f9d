import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import { buildBudget } from './budget';

type Row = [title: string, spec: Partial<SparseInferenceServiceSpec>, want: object | undefined];

const rows: Row[] = [
  ['none for a lone pod', { replicas: 1 }, undefined],
  ['none where no pod is asked for', { replicas: 0 }, undefined],
  ['one pod at a time of several', { replicas: 2 }, { maxUnavailable: 1 }],
  [
    'one pod at a time where the autoscaler may add pods',
    { replicas: 1, scaling: { maxReplicas: 3 } },
    { maxUnavailable: 1 },
  ],
  ['none where the autoscaler keeps one', { replicas: 5, scaling: { maxReplicas: 1 } }, undefined],
  [
    'by the number of replicas where the autoscaler is off',
    { replicas: 2, scaling: { engine: 'none', maxReplicas: 1 } },
    { maxUnavailable: 1 },
  ],
  [
    'what the spec says, also for a lone pod',
    { replicas: 1, podDisruptionBudget: { minAvailable: 1 } },
    { minAvailable: 1 },
  ],
  [
    'what the spec says in place of the default',
    { replicas: 4, podDisruptionBudget: { maxUnavailable: '50%' } },
    { maxUnavailable: '50%' },
  ],
];

describe('the PodDisruptionBudget is', () => {
  it.each(rows)('%s', (_, spec, want) => {
    const budget = buildBudget(aService(spec));
    const { selector: _selector, unhealthyPodEvictionPolicy: _policy, ...bounds } = budget?.spec ?? {};
    expect(budget && bounds).toEqual(want);
  });

  it('about the pods of the service, and never kept up by one that is not ready', () => {
    const budget = buildBudget(aService({ replicas: 2 }));
    expect(budget?.metadata).toMatchObject({ name: 'shirts-server', namespace: 'ml' });
    expect(budget?.metadata.ownerReferences).toMatchObject([{ name: 'shirts', controller: true }]);
    expect(budget?.spec).toMatchObject({
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: { 'sparsedm.io/service': 'shirts' } },
    });
  });
});
