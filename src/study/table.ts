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
  'latencyMilliseconds',
  'device',
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

/** Means over the seeds, the least distance first; those on a front of distance and cost are marked. */
export function markdownOf(title: string, groups: readonly Group[]): string {
  const devices = new Set(groups.flatMap(({ device }) => device ?? []));
  const rows = groups.map((group) => {
    const { pattern, method, layers, runs, metric, distance, deviation, macs, latency, device } = group;
    const spread = deviation === undefined ? '' : ` ± ${deviation.toFixed(2)}`;
    const million = macs === undefined ? '' : `${(macs / 1e6).toFixed(2)} M`;
    const where = devices.size > 1 ? ` on ${device ?? ''}` : '';
    const row = [
      pattern,
      method,
      layers,
      runs,
      metric,
      `${distance.toFixed(2)}${spread}`,
      million,
      latency === undefined ? '' : `${latency.toFixed(2)} ms${where}`,
      frontsOf(group),
    ];
    return `| ${row.join(' | ')} |`;
  });
  return [
    `# ${title}`,
    '',
    '| Pattern | Method | Layers | Runs | Metric | Distance | MACs | Latency | On the front of |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    'Distance: mean over the seeds ± sample standard deviation, lower is better; it is the FID only where the metric is fid.',
    'MACs: multiply-accumulates of the sparse model, per image and step, with attention.',
    `Latency: time for one image of the sparse model${devices.size === 1 ? ` on ${[...devices].join('')}` : ''}, with dense products, zeros included; absent where runs of a row had several devices.`,
    'On the front: no other row has both as few MACs (or as small a latency on that device) and as small a distance.',
    '',
  ].join('\n');
}

function frontsOf({ onFront, onLatencyFront }: Group): string {
  return [...(onFront ? ['MACs'] : []), ...(onLatencyFront ? ['latency'] : [])].join(', ');
}
