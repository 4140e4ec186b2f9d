import { describe, expect, it } from 'vitest';
import { alignColumns, figuresTable, relative } from './figures';

describe('figures table', () => {
  it.each([
    { dense: 11.322e9, sparse: 5.661e9, want: '-50.0 %' },
    { dense: 100, sparse: 103.25, want: '+3.3 %' },
    { dense: 0, sparse: 1, want: '-' },
  ])('change from $dense to $sparse is $want', ({ dense, sparse, want }) => {
    expect(relative(dense, sparse)).toBe(want);
  });

  it('aligns the first column to the left and figures to the right', () => {
    expect(
      alignColumns([
        ['', 'dense'],
        ['MACs', '1.0 M'],
        ['a longer name', '2'],
      ]),
    ).toBe('                dense\nMACs            1.0 M\na longer name       2');
  });

  it('names the extractor, never FID, and says when the model is not compliant', () => {
    const table = figuresTable({
      apiVersion: 'sparsedm.io/v1alpha1',
      kind: 'SparseFinetune',
      metadata: { name: 'x' },
      spec: {},
      status: {
        fid: { metric: 'fd-fashion-mnist-cnn', samples: 500, dense: '50.00', sparse: '55.00' },
        macs: { convention: 'linear', dense: 2_000_000, sparse: 1_000_000 },
        sparsity: { pattern: '2:4', achieved: '0.5', maskedLayers: 9, compliant: false },
      },
    } as unknown as Parameters<typeof figuresTable>[0]);
    expect(table).toContain('fd-fashion-mnist-cnn, 500 samples');
    expect(table).toContain('+10.0 %');
    expect(table).toContain('-50.0 %');
    expect(table).toContain('NOT COMPLIANT');
    expect(table).not.toMatch(/\bFID\b/);
  });
});
