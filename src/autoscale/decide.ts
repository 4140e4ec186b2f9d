/**
 * How many replicas a service gets. Pure: everything is in the arguments, and time is one of them.
 *
 * 1. The load of the replicas, as a mean over STABLE_SECONDS, and the target give a recommendation. More is given at
 *    once; less only once every recommendation of scaleDownStabilizationSeconds was less.
 * 2. A burst, where the mean over PANIC_SECONDS needs panicPercent of the replicas that serve, is answered from that
 *    mean: a panic. While it lasts, and for STABLE_SECONDS after, no replica is taken; what it recommended then counts
 *    in the window of 1, so that its end takes none at once either.
 * 3. A ready replica without a fresh report may have any load: it counts as empty where the others need more replicas,
 *    and as just at its target where they need fewer, so that it is never the reason for a change. One that is not ready
 *    (it loads, or waits for a node) gets no requests: it counts as empty in both directions, as for the
 *    HorizontalPodAutoscaler, and goes when the others are enough for the whole window. Without any fresh report, what
 *    is there stays.
 * 4. To zero only where minReplicas is 0, all replicas are there and report, no request was in any of them or in a
 *    gateway for idleSeconds, and the next request will find a gateway.
 * 5. Without a report, requests that a gateway holds get the replicas that they need: from zero that is the wake.
 */
import type { ScalingConfig } from './config';
import { explain, type Numbers, type Outcome } from './explain';
import { isIdle, replicasFor, replicasForHeld, sumOf, type Load } from './load';
import { append, highest, meanOf, recommend, type Measured, type Recommended } from './window';

export type ScalingState = {
  /** Loads of the last STABLE_SECONDS. */
  measured: readonly Measured[];
  /** Recommendations that can still be the highest of the window. */
  recommended: readonly Recommended[];
  /** When the panic ends unless it is renewed; undefined without one. */
  panicUntil: number | undefined;
  /** When a request was last in any replica or gateway. */
  activeAt: number;
  /** Seconds of denoising that an image last needed; undefined while no image has waited. */
  imageSeconds?: number | undefined;
};

/** The requests in all gateways. */
export type GatewayLoad = {
  /** Those that wait for a replica. */
  held: number;
  /** All of them. */
  requests: number;
};

export type Sample = {
  /** Replicas as they were last set. */
  present: number;
  /** The live pods, each with whether it is ready and with its last report. */
  pods: readonly { serves: boolean; report?: { at: number; load: Load } | undefined }[];
  gateways: GatewayLoad;
  /** Whether the next request would reach a gateway if the last replica went now. */
  maySleep: boolean;
};

export type Decision = {
  replicas: number;
  state: ScalingState;
  outcome: Outcome;
  /** Replicas, with a fraction, that the load of the last STABLE_SECONDS needs; undefined without reports. */
  needed: number | undefined;
  /** A sentence with the numbers. */
  reason: string;
};

export const STABLE_SECONDS = 60;
export const PANIC_SECONDS = 6;
/** Age at which a report says nothing any more. An idle replica reports every 10 s. */
export const STALE_SECONDS = 30;
/** Deviation from the present replicas, as a part of them, that changes nothing: the HorizontalPodAutoscaler's. */
const TOLERANCE = 0.1;
/** Error of a sum of decimals, which must not cost a replica. */
const ROUNDING = 1e-9;

/** The state of an autoscaler that starts: its window begins with what is there. `activeAt`: as it was heard before. */
export function initialState(present: number, now: number, activeAt = now): ScalingState {
  return {
    measured: [],
    recommended: [{ at: now, replicas: present }],
    panicUntil: undefined,
    activeAt,
  };
}

export function decide(config: ScalingConfig, state: ScalingState, sample: Sample, now: number): Decision {
  const { present, pods, gateways, maySleep } = sample;
  const { fresh, silent, loading } = sortOut(pods, now);
  const total = sumOf(fresh);
  const isKnown = fresh.length > 0 && silent + loading === 0;
  const isActive = !isKnown || !isIdle(total) || gateways.requests > 0;
  const activeAt = isActive ? now : state.activeAt;
  const imageSeconds =
    total.queuedImages > 0 ? total.denoisingSeconds / total.queuedImages : state.imageSeconds;
  const next = { ...state, activeAt, imageSeconds };
  const numbers = { ...total, fresh: fresh.length, silent, loading, present, held: gateways.held };
  if (fresh.length === 0) return hold(config, next, numbers, now);
  const measured = append(state.measured, { at: now, load: total }, STABLE_SECONDS * 1000);
  return weigh(config, { ...next, measured }, { ...numbers, maySleep }, now);
}

type Sorted = { fresh: Load[]; silent: number; loading: number };

