/** Means and maxima over the last seconds. Times are milliseconds on one clock. */
import { mapLoad, NO_LOAD, type Load } from './load';

/** The total load of the replicas in the time up to `at`. */
export type Measured = { at: number; load: Load };

/** Replicas that were recommended at a time. */
export type Recommended = { at: number; replicas: number };

/** Weight in milliseconds of a load whose predecessor is not known. */
const FIRST_MS = 2_000;

/** The list with a new element, without those that are older than the window. */
export function append<T extends { at: number }>(list: readonly T[], added: T, windowMs: number): T[] {
  return [...list.filter(({ at }) => at > added.at - windowMs && at < added.at), added];
}

/**
 * Mean over the window that ends with the newest element. Each load counts for the time since the one before it, the
 * oldest for at most FIRST_MS.
 */
export function meanOf(measured: readonly Measured[], windowMs: number): Load {
  const end = measured.at(-1)?.at ?? 0;
  const begin = end - windowMs;
  let total = 0;
  const weighted = measured.flatMap(({ at, load }, index) => {
    const before = measured[index - 1]?.at ?? at - FIRST_MS;
    const weight = at - Math.max(before, begin);
    if (weight <= 0) return [];
    total += weight;
    return [{ weight, load }];
  });
  if (total === 0) return NO_LOAD;
  return mapLoad((name) => weighted.reduce((sum, { weight, load }) => sum + weight * load[name], 0) / total);
}

/**
 * The recommendations with a new one, without those older than the window and those that a later, higher one makes
 * irrelevant for the maximum: what is left falls from first to last, so there are at most as many as there are replicas.
 */
export function recommend(list: readonly Recommended[], added: Recommended, windowMs: number): Recommended[] {
  const inWindow = list.filter(({ at }) => at > added.at - windowMs);
  return [...inWindow.filter(({ replicas }) => replicas > added.replicas), added];
}

/** Of a list made by `recommend`. */
export function highest([first]: readonly Recommended[]): number {
  return first?.replicas ?? 0;
}
