/** The part of spec.qualityGate that only servers can judge: a speed-up, and the manifest of a model given by its URI. */
import { REASONS } from '../api/conditions';
import type { QualityGate, ServedModel, SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { stableStringify } from '../kube/patch';
import { plain } from './report';

/**
 * The part of the gate that servers judge; undefined where they judge nothing. The distance of a SparseFinetune's model
 * is judged by the operator.
 */
export function boundsOfServer(
  gate: QualityGate | undefined,
  { finetune }: Pick<ServedModel, 'finetune'>,
): Partial<QualityGate> | undefined {
  const { minSpeedup, onSlow, maxFidIncrease, maxFidIncreasePercent } = gate ?? {};
  const bounds = {
    ...(minSpeedup === undefined ? {} : { minSpeedup, ...(onSlow === undefined ? {} : { onSlow }) }),
    ...(finetune !== undefined || maxFidIncrease === undefined ? {} : { maxFidIncrease }),
    ...(finetune !== undefined || maxFidIncreasePercent === undefined ? {} : { maxFidIncreasePercent }),
  };
  return Object.keys(bounds).length === 0 ? undefined : bounds;
}

/** These bounds as a server gets them, and repeats them in its report. */
export function serverBounds(
  gate: QualityGate | undefined,
  model: Pick<ServedModel, 'finetune'>,
): string | undefined {
  const bounds = boundsOfServer(gate, model);
  return bounds && stableStringify(bounds);
}

/** What servers found of this model under these bounds; undefined where they judge nothing. */
export function judgedByServer(
  { spec, status }: SparseInferenceService,
  model: ServedModel,
): Verdict | undefined {
  const bounds = serverBounds(spec.qualityGate, model);
  if (bounds === undefined) return undefined;
  const found = status?.gate;
  if (found === undefined || found.bounds !== bounds || found.uri !== plain(model.uri)) {
    return unknown(REASONS.notMeasured, 'The server judges the model by qualityGate when it starts.');
  }
  return found.passed ? yes(found.reason, found.message) : no(found.reason, found.message);
}
