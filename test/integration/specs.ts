/** Small valid objects, to be changed in one place by each test. */
import type { SparseFinetune, SparseInferenceService, SparseStudy } from '../../src/api/types';

/** A deeply partial tree of plain values; undefined removes a field, a list or a scalar replaces it. */
export type Changes = { [field: string]: unknown };

function isTree(value: unknown): value is Changes {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function merge(base: Changes, changes: Changes): Changes {
  const result: Changes = { ...base };
  for (const [field, value] of Object.entries(changes)) {
    if (value === undefined) delete result[field];
    else result[field] = isTree(value) && isTree(result[field]) ? merge(result[field], value) : value;
  }
  return result;
}

/** Where the runs of tests put their model; no trainer runs there, so that they can share it. */
export const OUTPUT = 'pvc://models/run';

export function finetune(name: string, namespace: string, spec: Changes = {}): SparseFinetune {
  const base = {
    model: {
      preset: 'fashion-mnist-uvit-tiny',
      pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
    },
    dataset: { format: 'fashion-mnist', uri: 'file:///opt/sparsedm/data/fashion-mnist' },
    output: { uri: OUTPUT },
  };
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name, namespace },
    spec: merge(base, spec) as SparseFinetune['spec'],
  };
}

export function service(name: string, namespace: string, spec: Changes = {}): SparseInferenceService {
  const base = { model: { uri: 'pvc://models/shirts' } };
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name, namespace },
    spec: merge(base, spec) as SparseInferenceService['spec'],
  };
}

export function study(name: string, namespace: string, spec: Changes = {}): SparseStudy {
  const base = {
    finetuneRef: { name: 'base' },
    grid: { seeds: [0] },
    output: { uri: 'pvc://models/studies' },
  };
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseStudy',
    metadata: { name, namespace },
    spec: merge(base, spec) as SparseStudy['spec'],
  };
}
