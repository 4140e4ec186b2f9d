import type { ServedModel, SparseInferenceService, SparseInferenceServiceStatus } from '../api/types';
import { findCondition, isTrue } from '../kube/conditions';
import type { EventType } from '../runtime/events';

export type Transition = { type: EventType; reason: string; message: string };

/** Conditions whose turning False is a warning. */
const TROUBLES = ['ModelReady', 'QualityGatePassed', 'DeploymentReady'];

/** The events that a change of status is worth: none while nothing changes for a person. */
export function transitions(
  { status: before }: SparseInferenceService,
  after: SparseInferenceServiceStatus,
): Transition[] {
  return [...newTroubles(before, after), ...newModel(before, after), ...newReadiness(before, after)];
}

type Status = SparseInferenceServiceStatus;

function newTroubles(before: Status | undefined, after: Status): Transition[] {
  return TROUBLES.flatMap((type) => {
    const now = findCondition(after.conditions, type);
    const was = findCondition(before?.conditions, type);
    if (now?.status !== 'False' || (was?.status === 'False' && was.reason === now.reason)) return [];
    return [{ type: 'Warning' as const, reason: now.reason, message: now.message }];
  });
}

/** What makes a model another one; a digest that a server reports later does not. */
function identity(model: ServedModel | undefined): string {
  return `${model?.uri ?? ''} ${model?.finetune?.uid ?? ''}`;
}

function newModel(before: Status | undefined, { model }: Status): Transition[] {
  if (model?.uri === undefined || identity(model) === identity(before?.model)) return [];
  return [{ type: 'Normal', reason: 'ModelChosen', message: `Serves the model at ${model.uri}.` }];
}

function newReadiness(before: Status | undefined, after: Status): Transition[] {
  if (!isTrue(after.conditions, 'Ready') || isTrue(before?.conditions, 'Ready')) return [];
  return [{ type: 'Normal', reason: 'Ready', message: `Serves at ${after.url ?? ''}.` }];
}
