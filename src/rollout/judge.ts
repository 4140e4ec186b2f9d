/** Whether a canary does as well as the version that serves. */
import type { Analysis } from './config';
import { fails, passes, waits, type Judgement } from './judgement';
import { judgeQuality, type Qualities } from './quality';

/** What was measured of one version's requests since the step began. */
export type VersionFigures = {
  requests: number;
  /** Those of them that the version failed, which a wrong request of the client is not. */
  failed: number;
  answered: number;
  /** Mean time until the answer, in seconds; undefined without an answer. */
  latencySeconds?: number | undefined;
};

export type Figures = { canary: VersionFigures; stable: VersionFigures; quality?: Qualities | undefined };

/**
 * The canary fails as soon as one bound is certain to be exceeded, and passes when each is kept and `minRequests` have
 * come. `weightPercent`: its part of the requests; with 100 nothing is left to compare it with.
 *
 * Example: with maxErrorRatePercent 5 and minRequests 20, two failures of the first two requests are 2 of 20 at best,
 * 10 %, so the canary fails without the other 18.
 */
export function judge(analysis: Analysis, figures: Figures, weightPercent: number): Judgement {
  const errors = judgeErrors(analysis, figures);
  const quality = judgeQuality(analysis.maxDistanceIncreasePercent, figures.quality ?? {});
  const broken = [errors, ...quality].find(({ outcome }) => outcome === 'fails');
  if (broken !== undefined) return broken;
  const { requests } = figures.canary;
  const { minRequests } = analysis;
  if (requests < minRequests) {
    return waits(`Waits for requests: ${requests} of the ${minRequests} of minRequests have reached it.`);
  }
  const all = [errors, ...judgeLatency(analysis, figures, weightPercent), ...quality];
  const worst =
    all.find(({ outcome }) => outcome === 'fails') ?? all.find(({ outcome }) => outcome === 'waits');
  return worst ?? passes(all.map(({ message }) => message).join(' '));
}

function judgeErrors({ maxErrorRatePercent: most, minRequests }: Analysis, figures: Figures): Judgement {
  const { canary, stable } = figures;
  const atBest = percent(canary.failed, Math.max(canary.requests, minRequests));
  const said = `${canary.failed} of its ${canary.requests} requests failed (${rate(canary)}, bound ${most} %), and ${stable.failed} of ${stable.requests} of the version that serves (${rate(stable)}).`;
  if (atBest <= most) return passes(said);
  // A fault that both have is not the canary's.
  const isCommon = stable.requests >= Math.max(minRequests, 1) && errorRate(stable) >= errorRate(canary);
  return isCommon
    ? waits(`Waits, because more than ${most} % of the requests fail in both versions.`)
    : fails(said);
}

function judgeLatency(
  { maxLatencyIncreasePercent: most, minRequests }: Analysis,
  { canary, stable }: Figures,
  weightPercent: number,
): Judgement[] {
  if (most === undefined) return [];
  const { latencySeconds: now } = canary;
  const { latencySeconds: before } = stable;
  if (now === undefined) return [waits('Waits for its first answer, to judge its latency.')];
  if (before === undefined || before <= 0 || stable.requests < minRequests) {
    if (weightPercent >= 100) return [];
    const message = `Waits for requests to the version that serves, ${minRequests} in this step, to compare its latency with.`;
    return [waits(message)];
  }
  const more = increase(now, before);
  const message = `Its mean latency is ${seconds(now)}, ${signed(more)} against ${seconds(before)} (bound +${most} %).`;
  return [more > most ? fails(message) : passes(message)];
}

function increase(now: number, before: number): number {
  return 100 * (now / before - 1);
}

function errorRate({ failed, requests }: VersionFigures): number {
  return percent(failed, requests);
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole;
}

const rate = (figures: VersionFigures) => `${figure(errorRate(figures))} %`;
const seconds = (value: number) => `${figure(value)} s`;
const signed = (value: number) => `${value < 0 ? '' : '+'}${figure(value)} %`;

/** Three significant digits. */
function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}
