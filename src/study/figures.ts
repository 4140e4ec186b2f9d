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
  /** Mean time for an image in milliseconds; undefined where none was reported, or on several devices. */
  latency: number | undefined;
  /** On which device that was measured. */
  device: string | undefined;
  /** Whether no other has both as few MACs and as small a distance; false without MACs. */
  onFront: boolean;
  /** The same with latency in place of MACs, among those on the same device. */
  onLatencyFront: boolean;
};

type Summary = Omit<Group, 'onFront' | 'onLatencyFront'>;

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
    .map((group) => ({
      ...group,
      onFront: isOnFront(group, groups, ({ macs }) => macs),
      onLatencyFront: isOnFront(
        group,
        groups.filter(({ device }) => device === group.device),
        ({ latency }) => latency,
      ),
    }))
    .sort((a, b) => a.distance - b.distance);
}

function summarise(runs: readonly Measured[]): Summary[] {
  const [first] = runs;
  if (first === undefined) return [];
  const { pattern, method, layers, metric } = first;
  const distances = runs.map((run) => Number(run.distance));
  const macs = runs.flatMap((run) => run.macs ?? []);
  const latencies = runs.flatMap((run) => (run.latencyMilliseconds === undefined ? [] : [run]));
  const [device, ...others] = new Set(latencies.map((run) => run.device));
  const times = others.length > 0 ? [] : latencies.map((run) => Number(run.latencyMilliseconds));
  return [
    {
      ...{ pattern, method, layers, metric, runs: runs.length },
      distance: mean(distances),
      deviation: deviation(distances),
      macs: macs.length === 0 ? undefined : mean(macs),
      latency: times.length === 0 ? undefined : mean(times),
      device: times.length === 0 ? undefined : device,
    },
  ];
}

function isOnFront(
  group: Summary,
  all: readonly Summary[],
  costOf: (one: Summary) => number | undefined,
): boolean {
  const { distance, metric } = group;
  const cost = costOf(group);
  if (cost === undefined) return false;
  return !all.some((other) => {
    const otherCost = costOf(other);
    if (otherCost === undefined || other.metric !== metric) return false;
    const isAsGood = otherCost <= cost && other.distance <= distance;
    return isAsGood && (otherCost < cost || other.distance < distance);
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
