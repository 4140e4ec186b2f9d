/** A study's figures as plots: distance against multiply-accumulates, and against latency, as SVG. */
import type { Group } from './figures';

const WIDTH = 720;
const HEIGHT = 440;
const LEFT = 72;
const RIGHT = 24;
const TOP = 48;
const BOTTOM = 60;

type Placed = Group & { cost: number; isBest: boolean };
type Scale = { at(value: number): number; ticks: number[] };

/** Distance against million multiply-accumulates. Undefined where no group has any. */
export function plotOf(title: string, groups: readonly Group[]): string | undefined {
  const placed = groups.flatMap((group) =>
    group.macs === undefined ? [] : [{ ...group, cost: group.macs / 1e6, isBest: group.onFront }],
  );
  return plotted(title, 'MACs per image and step, million', placed);
}

/** Distance against latency, of the groups on the device of the first one. Undefined where no group has any. */
export function latencyPlotOf(title: string, groups: readonly Group[]): string | undefined {
  const timed = groups.flatMap((group) =>
    group.latency === undefined ? [] : [{ ...group, cost: group.latency, isBest: group.onLatencyFront }],
  );
  const device = timed[0]?.device ?? '';
  const placed = timed.filter((group) => group.device === timed[0]?.device);
  return plotted(title, `Latency of one image on ${device}, ms`, placed);
}

/** Equal figures give equal bytes. */
function plotted(title: string, costs: string, placed: readonly Placed[]): string | undefined {
  const [metric] = placed.map((group) => group.metric);
  const shown = placed.filter((group) => group.metric === metric);
  if (metric === undefined) return undefined;
  const x = scale(
    shown.map(({ cost }) => cost),
    LEFT,
    WIDTH - RIGHT,
  );
  const ends = shown.flatMap(({ distance, deviation = 0 }) => [distance - deviation, distance + deviation]);
  const y = scale(ends, HEIGHT - BOTTOM, TOP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(LEFT, 24, title, 'font-size="15"'),
    ...axes(x, y, costs, metric),
    front(shown, x, y),
    ...shown.map((group) => point(group, x, y)),
    '</svg>',
    '',
  ].join('\n');
}

/** Linear, from a round number to a round number, with about five ticks. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const least = Math.min(...values);
  const most = Math.max(...values);
  const span = most > least ? most - least : Math.max(Math.abs(most), 1);
  const raw = span / 4;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5, 10].find((factor) => factor * unit >= raw) ?? 10);
  const first = Math.floor((least - span * 0.02) / step);
  const last = Math.ceil((most + span * 0.02) / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return { ticks, at: (value) => from + ((value / step - first) / (last - first)) * (to - from) };
}

function axes(x: Scale, y: Scale, costs: string, metric: string): string[] {
  const grid = (x1: number, y1: number, x2: number, y2: number) =>
    `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="#ddd"/>`;
  return [
    ...x.ticks.flatMap((tick) => [
      grid(x.at(tick), TOP, x.at(tick), HEIGHT - BOTTOM),
      text(x.at(tick), HEIGHT - BOTTOM + 18, number(tick), 'text-anchor="middle"'),
    ]),
    ...y.ticks.flatMap((tick) => [
      grid(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick)),
      text(LEFT - 8, y.at(tick) + 4, number(tick), 'text-anchor="end"'),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, costs, 'text-anchor="middle"'),
    text(
      18,
      (TOP + HEIGHT - BOTTOM) / 2,
      `Distance (${metric}), lower is better`,
      `text-anchor="middle" transform="rotate(-90 18 ${(TOP + HEIGHT - BOTTOM) / 2})"`,
    ),
  ];
}

/** The groups that no other beats, joined by a line. */
function front(groups: readonly Placed[], x: Scale, y: Scale): string {
  const best = groups.filter(({ isBest }) => isBest).sort((a, b) => a.cost - b.cost);
  const points = best.map(({ cost, distance }) => `${px(x.at(cost))},${px(y.at(distance))}`);
  return `<polyline points="${points.join(' ')}" fill="none" stroke="#1f77b4" stroke-dasharray="4 3"/>`;
}

function point(group: Placed, x: Scale, y: Scale): string {
  const { pattern, method, layers, cost, distance, deviation, isBest } = group;
  const [left, middle] = [x.at(cost), y.at(distance)];
  const name = [pattern, method, ...(layers === 'default' ? [] : [layers])].join(' ');
  const isRight = left > WIDTH - 180;
  const bar =
    deviation === undefined
      ? ''
      : `<line x1="${px(left)}" y1="${px(y.at(distance - deviation))}" x2="${px(left)}" y2="${px(y.at(distance + deviation))}" stroke="#555"/>`;
  const label = text(left + (isRight ? -9 : 9), middle + 4, name, isRight ? 'text-anchor="end"' : '');
  return `${bar}<circle cx="${px(left)}" cy="${px(middle)}" r="5" fill="${isBest ? '#1f77b4' : '#aaa'}"/>${label}`;
}

function text(x: number, y: number, content: string, more = ''): string {
  const safe = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${px(x)}" y="${px(y)}"${more === '' ? '' : ` ${more}`}>${safe}</text>`;
}

function px(value: number): string {
  return value.toFixed(1);
}

/** A tick without the noise of its multiplication. */
function number(value: number): string {
  return String(Number(value.toPrecision(6)));
}
