/** Where a rollout stands: all of it lies in the status, so that any operator goes on from there. */
import type { Strategy } from './config';

/**
 * Progressing: pods of the new version start, or the canary walks its steps. Promoting: the canary passed, and the
 * Deployment of the version that serves gets its template. Finishing: that Deployment has arrived, and the canary goes.
 * RollingBack: the canary failed, gets no requests and goes; then RolledBack. Withdrawing: the spec asks for something
 * else in the meantime, and the canary goes. Complete: the version serves alone.
 */
export type RolloutPhase =
  'Progressing' | 'Promoting' | 'Finishing' | 'RollingBack' | 'RolledBack' | 'Withdrawing' | 'Complete';

/** What gateways counted of one version's requests since the step began, in whole numbers. */
export type Count = {
  requests: number;
  failed: number;
  answered: number;
  /** Sum of the times until the answers. */
  answerMilliseconds: number;
};

export type StepCount = { canary: Count; stable: Count };

export type RolloutState = {
  strategy: Strategy;
  phase: RolloutPhase;
  /** The version that comes, or that was refused. */
  revision: string;
  /** The version that served when it began. */
  from?: string | undefined;
  /** From 1; 0 while the canary's first pods start. Present for a canary. */
  step?: number | undefined;
  /** The canary's part of the requests. */
  weightPercent?: number | undefined;
  /** RFC 3339: begin of the phase, or of the step's weight. */
  since: string;
  message: string;
  /** Since the canary's step began; an operator that starts counts on from here. */
  counted?: StepCount | undefined;
  /** Digest of the steps and bounds that the canary walks. */
  canaryDigest?: string | undefined;
};

const CANARY_PHASES: readonly RolloutPhase[] = ['Promoting', 'Finishing', 'RollingBack', 'Withdrawing'];

/** Whether a canary's Deployment may exist. */
export function isCanaryOpen(state: RolloutState | undefined): state is RolloutState {
  if (state === undefined) return false;
  return CANARY_PHASES.includes(state.phase) || (state.phase === 'Progressing' && state.step !== undefined);
}
