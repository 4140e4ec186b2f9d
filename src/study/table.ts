/** A study's figures as text: a CSV of its runs, and a table of means in Markdown. */
import type { StudyRun } from '../api/types';
import type { Group } from './figures';

const COLUMNS = [
  'name',
  'pattern',
  'method',
  'layers',
  'seed',
  'phase',
  'metric',
  'denseDistance',
  'distance',
  'denseMacs',
  'macs',
  'modelUri',
  'message',
] as const satisfies readonly (keyof StudyRun)[];

/** RFC 4180, with a line for each run, also for those that have not ended. */
export function csvOf(runs: readonly StudyRun[]): string {
  const lines = runs.map((run) => COLUMNS.map((column) => cell(run[column])).join(','));
  return [COLUMNS.join(','), ...lines, ''].join('\r\n');
}

function cell(value: string | number | undefined): string {
  const text = value === undefined ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Means over the seeds, the least distance first; those on the front of distance and MACs are marked. */
export function markdownOf(title: string, groups: readonly Group[]): string {
  const rows = groups.map(({ pattern, method, layers, runs, metric, distance, deviation, macs, onFront }) => {
    const spread = deviation === undefined ? '' : ` ± ${deviation.toFixed(2)}`;
    const million = macs === undefined ? '' : `${(macs / 1e6).toFixed(2)} M`;
    const row = [
      pattern,
      method,
      layers,
      runs,
      metric,
      `${distance.toFixed(2)}${spread}`,
      million,
      onFront ? 'yes' : '',
    ];
    return `| ${row.join(' | ')} |`;
  });
  return [
    `# ${title}`,
    '',
    '| Pattern | Method | Layers | Runs | Metric | Distance | MACs | On the front |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'Distance: mean over the seeds ± sample standard deviation, lower is better; it is the FID only where the metric is fid.',
    'MACs: multiply-accumulates of the sparse model, per image and step, with attention.',
    'On the front: no other row has both as few MACs and as small a distance.',
    '',
  ].join('\n');
}
