/** Which replica gets a request. Pure: chance and time are arguments. */
import type { Canary } from './route';

export type Candidate = {
  revision: string | undefined;
  /** Requests in it, as far as this gateway knows. */
  load: number;
  /** Until when it gets no request, in milliseconds of the monotonic clock; 0 where it never failed. */
  ejectedUntil: number;
};

/**
 * The less loaded of two at random, which is nearly as good as the least loaded of all and does not send every gateway
 * to the same one. Replicas that failed are left out for a time, unless all of them did.
 */
export function choose<C extends Candidate>(
  candidates: readonly C[],
  now: number,
  random: () => number,
): C | undefined {
  const able = candidates.filter(({ ejectedUntil }) => ejectedUntil <= now);
  const among = able.length > 0 ? able : candidates;
  const first = Math.floor(random() * among.length);
  if (among.length <= 1) return among[0];
  const second = (first + 1 + Math.floor(random() * (among.length - 1))) % among.length;
  const [one, other] = [among[first]!, among[second]!];
  return other.load < one.load ? other : one;
}

/**
 * The replicas among which a request is placed: the canary's for its part of the requests, else the others; those of
 * the other side where one has none. Each gateway throws its own dice, so that several agree without talking.
 */
export function sideOf<C extends Candidate>(
  candidates: readonly C[],
  canary: Canary | undefined,
  random: () => number,
): readonly C[] {
  if (canary === undefined) return candidates;
  const isCanary = ({ revision }: C) => revision === canary.revision;
  const toCanary = random() * 100 < canary.weightPercent;
  const side = candidates.filter((one) => isCanary(one) === toCanary);
  return side.length > 0 ? side : candidates;
}

const FIRST_EJECTION_MS = 1_000;
const LONGEST_EJECTION_MS = 30_000;

/** For how long a replica is left out after so many failures in a row. The first request after that is its probe. */
export function ejectionMs(failures: number): number {
  return Math.min(LONGEST_EJECTION_MS, FIRST_EJECTION_MS * 2 ** (failures - 1));
}
