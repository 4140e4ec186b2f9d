import { CHILDREN_READY, EXPOSED, GATEWAY_READY, QUALITY_MAINTAINED, REASONS } from '../api/conditions';
import type { SparseInferenceService, SparseInferenceServiceStatus } from '../api/types';
import { findCondition, isTrue, type Condition } from '../kube/conditions';
import type { EventType } from '../runtime/events';
import { identityOf } from './model';

export type Transition = { type: EventType; reason: string; message: string };

/** Conditions whose turning False is a warning. A reason makes one event, from the first condition that has it. */
const TROUBLES = [
  'ModelReady',
  'QualityGatePassed',
  'DeploymentReady',
  'UpToDate',
  'ScalingActive',
  CHILDREN_READY,
  EXPOSED,
  GATEWAY_READY,
  QUALITY_MAINTAINED,
];
/** Reasons of a False condition that somebody wanted. */
const CHOSEN: readonly string[] = [REASONS.replicasGiven, REASONS.scaledToZero];

/** The events for a change of status: none while nothing changes for the user. */
export function transitions(
  { status: before }: SparseInferenceService,
  after: SparseInferenceServiceStatus,
): Transition[] {
  return [
    ...newTroubles(before, after),
    ...canarySteps(before, after),
    ...newWanted(before, after),
    ...newModel(before, after),
    ...newReadiness(before, after),
    ...olderImage(before, after),
  ];
}

type Status = SparseInferenceServiceStatus;

function newTroubles(before: Status | undefined, after: Status): Transition[] {
  const told = new Set<string>();
  return TROUBLES.flatMap((type) => {
    const now = findCondition(after.conditions, type);
    const was = findCondition(before?.conditions, type);
    if (now?.status !== 'False' || CHOSEN.includes(now.reason) || told.has(now.reason)) return [];
    told.add(now.reason);
    if (was?.status === 'False' && was.reason === now.reason) return [];
    return [{ type: 'Warning' as const, reason: now.reason, message: now.message }];
  });
}

type Rollout = NonNullable<Status['rollout']>;

/** Reasons of a canary's events; that it is rolled back appears among the troubles instead. */
const CANARY_REASONS: Partial<Record<Rollout['phase'], string>> = {
  Progressing: 'CanaryStep',
  Promoting: 'CanaryPassed',
  Finishing: 'CanaryEnds',
  Withdrawing: 'CanaryWithdrawn',
  Complete: 'CanaryEnded',
};

/** An event for each phase and each weight of a canary. */
function canarySteps(before: Status | undefined, { rollout: now }: Status): Transition[] {
  const was = before?.rollout;
  if (now === undefined || !isOfCanary(was, now) || placeOf(was) === placeOf(now)) return [];
  const reason = now.phase === 'Progressing' && now.step === 0 ? 'CanaryStarted' : CANARY_REASONS[now.phase];
  return reason === undefined ? [] : [{ type: 'Normal', reason, message: now.message }];
}

function isOfCanary(was: Rollout | undefined, now: Rollout): boolean {
  return now.phase === 'Complete' ? was?.step !== undefined : now.step !== undefined;
}

/** What changes with each step, but not with the weight that follows the pods while they are replaced. */
function placeOf(rollout: Rollout | undefined): string {
  if (rollout === undefined) return '';
  const { phase, revision, step, weightPercent, since } = rollout;
  return [phase, revision, step, since, phase === 'Progressing' ? weightPercent : ''].join();
}

/** A model that the gate refused appears among the troubles instead. */
function newWanted(before: Status | undefined, { wanted, conditions }: Status): Transition[] {
  if (wanted?.uri === undefined || !isTrue(conditions, 'QualityGatePassed')) return [];
  if ([before?.wanted, before?.model].some((known) => identityOf(known) === identityOf(wanted))) return [];
  return [
    { type: 'Normal', reason: 'ModelChosen', message: `The model at ${wanted.uri} is chosen to be served.` },
  ];
}

function newModel(before: Status | undefined, { model }: Status): Transition[] {
  if (model?.uri === undefined || identityOf(model) === identityOf(before?.model)) return [];
  const former = before?.model?.uri;
  const instead = former === undefined ? '' : ` instead of the one at ${former}`;
  return [{ type: 'Normal', reason: 'ModelServed', message: `Serves the model at ${model.uri}${instead}.` }];
}

function newReadiness(before: Status | undefined, after: Status): Transition[] {
  const now = findCondition(after.conditions, 'Ready');
  const was = findCondition(before?.conditions, 'Ready');
  if (now === undefined || (was?.status === now.status && was.reason === now.reason)) return [];
  if (now.status === 'True') return [isWake(was, now) ? awake(after) : answers(now, after)];
  return was?.status === 'True' ? [notServing(now)] : [];
}

const SLEEPS: readonly string[] = [REASONS.asleep, REASONS.waking];

function isWake(was: Condition | undefined, now: Condition): boolean {
  return was !== undefined && SLEEPS.includes(was.reason) && now.reason === REASONS.serving;
}

function awake({ url = '', traffic }: Status): Transition {
  const after = traffic?.wakeSeconds === undefined ? '' : ` after ${traffic.wakeSeconds} s`;
  return { type: 'Normal', reason: 'Awake', message: `Awake${after}: serves at ${url}.` };
}

function answers({ reason, message }: Condition, { url = '' }: Status): Transition {
  if (reason !== 'Serving') return { type: 'Normal', reason, message };
  return { type: 'Normal', reason: 'Ready', message: `Serves at ${url}.` };
}

function notServing({ message }: Condition): Transition {
  return { type: 'Warning', reason: 'NotServing', message: `No replica serves any more. ${message}` };
}

function olderImage(before: Status | undefined, after: Status): Transition[] {
  const now = findCondition(after.conditions, 'UpToDate');
  if (now?.reason !== 'OlderImage' || findCondition(before?.conditions, 'UpToDate')?.reason === now.reason) {
    return [];
  }
  return [{ type: 'Normal', reason: now.reason, message: now.message }];
}
