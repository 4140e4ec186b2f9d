/** The state machine of rollouts: pure, and each step of it follows from the status and what is observed. */
import { timestamp } from '../kube/conditions';
import type { CanaryConfig, Strategy } from './config';
import { judge, type Figures } from './judge';
import { keptCount } from './kept-count';
import type { Qualities } from './quality';
import { isCanaryOpen, type RolloutPhase, type RolloutState } from './state';

/** The Deployment that serves. */
export type Stable = {
  /** Of its template. */
  revision: string;
  /** Pods that it should have. */
  replicas: number;
  available: number;
  /** Only pods of its template are left. */
  alone: boolean;
  /** Its template serves, and no earlier one does. */
  arrived: boolean;
  /** Its rollout exceeded the progress deadline. */
  late: boolean;
};

/** The canary's Deployment. */
export type Canary = {
  revision: string;
  available: number;
  /** Since when it lacks pods, in milliseconds since the epoch. */
  unavailableSince?: number | undefined;
  /** Since when it has them. */
  availableSince?: number | undefined;
};

export type Sample = {
  /** The revision that the spec asks for; undefined while there is none that may be served. */
  wanted: string | undefined;
  /** Undefined while nothing was deployed. */
  stable: Stable | undefined;
  canary: Canary | undefined;
  /** Revisions of the canary's pods that are not ending. */
  canaryPods: readonly string[];
  /** Whether requests go through the gateway, which alone can divide them. */
  divided: boolean;
  /** Since when they do not, in milliseconds since the epoch; undefined where that is not known. */
  undividedSince?: number | undefined;
  /** Why no gateway can be relied on. */
  gatewayTrouble?: string | undefined;
  /** Part of the ready pods that are of the wanted revision, in per cent. */
  sharePercent: number;
  /** Undefined while no gateway has reported since the step began. */
  figures?: Figures | undefined;
  /** What servers measured of their images. */
  quality?: Qualities | undefined;
  /** Why the canary's pods are not ready. */
  trouble?: string | undefined;
};

export type Config = { strategy: Strategy; canary: CanaryConfig | undefined };

export type Decision = {
  state: RolloutState | undefined;
  /** Whether the Deployment that serves gets the wanted template; otherwise it keeps the one that it has. */
  rolls: boolean;
  /** The canary's Deployment that should be there, with undefined replicas for those that it has; undefined for none. */
  canary: { revision: string; replicas: number | undefined } | undefined;
  /** How the gateway divides the requests. */
  traffic: { revision: string; weightPercent: number } | undefined;
  /** No canary begins, because there is no gateway; the state's message has the remedy. */
  isRefused: boolean;
  /** Milliseconds until something is due that no watch reports. */
  againMs?: number | undefined;
};

/** Looks at a step's figures at least this often. */
const LOOK_AGAIN_MS = 2_000;

/**
 * The next state, and what the children should be. The steps that can't be undone (a new template for what serves, the
 * canary's end) follow from the state that is stored, so that an operator that ends in between repeats them.
 */
export function advance(
  config: Config,
  stored: RolloutState | undefined,
  sample: Sample,
  now: Date,
): Decision {
  const state = isCanaryOpen(stored)
    ? advanceCanary(config, stored, sample, now)
    : begin(config, stored, sample, now);
  return {
    state,
    rolls: rolls(stored, state, sample),
    canary: canaryOf(config.canary, stored, state, sample),
    traffic: trafficOf(state),
    isRefused: isRefused(state, sample),
    againMs: againMs(config, state, now),
  };
}

/** A step counts from nothing. */
function enter(
  { counted: _, ...state }: RolloutState,
  phase: RolloutPhase,
  message: string,
  now: Date,
): RolloutState {
  return { ...state, phase, message, since: timestamp(now) };
}