/** The loads of fresh reports, and the ready and unready pods without one. */
export function sortOut(pods: Sample['pods'], now: number): Sorted {
  const sorted: Sorted = { fresh: [], silent: 0, loading: 0 };
  for (const { serves, report } of pods) {
    if (report !== undefined && now - report.at <= STALE_SECONDS * 1000) sorted.fresh.push(report.load);
    else if (serves) sorted.silent++;
    else sorted.loading++;
  }
  return sorted;
}

/** Without a report there is no recommendation. What is there counts as one, so that the window stays full. */
function hold(config: ScalingConfig, state: ScalingState, numbers: Numbers, now: number): Decision {
  const { present, held } = numbers;
  const wanted = Math.max(present, replicasForHeld(config.target, held, state.imageSeconds));
  const asleep = wanted === 0 && config.minReplicas === 0;
  const replicas = asleep ? 0 : bounded(config, wanted);
  const recommended = recommend(state.recommended, { at: now, replicas }, windowMs(config));
  const outcome = held > 0 && replicas > present ? 'waking' : 'noReports';
  return conclude(config, numbers, {
    replicas,
    outcome: asleep ? 'asleep' : outcome,
    needed: undefined,
    state: { ...state, recommended },
  });
}

type Weighable = Numbers & { maySleep: boolean };

function weigh(config: ScalingConfig, state: ScalingState, numbers: Weighable, now: number): Decision {
  const { present, fresh, silent, maySleep } = numbers;
  const burst = replicasFor(config.target, meanOf(state.measured, PANIC_SECONDS * 1000));
  const renewed = burst * 100 >= config.panicPercent * fresh;
  const panicUntil = renewed ? now + STABLE_SECONDS * 1000 : state.panicUntil;
  const panics = panicUntil !== undefined && now < panicUntil;
  const stable = replicasFor(config.target, meanOf(state.measured, STABLE_SECONDS * 1000));
  const wanted = recommendation(panics ? Math.max(stable, burst) : stable, present, silent);
  const recommended = recommend(state.recommended, { at: now, replicas: wanted }, windowMs(config));
  const next = { ...state, recommended, panicUntil: panics ? panicUntil : undefined };
  const result = { state: next, needed: stable };
  const isDue = isAsleep(config, state, now);
  if (isDue && maySleep) return conclude(config, numbers, { ...result, replicas: 0, outcome: 'idle' });
  const floor = panics ? present : Math.min(present, highest(recommended));
  const replicas = bounded(config, Math.max(wanted, floor));
  const ordinary = outcomeOf(config, { recommended, wanted, replicas, present, panics });
  const outcome = isDue ? 'fallingAsleep' : ordinary;
  return conclude(config, numbers, { ...result, replicas, outcome });
}

/** Rule 3: ready replicas that do not report change the result only towards what is there. */
function recommendation(needed: number, present: number, silent: number): number {
  const more = tolerated(needed, present);
  return more >= present ? more : Math.min(present, tolerated(needed + silent, present));
}

function tolerated(needed: number, present: number): number {
  const within = Math.abs(needed - present) <= TOLERANCE * present + ROUNDING;
  return within ? present : Math.ceil(needed - ROUNDING);
}

function isAsleep(
  { minReplicas, idleSeconds }: ScalingConfig,
  { activeAt }: ScalingState,
  now: number,
): boolean {
  return minReplicas === 0 && now - activeAt >= idleSeconds * 1000;
}

/** At least one replica, except by `isAsleep`. */
function bounded({ minReplicas, maxReplicas }: ScalingConfig, replicas: number): number {
  return Math.min(maxReplicas, Math.max(minReplicas, 1, replicas));
}

function windowMs({ scaleDownStabilizationSeconds }: ScalingConfig): number {
  return scaleDownStabilizationSeconds * 1000;
}

type Weighed = {
  recommended: readonly Recommended[];
  wanted: number;
  replicas: number;
  present: number;
  panics: boolean;
};

function outcomeOf(config: ScalingConfig, weighed: Weighed): Outcome {
  const { recommended, wanted, replicas, present, panics } = weighed;
  if (replicas > present) return panics ? 'burst' : 'up';
  if (replicas < present) return 'down';
  // Of the whole window, so that a load around the maximum does not change its mind all the time.
  if (replicas === config.maxReplicas && highest(recommended) > replicas) return 'atMaximum';
  if (bounded(config, wanted) < present) return panics ? 'panic' : 'stabilizing';
  return 'steady';
}

function conclude(config: ScalingConfig, numbers: Numbers, decided: Omit<Decision, 'reason'>): Decision {
  return { ...decided, reason: explain(config, numbers, decided.replicas, decided.outcome) };
}
