/** Why there are that many replicas, in a sentence with the numbers. */
import type { ScalingConfig } from './config';
import { figureOf, UTILIZATION, type Load } from './load';

/**
 * What a decision did and why: more replicas (`up`, or `burst` in a panic), fewer (`down`, `idle`), or as many as there
 * are, because they fit (`steady`), more are not allowed (`atMaximum`), fewer would do but not for long enough
 * (`stabilizing`, or `panic` after a burst), or nothing is known (`noReports`). Around zero: `fallingAsleep` until the
 * next request will find a gateway, `idle`, `asleep`, `waking`.
 */
export type Outcome =
  | 'up'
  | 'burst'
  | 'down'
  | 'idle'
  | 'steady'
  | 'atMaximum'
  | 'stabilizing'
  | 'panic'
  | 'noReports'
  | 'fallingAsleep'
  | 'waking'
  | 'asleep';

/**
 * The total load of the replicas that report, and the numbers of those that do, of those that are ready and do not, of
 * those that are not ready, of replicas as set, and of requests that gateways hold.
 */
export type Numbers = Load & {
  fresh: number;
  silent: number;
  loading: number;
  present: number;
  held: number;
};

export function explain(config: ScalingConfig, numbers: Numbers, replicas: number, outcome: Outcome): string {
  if (outcome === 'asleep') return 'No replica runs and no request waits.';
  if (outcome === 'waking') return waking(numbers, replicas);
  if (outcome === 'noReports') return withoutReports(config, numbers, replicas);
  const does = doing(config, numbers, replicas, outcome);
  const silent = numbers.silent === 0 ? '' : ` ${withoutReport(numbers.silent)}, which changes nothing.`;
  const loading = numbers.loading === 0 ? '' : ` ${notReady(numbers.loading)}.`;
  return `${does}: ${loadIn(config, numbers)}.${silent}${loading}`;
}

function doing(config: ScalingConfig, { present }: Numbers, replicas: number, outcome: Outcome): string {
  const sentences = {
    up: `Scales from ${present} to ${replicas}`,
    burst: `Scales from ${present} to ${replicas} in a burst`,
    down: `Scales from ${present} to ${replicas}`,
    idle: `Scales from ${present} to 0 after ${config.idleSeconds} s without a request`,
    fallingAsleep: `${counted(replicas)}; no request came for ${config.idleSeconds} s, and the service sleeps as soon as the next one will reach the gateway`,
    steady: `${counted(replicas)} as needed`,
    atMaximum: `The load needs, or has just needed, more than maxReplicas, ${replicas}`,
    stabilizing: `${counted(replicas)}, more than now needed, until fewer have been enough for ${config.scaleDownStabilizationSeconds} s`,
    panic: `${counted(replicas)}, none of them to be taken just after a burst`,
  };
  return sentences[outcome as keyof typeof sentences];
}

function waking({ held, present }: Numbers, replicas: number): string {
  const requests = held === 1 ? '1 request waits' : `${held} requests wait`;
  return `Scales from ${present} to ${replicas}, because ${requests} in the gateway.`;
}

function withoutReports(
  config: ScalingConfig,
  { silent, loading, present }: Numbers,
  replicas: number,
): string {
  if (replicas !== present) {
    return `Scales from ${present} to ${replicas}, which minReplicas and maxReplicas allow; no replica has reported its load.`;
  }
  const who = silent + loading === 0 ? 'There is no pod yet' : `No replica has reported its load`;
  return `${who}: the number of replicas stays ${replicas}.`;
}

/** The present figures; the decision takes their means. */
function loadIn({ target }: ScalingConfig, numbers: Numbers): string {
  const figure = decimal(figureOf(target, numbers));
  const value = decimal(target.value);
  const arrives = `${decimal(numbers.offeredLoad)} s of denoising arrive in a second, of ${UTILIZATION} s that a replica should draw`;
  switch (target.figure) {
    case 'concurrency':
      return `${figure} requests are in the replicas, with a target of ${value} in each`;
    case 'queuedImages':
      return `${figure} images wait, with a target of ${value} in a replica; ${arrives}`;
    case 'denoisingSeconds':
      return `${figure} s of denoising wait, with a target of ${value} s in a replica; ${arrives}`;
  }
}

function withoutReport(count: number): string {
  return count === 1 ? '1 replica has no fresh report' : `${count} replicas have no fresh report`;
}

function notReady(count: number): string {
  return count === 1
    ? '1 replica is not ready and gets no load'
    : `${count} replicas are not ready and get no load`;
}

function counted(replicas: number): string {
  return replicas === 1 ? '1 replica runs' : `${replicas} replicas run`;
}

/** At most two decimals: 2, 0.5, 12.34. */
function decimal(value: number): string {
  return String(Number(value.toFixed(2)));
}