/** Without a canary under way. */
function begin(
  config: Config,
  stored: RolloutState | undefined,
  sample: Sample,
  now: Date,
): RolloutState | undefined {
  const { wanted, stable } = sample;
  if (wanted === undefined) return stored;
  const { canary } = config;
  if (canary === undefined || stable === undefined || stable.revision === wanted || !comparable(stable)) {
    return plainly(config.strategy, stored, sample, now);
  }
  if (stored?.phase === 'RolledBack' && isSame(stored, wanted, canary)) return stored;
  return beginCanary(canary, stored, { ...sample, stable, wanted }, now);
}

/** A canary is compared with what serves, and a rollout that is stuck must not keep back the one that mends it. */
function comparable({ available, alone, late, replicas }: Stable): boolean {
  return replicas > 0 && available > 0 && (alone || !late);
}

function beginCanary(
  { digest }: CanaryConfig,
  stored: RolloutState | undefined,
  { wanted, stable, canaryPods, gatewayTrouble }: Sample & { wanted: string; stable: Stable },
  now: Date,
): RolloutState {
  const state: RolloutState = {
    strategy: 'Canary',
    phase: 'Progressing',
    revision: wanted,
    from: stable.revision,
    since: timestamp(now),
    message: `The canary of ${wanted} starts; ${stable.revision} serves.`,
    canaryDigest: digest,
  };
  if (gatewayTrouble !== undefined) {
    const message = `The canary of ${wanted} does not begin, because ${gatewayTrouble}. It begins when there is one. Or write strategy: RollingUpdate.`;
    return kept(stored, { ...state, message });
  }
  // Never three versions at a time.
  const isFree = stable.alone && canaryPods.every((revision) => revision === wanted);
  if (isFree) return { ...state, step: 0, weightPercent: 0 };
  const message = `The canary of ${wanted} waits until the rollout before it has ended.`;
  return kept(stored, { ...state, message });
}

function isRefused(state: RolloutState | undefined, { gatewayTrouble }: Sample): boolean {
  const isBefore =
    state?.phase === 'Progressing' && state.canaryDigest !== undefined && state.step === undefined;
  return isBefore && gatewayTrouble !== undefined;
}

function isSame({ revision, canaryDigest }: RolloutState, wanted: string, { digest }: CanaryConfig): boolean {
  return revision === wanted && canaryDigest === digest;
}

/** The Deployment controller replaces the pods. */
function plainly(
  strategy: Strategy,
  stored: RolloutState | undefined,
  sample: Sample,
  now: Date,
): RolloutState {
  const { wanted = '', stable } = sample;
  const isThere = stable?.revision === wanted;
  if (isThere && stored?.phase === 'Complete' && stored.revision === wanted) return stored;
  const since = timestamp(now);
  const state = { strategy, revision: wanted, from: formerOf(stored, sample), since };
  if (isThere && stable.arrived) return { ...state, phase: 'Complete', message: `${wanted} serves.` };
  return kept(stored, { ...state, phase: 'Progressing', message: `Pods of ${wanted} start.` });
}

function formerOf(stored: RolloutState | undefined, { wanted, stable }: Sample): string | undefined {
  const former = stored?.revision === wanted ? stored?.from : stable?.revision;
  return former === wanted ? undefined : former;
}

/** With the time at which the same state began. */
function kept(stored: RolloutState | undefined, state: RolloutState): RolloutState {
  const same =
    stored?.phase === state.phase && stored.revision === state.revision && stored.message === state.message;
  return same ? { ...state, since: stored.since } : state;
}

function advanceCanary(config: Config, stored: RolloutState, sample: Sample, now: Date): RolloutState {
  if (stored.phase === 'Progressing') return walk(config, stored, sample, now);
  if (stored.phase === 'Promoting') return promote(stored, sample, now);
  if (!isGone(sample)) return stored;
  if (stored.phase === 'RollingBack') return rolledBack(stored, now);
  if (stored.phase === 'Finishing') return complete(stored, stored.revision, now);
  return isBack(stored, sample) ? withdrawn(stored, sample, now) : stored;
}

function isGone({ canary, canaryPods }: Sample): boolean {
  return canary === undefined && canaryPods.length === 0;
}

