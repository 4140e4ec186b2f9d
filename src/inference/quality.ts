/** What servers measure of the images that they serve: heard with their loads, and shown by version in the status. */
import { REASONS } from '../api/conditions';
import type { QualityStatus, SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { labels } from '../kube/names';
import { equalJson } from '../kube/patch';
import type { Pod } from '../kube/resources';
import { decimal, object, reader, sentence, small, text } from '../reports/fields';
import { isAbove, type Qualities, type ServedQuality } from '../rollout/quality';
import { defined } from '../runtime/defined';
import { isDeleting, isOver } from '../workload/pod-state';

/** Of one pod. */
export type QualityReport = Partial<Omit<QualityStatus, 'revision' | 'pods'>>;

export const parseQuality = reader<{ quality?: QualityReport }>({
  quality: object<QualityReport>({
    metric: text(64),
    distance: decimal,
    evaluatedDistance: decimal,
    images: small,
    window: small,
    extractorDigest: text(80),
    referenceDigest: text(80),
    message: sentence,
  }),
});

export type QualityBoard = {
  /** Keeps a pod's newest report, of the service with this uid. Returns whether it differs from the one before. */
  hear(key: string, uid: string, pod: string, report: QualityReport): boolean;
  /** The reports of these pods by their uid; those of others are forgotten. */
  heard(key: string, uid: string, pods: readonly Pod[]): ReadonlyMap<string, QualityReport>;
  forget(key: string): void;
};

/** All of it is lost with the process; until pods report again, the status stands. */
export function createQualityBoard(): QualityBoard {
  const entries = new Map<string, { uid: string; reports: Map<string, QualityReport> }>();
  return {
    hear(key, uid, pod, report) {
      const known = entries.get(key);
      const entry = known?.uid === uid ? known : { uid, reports: new Map<string, QualityReport>() };
      entries.set(key, entry);
      const before = entry.reports.get(pod);
      entry.reports.set(pod, report);
      return !equalJson(before, report);
    },
    heard(key, uid, pods) {
      const entry = entries.get(key);
      if (entry?.uid !== uid) return new Map();
      const live = new Set(pods.map(({ metadata }) => metadata.uid));
      for (const pod of entry.reports.keys()) if (!live.has(pod)) entry.reports.delete(pod);
      return entry.reports;
    },
    forget: (key) => void entries.delete(key),
  };
}

/** The status by version: undefined where nothing is sampled. */
export function qualityOf(
  { spec, status }: SparseInferenceService,
  pods: readonly Pod[],
  reports: ReadonlyMap<string, QualityReport>,
): QualityStatus[] | undefined {
  if (spec.qualityMonitor === undefined) return undefined;
  const byRevision = new Map<string, (QualityReport | undefined)[]>();
  for (const pod of pods.filter((one) => !isDeleting(one) && !isOver(one))) {
    const revision = pod.metadata.labels?.[labels.revision] ?? '';
    const report = reports.get(pod.metadata.uid ?? '');
    byRevision.set(revision, [...(byRevision.get(revision) ?? []), report]);
  }
  const found = [...byRevision].flatMap(([revision, reported]) => {
    const before = status?.quality?.find((one) => one.revision === revision);
    const now = together(
      revision,
      reported.flatMap((report) => report ?? []),
    );
    return now === undefined ? (before ?? []) : settled(before, now);
  });
  return found.sort((a, b) => (a.revision < b.revision ? -1 : 1)).slice(0, MOST_REVISIONS);
}

/** The schema's bound. */
const MOST_REVISIONS = 10;

/**
 * Each pod's distance is of as many images, so each has the same bias, and their mean has it too; a distance over all
 * images together would not.
 */
function together(revision: string, reports: readonly QualityReport[]): QualityStatus | undefined {
  const known = reports.filter(({ distance }) => distance !== undefined);
  const [first] = known.length > 0 ? known : [...reports].sort((a, b) => (b.images ?? 0) - (a.images ?? 0));
  if (first === undefined) return undefined;
  const { distance: _, images, ...rest } = first;
  if (known.length === 0) return { revision, ...rest, ...defined({ images }) };
  const same = known.filter((one) => basisOf(one) === basisOf(first));
  const mean = same.reduce((sum, { distance }) => sum + Number(distance), 0) / same.length;
  const all = same.reduce((sum, one) => sum + (one.images ?? 0), 0);
  return { revision, ...rest, distance: String(Number(mean.toFixed(2))), images: all, pods: same.length };
}

function basisOf({ metric, extractorDigest, referenceDigest, window }: QualityReport): string {
  return [metric, extractorDigest, referenceDigest, window].join(' ');
}

/** The entry that was there, unless something has happened that is worth a write. */
function settled(before: QualityStatus | undefined, now: QualityStatus): QualityStatus {
  if (before === undefined) return now;
  const { distance: was, ...others } = before;
  const { distance: is, ...rest } = now;
  if (was !== undefined && is !== undefined) {
    const moved = Math.abs(Number(is) - Number(was)) >= Number(was) / 100;
    return equalJson(others, rest) && !moved ? before : now;
  }
  const isFilling = was === undefined && is === undefined && tenths(before) === tenths(now);
  return isFilling && basisOf(before) === basisOf(now) ? before : now;
}

/** Equal to nothing where there is no window to fill. */
function tenths({ images = 0, window = 0 }: QualityStatus): number {
  return window === 0 ? NaN : Math.floor((10 * images) / window);
}

/** What a canary and the version that serves were measured at. */
export function qualitiesOf(
  quality: readonly QualityStatus[] | undefined,
  canary: string | undefined,
  stable: string | undefined,
): Qualities {
  const of = (revision: string | undefined) =>
    servedQuality(quality?.find((one) => one.revision === revision));
  return { canary: of(canary), stable: of(stable) };
}

function servedQuality(found: QualityStatus | undefined): ServedQuality | undefined {
  if (found === undefined) return undefined;
  const { distance, evaluatedDistance, window, message = '' } = found;
  return {
    distance: numberIn(distance),
    evaluated: numberIn(evaluatedDistance),
    basis: basisOf(found),
    fills: distance === undefined && window !== undefined,
    message,
  };
}

function numberIn(decimal: string | undefined): number | undefined {
  return decimal === undefined ? undefined : Number(decimal);
}

/** Whether what serves is as good as its evaluation; undefined without a bound. */
export function judgeServedQuality(
  { spec }: SparseInferenceService,
  quality: readonly QualityStatus[] | undefined,
  revision: string | undefined,
): Verdict | undefined {
  const most = spec.qualityMonitor?.maxDistanceIncreasePercent;
  if (most === undefined) return undefined;
  const found = quality?.find((one) => one.revision === revision);
  const { distance, evaluated, message } = servedQuality(found) ?? {};
  if (found === undefined || distance === undefined || evaluated === undefined) {
    return unknown(
      REASONS.notMeasured,
      message || 'Servers have not measured the images of this version yet.',
    );
  }
  const bound = `the bound of +${most} %`;
  return isAbove(distance, evaluated, most)
    ? no(REASONS.qualityDegraded, `${measured(found)}, above ${bound}: ${REMEDY}`)
    : yes(REASONS.gatePassed, `${measured(found)}, within ${bound}.`);
}

function measured({ metric, images, pods, distance, evaluatedDistance }: QualityStatus): string {
  const from = pods === 1 ? '1 pod' : `${pods} pods`;
  return `The ${metric} of ${images} served images (${from}) is ${distance}, and that of the model's evaluation ${evaluatedDistance}`;
}

const REMEDY =
  'compare images of both, and what has changed since in model, engine and GPU; spec.rollout.undoTo brings an earlier version back.';
