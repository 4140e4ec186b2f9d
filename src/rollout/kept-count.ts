/** What the status holds of a step's figures, so that an operator that starts counts on. */
import type { Figures, VersionFigures } from './judge';
import type { Count, StepCount } from './state';

/** Growth of the number of requests after which it is written again: a step of 1,000 requests costs some 30 writes. */
const GROWTH = 1.25;

/** What is stored, or the figures where there are a quarter more of them: a restart forgets no more than that. */
export function keptCount(
  stored: StepCount | undefined,
  figures: Figures | undefined,
): StepCount | undefined {
  if (figures === undefined) return stored;
  const now = { canary: countOf(figures.canary), stable: countOf(figures.stable) };
  const isMore = requestsIn(now) > 0 && requestsIn(now) >= GROWTH * requestsIn(stored);
  return isMore ? now : stored;
}

function requestsIn(count: StepCount | undefined): number {
  return count === undefined ? 0 : count.canary.requests + count.stable.requests;
}

function countOf({ requests, failed, answered, latencySeconds = 0 }: VersionFigures): Count {
  return { requests, failed, answered, answerMilliseconds: Math.round(1000 * latencySeconds * answered) };
}