/** What was promoted in part, and then withdrawn, has to leave as well. */
function isBack({ revision }: RolloutState, { stable, wanted }: Sample): boolean {
  return stable?.revision !== revision || stable.revision === wanted;
}

function complete(stored: RolloutState, revision: string, now: Date): RolloutState {
  const { strategy, from } = stored;
  return {
    strategy,
    phase: 'Complete',
    revision,
    from,
    since: timestamp(now),
    message: `${revision} serves.`,
  };
}

function rolledBack({ weightPercent: _, ...state }: RolloutState, now: Date): RolloutState {
  return { ...state, phase: 'RolledBack', since: timestamp(now) };
}

/** A later version than the withdrawn one starts from here. */
function withdrawn(stored: RolloutState, { stable }: Sample, now: Date): RolloutState {
  const revision = stable?.revision ?? stored.revision;
  const { strategy } = stored;
  const message = `${revision} serves; ${stored.revision} was withdrawn.`;
  return { strategy, phase: 'Complete', revision, since: timestamp(now), message };
}

function promote(stored: RolloutState, sample: Sample, now: Date): RolloutState {
  const { stable, wanted, sharePercent } = sample;
  const { revision, from } = stored;
  const hasBegun = stable?.revision === revision;
  const isRevoked = wanted !== revision && (!hasBegun || (wanted !== undefined && wanted === from));
  if (isRevoked) return withdraw(stored, sample, now);
  if (hasBegun && stable.arrived) {
    const message = `${revision} has replaced ${from ?? 'what served'}, and the canary ends.`;
    return { ...enter(stored, 'Finishing', message, now), weightPercent: 100 };
  }
  return { ...stored, weightPercent: Math.max(stored.weightPercent ?? 0, sharePercent) };
}

function withdraw(stored: RolloutState, sample: Sample, now: Date): RolloutState {
  const message = `The canary of ${stored.revision} is withdrawn: ${whyWithdrawn(stored, sample)}.`;
  return { ...enter(stored, 'Withdrawing', message, now), weightPercent: 0 };
}

function whyWithdrawn({ revision }: RolloutState, { wanted }: Sample): string {
  if (wanted === undefined) return 'its model may no longer be served';
  return wanted === revision ? 'the strategy is no longer Canary' : `the spec asks for ${wanted}`;
}

/** A step begins with the pods for its weight, then the weight is set, then it is judged. */
function walk(config: Config, stored: RolloutState, sample: Sample, now: Date): RolloutState {
  const { canary } = config;
  const { wanted, stable } = sample;
  if (canary === undefined || wanted !== stored.revision) {
    return withdraw(stored, sample, now);
  }
  if (stable?.revision === stored.revision) {
    return enter(stored, 'Promoting', `${stored.revision} replaces ${stored.from ?? 'what serves'}.`, now);
  }
  if (stored.canaryDigest !== canary.digest) {
    const message = `The canary of ${wanted} starts again, because its steps or bounds have changed.`;
    const again = enter(stored, 'Progressing', message, now);
    return { ...again, step: 0, weightPercent: 0, canaryDigest: canary.digest };
  }
  return walkStep(canary, stored, sample, now);
}

function walkStep(config: CanaryConfig, stored: RolloutState, sample: Sample, now: Date): RolloutState {
  const step = stored.step ?? 0;
  const due = config.steps[Math.max(step, 1) - 1]!;
  const needed = sizeFor(due.weight, sample.stable?.replicas ?? 0);
  const late = lateness(config, stored, sample, needed, now) ?? undivided(config, stored, sample, now);
  if (late !== undefined) return rollBack(stored, config, late, now);
  if (step === 0 || stored.weightPercent !== due.weight) return prepare(config, stored, sample, needed, now);
  if (!sample.divided) return { ...stored, message: waitsForGateway(config, stored, sample) };
  return judgeStep(config, stored, sample, now);
}

/** Pods of a canary with this weight: its part of those that serve, and at least one. */
export function sizeFor(weightPercent: number, replicas: number): number {
  return replicas === 0 ? 0 : Math.max(1, Math.ceil((weightPercent * replicas) / 100));
}

