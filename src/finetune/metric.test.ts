import { describe, expect, it } from 'vitest';
import { aFinetune } from '../../test/support/finetune';
import type { SparseFinetuneSpec } from '../api/types';
import { metricVerdict } from './metric';

const maxFidIncrease = { maxFidIncrease: '3' };
const inception = 'pvc://tools/pt_inception-2015-12-05-6726825d.pth';

describe('whether the gate compares FIDs', () => {
  it.each<[string, Partial<SparseFinetuneSpec>, string | undefined, string | undefined]>([
    ['is no question without a gate', {}, 'fd-x', undefined],
    ['is no question of MACs', { acceptance: { minMacsReductionPercent: 40 } }, 'fd-x', undefined],
    ['is told by the metric', { acceptance: maxFidIncrease }, 'FID', 'True IsFID'],
    ['is told by another metric', { acceptance: maxFidIncrease }, 'fd-x', 'False NotFID'],
    ['is told of a bound in per cent', { acceptance: { maxFidIncreasePercent: 5 } }, 'fd-x', 'False NotFID'],
    [
      'is known where the trainer refuses all else',
      { acceptance: maxFidIncrease, evaluation: { metric: 'fid', extractorUri: inception } },
      undefined,
      'True IsFID',
    ],
    [
      'is known of an extractor of ours',
      { acceptance: maxFidIncrease, evaluation: { metric: 'fd', extractorUri: 'pvc://a/b.safetensors' } },
      undefined,
      'False NotFID',
    ],
    [
      'is not known before a network is read',
      { acceptance: maxFidIncrease, evaluation: { metric: 'fd', extractorUri: inception } },
      undefined,
      'Unknown NotMeasured',
    ],
  ])('%s', (_, spec, metric, want) => {
    const verdict = metricVerdict(aFinetune(spec), metric === undefined ? undefined : { metric });
    expect(verdict && `${verdict.status} ${verdict.reason}`).toBe(want);
  });

  it('names the bounds, the metric and both remedies', () => {
    const acceptance = { ...maxFidIncrease, maxFidIncreasePercent: 5 };
    const message = metricVerdict(aFinetune({ acceptance }), { metric: 'fd-fashion-mnist-cnn' })?.message;
    expect(message).toMatch(
      /^spec.acceptance.maxFidIncrease and spec.acceptance.maxFidIncreasePercent are held against fd-fashion-mnist-cnn, which is not the FID/,
    );
    expect(message).toContain('Choose the bound for this distance');
    expect(message).toContain('evaluation.metric: fid');
  });
});
