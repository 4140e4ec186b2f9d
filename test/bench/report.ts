/** The figures as people and as programs read them. */
import { byVerb } from './audit';
import type { ContenderName } from './contender';
import type { Figures } from './measure';
import { rounded } from './statistics';

export type Results = Partial<Record<ContenderName, Figures>>;

type Row = { title: string; unit: string; decimals: number; value(figures: Figures): number; goal?: string };

const rows: readonly Row[] = [
  { title: 'create to Job, p50', unit: 'ms', decimals: 1, value: (f) => f.p50Ms, goal: '<= 0.5' },
  { title: 'create to Job, p99', unit: 'ms', decimals: 1, value: (f) => f.p99Ms, goal: '<= 0.5' },
  {
    title: 'requests per object',
    unit: '',
    decimals: 2,
    value: (f) => f.requestsPerObject,
    goal: '<= 1.0',
  },
  { title: 'CPU time', unit: 's', decimals: 2, value: (f) => f.cpuSeconds, goal: '<= 1.1' },
  { title: 'peak resident size', unit: 'MiB', decimals: 0, value: (f) => f.peakMiB, goal: '<= 1.0' },
  { title: '  under load', unit: 'MiB', decimals: 0, value: (f) => f.loadPeakMiB },
  { title: '  after a restart', unit: 'MiB', decimals: 0, value: (f) => f.restartPeakMiB },
  { title: 'restart to synced', unit: 's', decimals: 2, value: (f) => f.resyncSeconds, goal: 'ours <= 5 s' },
  { title: '  of which to /readyz', unit: 's', decimals: 2, value: (f) => f.readySeconds },
  { title: 'CPU at rest', unit: '%', decimals: 2, value: (f) => f.restPercent },
  { title: 'all objects created after', unit: 's', decimals: 1, value: (f) => f.createSeconds },
  { title: 'all runs ended after', unit: 's', decimals: 1, value: (f) => f.totalSeconds, goal: '<= 1.0' },
];

const columns = [28, 14, 14, 8];

function line(cells: readonly string[]): string {
  const [title = '', ...figures] = cells;
  const padded = figures.map((cell, index) => cell.padStart(columns[index + 1] ?? 0));
  return [title.padEnd(columns[0] ?? 0), ...padded].join('  ').trimEnd();
}

function amount(value: number | undefined, { decimals, unit }: Pick<Row, 'decimals' | 'unit'>): string {
  return value === undefined ? '-' : `${value.toFixed(decimals)} ${unit}`.trimEnd();
}

function ratioOf(ours: number | undefined, baseline: number | undefined): string {
  return ours === undefined || baseline === undefined ? '' : (ours / baseline).toFixed(2);
}

function requestRows({ ours, baseline }: Results, objects: number): string[] {
  const names = new Set([ours, baseline].flatMap((each) => Object.keys(each?.requests ?? {})));
  const perObject = (figures: Figures | undefined, name: string) =>
    figures && (figures.requests[name] ?? 0) / objects;
  return [...names]
    .sort()
    .map((name) =>
      line([
        `  ${name}`,
        amount(perObject(ours, name), { decimals: 3, unit: '' }),
        amount(perObject(baseline, name), { decimals: 3, unit: '' }),
      ]),
    );
}

export function table(results: Results, objects: number): string {
  const { ours, baseline } = results;
  const lines = rows.map((row) => {
    const [left, right] = [ours, baseline].map((figures) => figures && row.value(figures));
    return line([row.title, amount(left, row), amount(right, row), ratioOf(left, right), row.goal ?? '']);
  });
  return [
    line([`${objects} objects`, 'operator', 'baseline', 'ratio', 'goal']),
    ...lines,
    'requests per object, by kind',
    ...requestRows(results, objects),
  ].join('\n');
}

const summaryKeys = [
  'p50_ms',
  'p99_ms',
  'requests_per_object',
  'ended_s',
  'cpu_s',
  'rss_mb',
  'resync_s',
  'rest_percent',
] as const;
type Summary = Record<(typeof summaryKeys)[number], number>;

function summaryOf(figures: Figures): Summary {
  return {
    p50_ms: rounded(figures.p50Ms, 2),
    p99_ms: rounded(figures.p99Ms, 2),
    requests_per_object: rounded(figures.requestsPerObject, 3),
    ended_s: rounded(figures.totalSeconds, 1),
    cpu_s: rounded(figures.cpuSeconds, 2),
    rss_mb: rounded(figures.peakMiB, 1),
    resync_s: rounded(figures.resyncSeconds, 2),
    rest_percent: rounded(figures.restPercent, 2),
  };
}

/** One JSON object; `ratio` is ours by the baseline's, where both were measured. */
export function summary({ ours, baseline }: Results, objects: number) {
  const sides = {
    ...(ours === undefined ? {} : { ours: summaryOf(ours) }),
    ...(baseline === undefined ? {} : { baseline: summaryOf(baseline) }),
  };
  const { ours: left, baseline: right } = sides;
  const ratio =
    left && right && Object.fromEntries(summaryKeys.map((key) => [key, rounded(left[key] / right[key], 3)]));
  const verbs = Object.fromEntries(
    Object.entries({ ours, baseline }).flatMap(([name, figures]) =>
      figures === undefined ? [] : [[name, perObjectByVerb(figures, objects)]],
    ),
  );
  return { objects, ...sides, ...(ratio === undefined ? {} : { ratio }), requests_by_verb: verbs };
}

function perObjectByVerb({ requests }: Figures, objects: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(byVerb(requests)).map(([verb, count]) => [verb, rounded(count / objects, 3)]),
  );
}