/** Why the canary is given up, when its pods are not ready in time. */
function lateness(
  { deadlineSeconds }: CanaryConfig,
  { since }: RolloutState,
  { canary, trouble }: Sample,
  needed: number,
  now: Date,
): string | undefined {
  const available = canary?.available ?? 0;
  if (available >= needed) return undefined;
  const from = Math.max(Date.parse(since), canary?.unavailableSince ?? 0);
  if (now.getTime() - from < deadlineSeconds * 1000) return undefined;
  const why = trouble === undefined ? '' : ` ${trouble}`;
  return `${available} of the ${needed} pods that it needs were ready within ${deadlineSeconds} s.${why}`;
}

/** Why a canary that is ready is given up, when the gateway has not divided the requests in time. */
function undivided(
  { deadlineSeconds }: CanaryConfig,
  { since }: RolloutState,
  { canary, divided, undividedSince, gatewayTrouble, stable }: Sample,
  now: Date,
): string | undefined {
  if (divided || undividedSince === undefined || stable?.replicas === 0) return undefined;
  const from = Math.max(Date.parse(since), undividedSince, canary?.availableSince ?? 0);
  if (now.getTime() - from < deadlineSeconds * 1000) return undefined;
  return `no requests went through the gateway, which divides them, within ${deadlineSeconds} s.${because(gatewayTrouble)}`;
}

function because(gatewayTrouble: string | undefined): string {
  return gatewayTrouble === undefined ? '' : ` The reason: ${gatewayTrouble}.`;
}

function waitsForGateway(
  { deadlineSeconds }: CanaryConfig,
  { revision }: RolloutState,
  { gatewayTrouble }: Sample,
): string {
  return `The canary of ${revision} is ready, and waits until requests go through the gateway, which divides them; after ${deadlineSeconds} s without it is rolled back.${because(gatewayTrouble)}`;
}

function rollBack(stored: RolloutState, { steps }: CanaryConfig, why: string, now: Date): RolloutState {
  const { step = 0, weightPercent = 0, revision } = stored;
  const where =
    step === 0 ? 'before its first step' : `at step ${step} of ${steps.length} (${weightPercent} %)`;
  const message = `The canary of ${revision} was rolled back ${where}: ${why}`;
  return { ...enter(stored, 'RollingBack', message, now), weightPercent: 0 };
}

function prepare(
  config: CanaryConfig,
  stored: RolloutState,
  sample: Sample,
  needed: number,
  now: Date,
): RolloutState {
  const { steps } = config;
  const { canary, divided, trouble, stable } = sample;
  const available = canary?.available ?? 0;
  const { revision } = stored;
  if (stable?.replicas === 0)
    return { ...stored, message: `The canary of ${revision} sleeps with the service.` };
  if (available < needed) {
    const why = trouble === undefined ? '' : ` ${trouble}`;
    return {
      ...stored,
      message: `${available} of the ${needed} pods of the canary of ${revision} are ready.${why}`,
    };
  }
  if (!divided) return { ...stored, message: waitsForGateway(config, stored, sample) };
  const step = Math.max(stored.step ?? 0, 1);
  const { weight } = steps[step - 1]!;
  const message = `The canary of ${revision} gets ${weight} % of the requests, in step ${step} of ${steps.length}.`;
  return { ...enter(stored, 'Progressing', message, now), step, weightPercent: weight };
}

const NONE = { requests: 0, failed: 0, answered: 0 };
const NO_FIGURES: Figures = { canary: NONE, stable: NONE };

