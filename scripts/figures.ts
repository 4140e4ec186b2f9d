import type { SparseFinetune } from '../src/api/types';

type Row = [name: string, dense: string, sparse: string, change: string];

function millions(count: number): string {
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

type Status = NonNullable<SparseFinetune['status']>;

function distanceRows({ fid }: Status): Row[] {
  if (fid?.dense === undefined || fid.sparse === undefined) return [];
  const name = `Frechet distance ${fid.metric ?? ''}, ${fid.samples ?? '?'} samples (lower is better)`;
  return [[name, fid.dense, fid.sparse, relative(Number(fid.dense), Number(fid.sparse))]];
}

function macsRow(name: string, dense: number | undefined, sparse: number | undefined): Row[] {
  if (dense === undefined || sparse === undefined) return [];
  return [[`MACs per image and step (${name})`, millions(dense), millions(sparse), relative(dense, sparse)]];
}

function zerosRows({ sparsity }: Status): Row[] {
  if (!sparsity) return [];
  const achieved = `${(100 * Number(sparsity.achieved)).toFixed(1)} %`;
  const verdict = sparsity.compliant ? 'every group verified' : 'NOT COMPLIANT';
  return [[`Zeros in the ${sparsity.maskedLayers} masked layers`, '0 %', achieved, verdict]];
}

/** Dense beside sparse, from a finished SparseFinetune's status. The distance is named by its extractor. */
export function figuresTable({ status = {} }: SparseFinetune): string {
  const { macs = {}, sparsity } = status;
  return alignColumns([
    ['', 'dense', `sparse ${sparsity?.pattern ?? ''}`.trim(), 'change'],
    ...distanceRows(status),
    ...macsRow('linear layers', macs.dense, macs.sparse),
    ...macsRow('total, with attention', macs.totalDense, macs.totalSparse),
    ...zerosRows(status),
  ]);
}
