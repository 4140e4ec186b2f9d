import { REASONS } from '../api/conditions';
import { judgeGate } from '../api/gate';
import { judgedByServer } from './server-gate';
import { figuresAsServed } from './served-figures';
import type { ServedModel, SparseFinetune, SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import { defined } from '../runtime/defined';
import type { Trouble } from '../workload/pod-state';

export type Resolution = {
  /** The model that the spec asks for; undefined while there is none that may be served. */
  model: ServedModel | undefined;
  /** The model that the spec asks for, also when its gate refuses it. */
  judged?: ServedModel | undefined;
  ready: Verdict;
  gate: Verdict;
  /** Why the wanted model can't arrive until a person acts. */
  stalled?: Trouble;
  /** Why a re-created finetune, which the service follows, has no model to switch to. */
  behind?: Trouble;
};

const gateUnknown = unknown(REASONS.notMeasured, 'The gate is judged when the model exists.');

function stuck(ready: Verdict, gate: Verdict, { reason, message }: Trouble): Resolution {
  return { model: undefined, ready, gate, stalled: { reason, message } };
}

/** No model can be had until a person acts. */
export function withoutModel(trouble: Trouble): Resolution {
  return stuck(no(trouble.reason, trouble.message), gateUnknown, trouble);
}

/** Identity of a model. A digest that a server reports later does not change it. */
export function identityOf(model: ServedModel | undefined): string {
  if (model?.uri === undefined) return '';
  const pin = model.pinned === true ? (model.sha256 ?? '') : '';
  return `${model.uri} ${model.finetune?.uid ?? pin}`;
}

/**
 * The model to serve. A SparseFinetune's model is pinned in the status once it has been taken: the finetune may then be
 * deleted or re-created without a change here, unless the service follows it.
 */
export function resolveModel(
  service: SparseInferenceService,
  finetune: SparseFinetune | undefined,
): Resolution {
  const { finetuneRef } = service.spec.model;
  const { wanted, model } = service.status ?? {};
  const held = [wanted, model];
  if (finetuneRef === undefined) return fromUri(service, held);
  const pinned = held.find((one) => one?.finetune?.name === finetuneRef.name);
  if (pinned === undefined) return fromFinetune(service, finetuneRef.name, finetune);
  return followed(service, pinned, finetune);
}

/** Keeps what the server reported about the model at this URI. */
function fromUri(service: SparseInferenceService, held: readonly (ServedModel | undefined)[]): Resolution {
  const { uri = '', sha256 } = service.spec.model;
  const given: ServedModel = { uri, ...(sha256 === undefined ? {} : { sha256, pinned: true }) };
  const model =
    held.find((one) => one?.finetune === undefined && identityOf(one) === identityOf(given)) ?? given;
  const ready = yes(REASONS.uriGiven, `The model is at ${uri}; the server checks it when it starts.`);
  const none = yes(REASONS.noGate, 'The service has no qualityGate, and a model given by its URI no other.');
  return withServerGate({ model, ready, gate: none }, judgedByServer(service, model));
}

/** A version that its server refuses stays the wanted one: what serves goes on, and a mended model is found. */
function withServerGate(resolution: Resolution, judged: Verdict | undefined): Resolution {
  if (judged === undefined) return resolution;
  const { gate } = resolution;
  const kept = gate.reason === REASONS.noGate ? '' : `${gate.message} `;
  const together = { ...judged, message: `${kept}${judged.message}` };
  const { status, reason, message } = together;
  return { ...resolution, gate: together, ...(status === 'False' ? { stalled: { reason, message } } : {}) };
}

function fromFinetune(
  service: SparseInferenceService,
  name: string,
  finetune: SparseFinetune | undefined,
): Resolution {
  if (finetune === undefined) {
    const message = `There is no SparseFinetune ${name} in this namespace: create it, or correct spec.model.finetuneRef.name.`;
    return { model: undefined, ready: no(REASONS.finetuneNotFound, message), gate: gateUnknown };
  }
  const succeeded = findCondition(finetune.status?.conditions, 'Succeeded');
  if (succeeded?.status === 'False') {
    const message = `SparseFinetune ${name} failed, so there is no model: ${succeeded.message}`;
    const trouble = { reason: REASONS.finetuneFailed, message };
    return stuck(no(trouble.reason, message), gateUnknown, trouble);
  }
  if (succeeded?.status !== 'True') return waiting(name, finetune);
  return judgedByFinetune(service, name, finetune);
}

/** The pinned model, or that of a re-created finetune of the same name once it may be served. */
function followed(
  service: SparseInferenceService,
  pinned: ServedModel,
  finetune: SparseFinetune | undefined,
): Resolution {
  const kept = judged(service, pinned);
  if (service.spec.model.follow !== true || finetune === undefined) return kept;
  if (finetune.metadata.uid === pinned.finetune?.uid) return kept;
  const found = fromFinetune(service, finetune.metadata.name, finetune);
  if (found.model !== undefined) return found;
  return found.stalled === undefined ? kept : { ...kept, behind: found.stalled };
}

function waiting(name: string, { status }: SparseFinetune): Resolution {
  const where = [status?.phase, status?.progress?.display].filter((part) => part !== undefined).join(', ');
  const message = `Waits until SparseFinetune ${name} has succeeded${where === '' ? '' : ` (now ${where})`}.`;
  return { model: undefined, ready: unknown(REASONS.waitingForFinetune, message), gate: gateUnknown };
}

function judgedByFinetune(
  service: SparseInferenceService,
  name: string,
  finetune: SparseFinetune,
): Resolution {
  const { uri } = finetune.status?.model ?? {};
  if (uri === undefined) return waiting(name, finetune);
  const own = findCondition(finetune.status?.conditions, 'QualityGatePassed');
  const exists = yes(REASONS.modelPinned, `SparseFinetune ${name} made the model at ${uri}.`);
  if (own?.status !== 'True') {
    const message = `The gate of SparseFinetune ${name} has not passed: ${own?.message ?? 'it is not judged'}`;
    return stuck(exists, no(REASONS.gateFailed, message), { reason: REASONS.gateFailed, message });
  }
  return judged(service, modelOf(finetune));
}

/** The part of a finished SparseFinetune that a service keeps. */
function modelOf({ metadata, status = {} }: SparseFinetune): ServedModel {
  const { model, sparsity, fid, macs } = status;
  return defined({
    uri: model?.uri,
    sha256: model?.sha256,
    pattern: sparsity?.pattern,
    finetune: defined({ name: metadata.name, uid: metadata.uid }),
    fid:
      fid &&
      defined({
        metric: fid.metric,
        dense: fid.dense,
        sparse: fid.sparse,
        increase: fid.increase,
        precision: fid.precision,
        served: fid.served,
      }),
    macs:
      macs &&
      defined({
        convention: macs.convention,
        dense: macs.dense,
        sparse: macs.sparse,
        reductionPercent: macs.reductionPercent,
      }),
  });
}

/** The service's own gate over a model that is there. */
function judged(service: SparseInferenceService, model: ServedModel): Resolution {
  const ready = yes(
    REASONS.modelPinned,
    `SparseFinetune ${model.finetune?.name ?? ''} made the model at ${model.uri ?? ''}.`,
  );
  const { qualityGate } = service.spec;
  const { figures, note } = figuresAsServed(service, model);
  if (qualityGate === undefined) {
    const own = `The SparseFinetune passed its own gate.${note}`;
    return { model, ready, gate: yes(REASONS.gatePassed, own) };
  }
  const { maxFidIncrease, maxFidIncreasePercent } = qualityGate;
  const checksDistance = maxFidIncrease !== undefined || maxFidIncreasePercent !== undefined;
  const verdict = judgeGate(qualityGate, figures);
  const { passed, message } = { ...verdict, message: `${verdict.message}${note}` };
  const server = judgedByServer(service, model);
  if (checksDistance && passed !== true) {
    const reason = passed === false ? REASONS.gateFailed : REASONS.figuresMissing;
    return { ...stuck(ready, no(reason, message), { reason, message }), judged: model };
  }
  const own = checksDistance ? yes(REASONS.gatePassed, message) : yes(REASONS.noGate, '');
  return withServerGate({ model, ready, gate: own }, server);
}