function judgeStep(config: CanaryConfig, stored: RolloutState, sample: Sample, now: Date): RolloutState {
  const { steps, analysis } = config;
  const { step = 1, weightPercent = 0, revision } = stored;
  const { outcome, message, isStuck } = judge(
    analysis,
    { ...(sample.figures ?? NO_FIGURES), quality: sample.quality },
    weightPercent,
  );
  if (outcome === 'fails') return rollBack(stored, config, message, now);
  const at = `The canary of ${revision} gets ${weightPercent} % of the requests, in step ${step} of ${steps.length}.`;
  const same = { ...stored, counted: keptCount(stored.counted, sample.figures) };
  if (now.getTime() < holdsUntil(steps[step - 1]!, stored)) return { ...same, message: at };
  if (outcome === 'waits') {
    const waiting = { ...same, message: `${at} ${message}` };
    return isStuck ? waitInVain(config, waiting, message, now) : waiting;
  }
  if (step < steps.length) {
    const passed = `The canary of ${revision} passed step ${step} of ${steps.length} (${weightPercent} %). ${message}`;
    return { ...enter(stored, 'Progressing', passed, now), step: step + 1 };
  }
  const passed = `The canary of ${revision} passed its last step (${weightPercent} %), and its version replaces ${stored.from ?? 'what serves'}. ${message}`;
  return enter(stored, 'Promoting', passed, now);
}

/** A wait that nothing will end has the time that pods have to be ready. */
function waitInVain(config: CanaryConfig, stored: RolloutState, message: string, now: Date): RolloutState {
  const { steps, deadlineSeconds } = config;
  const overAt = holdsUntil(steps[(stored.step ?? 1) - 1]!, stored) + deadlineSeconds * 1000;
  if (now.getTime() < overAt) {
    return { ...stored, message: `${stored.message} After ${deadlineSeconds} s without it is rolled back.` };
  }
  const why = `nothing had come within ${deadlineSeconds} s to judge its images by. ${message}`;
  return rollBack(stored, config, why, now);
}

function holdsUntil({ holdSeconds }: { holdSeconds: number }, { since }: RolloutState): number {
  return Date.parse(since) + holdSeconds * 1000;
}

/** Whether the template of what serves may change to the wanted one. */
function rolls(
  stored: RolloutState | undefined,
  state: RolloutState | undefined,
  { wanted }: Sample,
): boolean {
  if (wanted === undefined || state === undefined) return false;
  if (state.phase === 'Withdrawing') return stored?.phase === 'Withdrawing' && wanted === state.from;
  if (state.phase === 'Promoting') return stored?.phase === 'Promoting' && wanted === state.revision;
  return state.canaryDigest === undefined && state.revision === wanted;
}

function canaryOf(
  config: CanaryConfig | undefined,
  stored: RolloutState | undefined,
  state: RolloutState | undefined,
  { stable, canary }: Sample,
): Decision['canary'] {
  if (!isCanaryOpen(state)) return undefined;
  const { phase, revision } = state;
  if (phase === 'Progressing') {
    return { revision, replicas: sizeFor(weightDue(config, state), stable?.replicas ?? 0) };
  }
  // The gateway must have been told that the canary gets no more requests, or that all others are of its version.
  const mayLeave = phase !== 'Promoting' && stored?.phase === phase;
  // What passed its last step keeps its pods until the others are there.
  return canary === undefined || mayLeave ? undefined : { revision: canary.revision, replicas: undefined };
}

/** The weight of the step, for which the pods have to be there first. */
function weightDue(config: CanaryConfig | undefined, { step = 0 }: RolloutState): number {
  return config?.steps[Math.max(step, 1) - 1]?.weight ?? 0;
}

function trafficOf(state: RolloutState | undefined): Decision['traffic'] {
  if (!isCanaryOpen(state)) return undefined;
  return { revision: state.revision, weightPercent: state.weightPercent ?? 0 };
}

function againMs({ canary }: Config, state: RolloutState | undefined, now: Date): number | undefined {
  if (canary === undefined || state?.phase !== 'Progressing' || state.step === undefined) return undefined;
  const step = canary.steps[Math.max(state.step, 1) - 1];
  const leftMs = step === undefined ? 0 : holdsUntil(step, state) - now.getTime();
  return leftMs > 0 ? Math.min(leftMs, LOOK_AGAIN_MS) : LOOK_AGAIN_MS;
}
