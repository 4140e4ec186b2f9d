import type { SparseFinetune } from '../src/api/types';

type Row = [name: string, dense: string, sparse: string, change: string];

function millions(count: number | undefined): string {
  if (count === undefined) return '-';
  return count >= 1e9 ? `${(count / 1e9).toFixed(3)} G` : `${(count / 1e6).toFixed(2)} M`;
}

function signed(value: number, unit: string): string {
  return `${value >= 0 ? '+' : ''}${value.toFixed(1)}${unit}`;
}

/** Change from dense to sparse in percent, e.g. 11.322e9 -> 5.66e9 is "-50.0 %". */
export function relative(dense: number, sparse: number): string {
  return dense > 0 ? signed((100 * (sparse - dense)) / dense, ' %') : '-';
}

/** Aligns columns; the first to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** Dense beside sparse, from a finished SparseFinetune's status. The distance is named by its extractor. */
export function figuresTable(finetune: SparseFinetune): string {
  const { fid, macs, sparsity } = finetune.status ?? {};
  const rows: Row[] = [['', 'dense', `sparse ${sparsity?.pattern ?? ''}`.trim(), 'change']];
  if (fid?.dense !== undefined && fid.sparse !== undefined) {
    rows.push([
      `Frechet distance ${fid.metric ?? ''}, ${fid.samples ?? '?'} samples (lower is better)`,
      fid.dense,
      fid.sparse,
      relative(Number(fid.dense), Number(fid.sparse)),
    ]);
  }
  if (macs?.dense !== undefined && macs.sparse !== undefined) {
    rows.push([
      `MACs per image and step (${macs.convention ?? 'linear'})`,
      millions(macs.dense),
      millions(macs.sparse),
      relative(macs.dense, macs.sparse),
    ]);
  }
  if (macs?.totalDense !== undefined && macs.totalSparse !== undefined) {
    rows.push([
      'MACs per image and step (total, with attention)',
      millions(macs.totalDense),
      millions(macs.totalSparse),
      relative(macs.totalDense, macs.totalSparse),
    ]);
  }
  rows.push([
    `Zeros in the ${sparsity?.maskedLayers ?? '?'} masked layers`,
    '0 %',
    `${(100 * Number(sparsity?.achieved ?? NaN)).toFixed(1)} %`,
    sparsity?.compliant === true ? 'every group verified' : 'NOT COMPLIANT',
  ]);
  return alignColumns(rows);
}
