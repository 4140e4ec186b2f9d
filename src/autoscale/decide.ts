/**
 * How many replicas a service gets. Pure: everything is in the arguments, and time is one of them.
 *
 * 1. The load of the replicas, as a mean over STABLE_SECONDS, and the target give a recommendation. More is given at
 *    once; less only once every recommendation of scaleDownStabilizationSeconds was less.
 * 2. A burst, where the mean over PANIC_SECONDS needs panicPercent of the replicas that serve, is answered from that
 *    mean: a panic. While it lasts, and for STABLE_SECONDS after, no replica is taken; what it recommended then counts
 *    in the window of 1, so that its end takes none at once either.
 * 3. A replica without a fresh report (it loads, or is silent) counts as empty where the others need more replicas, and
 *    as just at its target where they need fewer, as the HorizontalPodAutoscaler counts them. So it can never be the
 *    reason for a change. Without any fresh report, what is there stays.
 * 4. To zero only where minReplicas is 0, all replicas report, and no request was in any of them for idleSeconds.
 */
import type { ScalingConfig } from './config';
import { explain, type Numbers, type Outcome } from './explain';
import { isIdle, replicasFor, sumOf, type Load } from './load';
import { append, highest, meanOf, recommend, type Measured, type Recommended } from './window';

export type ScalingState = {
  /** Loads of the last STABLE_SECONDS. */
  measured: readonly Measured[];
  /** Recommendations that can still be the highest of the window. */
  recommended: readonly Recommended[];
  /** When the panic ends unless it is renewed; undefined without one. */
  panicUntil: number | undefined;
  /** When a request was last in any replica. */
  activeAt: number;
};

export type Sample = {
  /** Replicas as they were last set. */
  present: number;
  /** The live pods, each with its last report. */
  pods: readonly { report?: { at: number; load: Load } | undefined }[];
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

/** The state of an autoscaler that starts: its window begins with what is there, and it knows of no idleness. */
export function initialState(present: number, now: number): ScalingState {
  return {
    measured: [],
    recommended: [{ at: now, replicas: present }],
    panicUntil: undefined,
    activeAt: now,
  };
}

export function decide(config: ScalingConfig, state: ScalingState, sample: Sample, now: number): Decision {
  const { present, pods } = sample;
  const fresh = pods.flatMap(({ report }) =>
    report !== undefined && now - report.at <= STALE_SECONDS * 1000 ? [report.load] : [],
  );
  const silent = pods.length - fresh.length;
  const total = sumOf(fresh);
  const activeAt = silent > 0 || fresh.length === 0 || !isIdle(total) ? now : state.activeAt;
  const numbers = { ...total, fresh: fresh.length, silent, present };
  if (fresh.length === 0) return hold(config, { ...state, activeAt }, numbers, now);
  const measured = append(state.measured, { at: now, load: total }, STABLE_SECONDS * 1000);
  return weigh(config, { ...state, measured, activeAt }, numbers, now);
}

/** Without a report there is no recommendation. What is there counts as one, so that the window stays full. */
function hold(config: ScalingConfig, state: ScalingState, numbers: Numbers, now: number): Decision {
  const { present } = numbers;
  const asleep = present === 0 && config.minReplicas === 0;
  const replicas = asleep ? 0 : bounded(config, present);
  const recommended = recommend(state.recommended, { at: now, replicas: present }, windowMs(config));
  const outcome = asleep ? 'asleep' : 'noReports';
  return conclude(config, numbers, {
    replicas,
    outcome,
    needed: undefined,
    state: { ...state, recommended },
  });
}

function weigh(config: ScalingConfig, state: ScalingState, numbers: Numbers, now: number): Decision {
  const { present, fresh, silent } = numbers;
  const burst = replicasFor(config.target, meanOf(state.measured, PANIC_SECONDS * 1000));
  const renewed = burst * 100 >= config.panicPercent * fresh;
  const panicUntil = renewed ? now + STABLE_SECONDS * 1000 : state.panicUntil;
  const panics = panicUntil !== undefined && now < panicUntil;
  const stable = replicasFor(config.target, meanOf(state.measured, STABLE_SECONDS * 1000));
  const wanted = recommendation(panics ? Math.max(stable, burst) : stable, present, silent);
  const recommended = recommend(state.recommended, { at: now, replicas: wanted }, windowMs(config));
  const next = { ...state, recommended, panicUntil: panics ? panicUntil : undefined };
  const result = { state: next, needed: stable };
  if (isAsleep(config, state, now)) {
    return conclude(config, numbers, { ...result, replicas: 0, outcome: 'idle' });
  }
  const floor = panics ? present : Math.min(present, highest(recommended));
  const replicas = bounded(config, Math.max(wanted, floor));
  const outcome = outcomeOf(config, { recommended, wanted, replicas, present, panics });
  return conclude(config, numbers, { ...result, replicas, outcome });
}

/** Rule 3: replicas that do not report change the result only towards what is there. */
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
