import { expect, it } from 'vitest';
import type { SparseFinetune } from '../api/types';
import { ownResults } from './own';
import type { FinetuneReport } from './report';

const finetune = { spec: { output: { uri: 'pvc://models/run' } } } as SparseFinetune;
const sha256 = 'a'.repeat(64);
const fid = { dense: '1' };

it.each<[string, FinetuneReport, FinetuneReport]>([
  [
    'a model at its output',
    { fid, model: { uri: 'pvc://models/run', sha256, manifestUri: 'pvc://models/run/manifest.json' } },
    { fid, model: { uri: 'pvc://models/run', sha256, manifestUri: 'pvc://models/run/manifest.json' } },
  ],
  ['no model in another folder', { fid, model: { uri: 'pvc://models/other', sha256 } }, { fid }],
  ['no model below its output', { fid, model: { uri: 'pvc://models/run/x', sha256 } }, { fid }],
  ['no digest without a place', { fid, model: { sha256 } }, { fid }],
  [
    'no manifest beside its output',
    { model: { uri: 'pvc://models/run', manifestUri: 'pvc://models/run-2/manifest.json' } },
    { model: { uri: 'pvc://models/run' } },
  ],
  [
    'a checkpoint below its output',
    { checkpoint: { uri: 'pvc://models/run/checkpoints/1', step: 1 } },
    { checkpoint: { uri: 'pvc://models/run/checkpoints/1', step: 1 } },
  ],
  [
    'of a checkpoint elsewhere only its step',
    { checkpoint: { uri: 'pvc://secrets/1', step: 1 } },
    { checkpoint: { step: 1 } },
  ],
])('a run has %s', (_, report, want) => {
  expect(ownResults(finetune, report)).toEqual(want);
});
