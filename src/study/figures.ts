/** What the runs of a study measured: means over seeds, and which combinations no other beats. */
import type { StudyRun } from '../api/types';

export type Group = {
  pattern: string;
  method: string;
  layers: string;
  metric: string;
  /** How many seeds were measured. */
  runs: number;
  /** Mean of the Frechet distances. */
  distance: number;
  /** Sample standard deviation of them; undefined of one. */
  deviation: number | undefined;
  /** Mean multiply-accumulates per image and step; undefined where none were reported. */
  macs: number | undefined;
  /** Whether no other has both as few MACs and as small a distance; false without MACs. */
  onFront: boolean;
};

type Measured = StudyRun & { distance: string; metric: string };

export function isMeasured(run: StudyRun): run is Measured {
  return run.phase === 'Succeeded' && run.metric !== undefined && Number.isFinite(Number(run.distance));
}

/** The measured run with the least distance. */
export function bestOf(runs: readonly StudyRun[]): Measured | undefined {
  const measured = runs.filter(isMeasured);
  return measured.reduce<Measured | undefined>(
    (best, run) => (best === undefined || Number(run.distance) < Number(best.distance) ? run : best),
    undefined,
  );
}

/** One group for each combination with a measured run, the least distance first. */
export function groupsOf(runs: readonly StudyRun[]): Group[] {
  const members = Map.groupBy(runs.filter(isMeasured), ({ pattern, method, layers, metric }) =>
    [pattern, method, layers, metric].join('\n'),
  );
  const groups = [...members.values()].flatMap(summarise);
  return groups
    .map((group) => ({ ...group, onFront: isOnFront(group, groups) }))
    .sort((a, b) => a.distance - b.distance);
}

function summarise(runs: readonly Measured[]): Omit<Group, 'onFront'>[] {
  const [first] = runs;
  if (first === undefined) return [];
  const { pattern, method, layers, metric } = first;
  const distances = runs.map((run) => Number(run.distance));
  const macs = runs.flatMap((run) => run.macs ?? []);
  return [
    {
      ...{ pattern, method, layers, metric, runs: runs.length },
      distance: mean(distances),
      deviation: deviation(distances),
      macs: macs.length === 0 ? undefined : mean(macs),
    },
  ];
}

function isOnFront(group: Omit<Group, 'onFront'>, all: readonly Omit<Group, 'onFront'>[]): boolean {
  const { macs, distance, metric } = group;
  if (macs === undefined) return false;
  return !all.some((other) => {
    if (other.macs === undefined || other.metric !== metric) return false;
    const isAsGood = other.macs <= macs && other.distance <= distance;
    return isAsGood && (other.macs < macs || other.distance < distance);
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number | undefined {
  if (values.length < 2) return undefined;
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}
