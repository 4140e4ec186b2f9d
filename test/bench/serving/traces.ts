/** Requests over time: made from a rate, or recorded. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Random } from '../../chaos/random';

export type Trace = {
  name: string;
  seconds: number;
  /** In order; `at` in milliseconds. */
  arrivals: readonly { at: number; images: number }[];
};

/** Images of a request. */
type Size = (random: Random) => number;

const one: Size = () => 1;
/** One in ten asks for eight images, which makes 47 % of the work. */
const mixed: Size = (random) => (random.chance(0.1) ? 8 : 1);

/** Poisson arrivals of a rate that changes over time, by thinning those of the highest rate (Lewis and Shedler, 1979). */
function poisson(
  name: string,
  seconds: number,
  highest: number,
  rate: (second: number) => number,
  random: Random,
  size: Size = one,
): Trace {
  const arrivals: { at: number; images: number }[] = [];
  for (let at = 0; ;) {
    at += (-Math.log(1 - random.next()) / highest) * 1000;
    if (at >= seconds * 1000) return { name, seconds, arrivals };
    if (random.chance(rate(at / 1000) / highest)) arrivals.push({ at, images: size(random) });
  }
}

const HOUR = 3600;

export function syntheticTraces(random: Random): Trace[] {
  const day = (second: number) => 8.5 - 7.5 * Math.cos((2 * Math.PI * second) / (4 * HOUR));
  const burst = (second: number) => (second % 1200 >= 600 && second % 1200 < 660 ? 16 : 2);
  const ramp = (second: number) => (second < 2400 ? second / 120 : 1);
  const onOff = (second: number) => (second % 600 < 300 ? 12 : 0.2);
  return [
    poisson('Poisson, 6/s', HOUR, 6, () => 6, random.fork('poisson')),
    poisson('mixed sizes, 3.5/s', HOUR, 3.5, () => 3.5, random.fork('mixed'), mixed),
    poisson('day in 4 h, 1 to 16/s', 4 * HOUR, 16, day, random.fork('day')),
    poisson('bursts, 2 to 16/s for 60 s', 2 * HOUR, 16, burst, random.fork('burst')),
    poisson('ramp to 20/s, then 1/s', HOUR, 20, ramp, random.fork('ramp')),
    poisson('on 12/s, off 0.2/s', HOUR, 12, onOff, random.fork('onOff')),
  ];
}

/** Requests of an hour of a real service, spread evenly over each second. */
export function recordedTrace(): Trace {
  const file = path.join(import.meta.dirname, 'traces', 'azure-code-2023.txt');
  const lines = readFileSync(file, 'utf8').split('\n');
  const counts = lines
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => line.split(' '))
    .filter(Boolean)
    .map(Number);
  const arrivals = counts.flatMap((count, second) =>
    Array.from({ length: count }, (_, i) => ({ at: (second + i / count) * 1000, images: 1 })),
  );
  return { name: 'recorded (Azure code, 2023)', seconds: counts.length, arrivals };
}
