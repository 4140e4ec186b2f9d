/** Which replica gets a request. Pure: chance and time are arguments. */
import type { Canary } from './route';

export type Candidate = {
  revision: string | undefined;
  /** Requests in it, as far as this gateway knows. */
  load: number;
  /** Until when it gets no request, in milliseconds of the monotonic clock; 0 where it never failed. */
  ejectedUntil: number;
  /** What it said of its queue in its last answer. */
  queue?: Queue | undefined;
};

export type Queue = {
  /** Time in which it draws what it had accepted then, from whatever gateway. */
  seconds: number;
  /** When it said so, in milliseconds of the monotonic clock. */
  at: number;
  /** Requests that this gateway has sent it since. */
  since: number;
};

/** Age at which a replica's word on its queue says nothing any more. */
export const QUEUE_FRESH_MS = 10_000;

/** The present time of the choice, and what a request takes of a replica's time, as far as it is known. */
export type Circumstances = { now: number; requestSeconds: number; random: () => number };

/**
 * The less loaded of two at random, which is nearly as good as the least loaded of all and does not send every gateway
 * to the same one. Replicas that failed are left out for a time, unless all of them did.
 */
export function choose<C extends Candidate>(
  candidates: readonly C[],
  circumstances: Circumstances,
): C | undefined {
  const { now, random } = circumstances;
  const able = candidates.filter(({ ejectedUntil }) => ejectedUntil <= now);
  const among = able.length > 0 ? able : candidates;
  const first = Math.floor(random() * among.length);
  if (among.length <= 1) return among[0];
  const second = (first + 1 + Math.floor(random() * (among.length - 1))) % among.length;
  const [one, other] = [among[first]!, among[second]!];
  return isBusier(one, other, circumstances) ? other : one;
}

/** By the queues of both where both are known, else by this gateway's own requests in them. */
function isBusier(one: Candidate, other: Candidate, circumstances: Circumstances): boolean {
  const [first, second] = [secondsLeft(one, circumstances), secondsLeft(other, circumstances)];
  if (first === undefined || second === undefined || first === second) return one.load > other.load;
  return first > second;
}

/**
 * What others have sent since is not known, nor what was drawn: about as much, while a replica is busy. Example: 3 s were
 * queued, and two requests of half a second were sent since: 3 + 2 x 0.5 = 4 s.
 */
function secondsLeft({ queue }: Candidate, { now, requestSeconds }: Circumstances): number | undefined {
  if (queue === undefined || now - queue.at > QUEUE_FRESH_MS) return undefined;
  return queue.seconds + queue.since * requestSeconds;
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
