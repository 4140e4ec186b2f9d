/** What spec.scaling means for a service, and what the status says about it. */
import type { Autoscaler, Evaluation, LivePod } from '../autoscale/autoscaler';
import type { ScalingConfig } from '../autoscale/config';
import type { Engine } from '../autoscale/handover';
import type { Outcome } from '../autoscale/explain';
import type { Target } from '../autoscale/load';
import { REASONS } from '../api/conditions';
import type { SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import type { Deployment, Pod } from '../kube/resources';
import { keyOf, keyText } from '../runtime/objects';
import { noGateways } from './gateways';
import { isDeleting, isOver, isReady } from '../workload/pod-state';

export const DEFAULTS = {
  minReplicas: 1,
  scaleDownStabilizationSeconds: 300,
  panicPercent: 200,
  idleSeconds: 300,
};
const DEFAULT_TARGET: Target = { figure: 'denoisingSeconds', value: 2 };

/** What the spec names to set the number of pods. */
export function engineOf({ spec: { scaling } }: SparseInferenceService): Engine {
  return scaling === undefined ? 'none' : (scaling.engine ?? 'builtin');
}

/** Whether the load of the pods is worth a report every few seconds. */
export function goesByLoad(service: SparseInferenceService): boolean {
  return engineOf(service) === 'keda' || scalingOf(service) !== undefined;
}

/**
 * What the builtin autoscaler goes by where it decides: under its own engine, and under KEDA between no pod and one,
 * where KEDA may take the last pod. Undefined where it never does. `mayBeZero`: a gateway would wake the service.
 */
export function scalingOf(service: SparseInferenceService, mayBeZero = true): ScalingConfig | undefined {
  const { scaling } = service.spec;
  const isOurs = engineOf(service) === 'builtin' || sleepsUnderKeda(service);
  if (scaling?.maxReplicas === undefined || !isOurs || isStopped(service)) return undefined;
  const { minReplicas, scaleDownStabilizationSeconds, panicPercent, idleSeconds } = {
    ...DEFAULTS,
    ...scaling,
  };
  return {
    minReplicas: mayBeZero ? minReplicas : Math.max(1, minReplicas),
    maxReplicas: sleepsUnderKeda(service) ? 1 : scaling.maxReplicas,
    target: targetOf(scaling.target),
    scaleDownStabilizationSeconds,
    panicPercent,
    idleSeconds,
  };
}

/** Whether spec.replicas keeps the service without pods. Where it may sleep under KEDA, 0 only says that KEDA needs none. */
export function isStopped(service: SparseInferenceService): boolean {
  return service.spec.replicas === 0 && !sleepsUnderKeda(service);
}

/** Whether KEDA may find that no pod is needed. */
export function sleepsUnderKeda(service: SparseInferenceService): boolean {
  return engineOf(service) === 'keda' && asksForZero(service);
}

type GivenTarget = NonNullable<NonNullable<SparseInferenceService['spec']['scaling']>['target']>;

export function targetOf({ concurrency, queuedImages, denoisingSeconds }: GivenTarget = {}): Target {
  if (concurrency !== undefined) return { figure: 'concurrency', value: concurrency };
  if (queuedImages !== undefined) return { figure: 'queuedImages', value: queuedImages };
  if (denoisingSeconds === undefined) return DEFAULT_TARGET;
  return { figure: 'denoisingSeconds', value: Number(denoisingSeconds) };
}

/**
 * What the builtin autoscaler wants; without an evaluation while there is no Deployment to scale, and under KEDA while
 * spec.replicas, which it writes, is more than 0.
 */
export type Scaling = {
  config: ScalingConfig;
  replicas: number;
  evaluation: Evaluation | undefined;
  /** Why no gateway can wake the service, where it could sleep otherwise. */
  sleepless?: string | undefined;
};

/** Whether the service has no pod while nobody needs one. */
export function sleeps(scaling: Scaling | undefined): boolean {
  return scaling?.config.minReplicas === 0;
}

/** What the autoscaler has to know of the gateways: why they can't be relied on, and whether the next request reaches one. */
export type Waking = { trouble: string | undefined; maySleep: boolean };

const NO_WAKING: Waking = { trouble: noGateways.trouble(), maySleep: false };

/** Undefined where the builtin autoscaler never decides. */
export function evaluateScaling(
  autoscaler: Autoscaler,
  service: SparseInferenceService,
  deployment: Deployment | undefined,
  pods: readonly Pod[],
  { trouble, maySleep }: Waking = NO_WAKING,
): Scaling | undefined {
  const config = scalingOf(service, trouble === undefined);
  const sleepless = asksForZero(service) ? trouble : undefined;
  const given = givenByKeda(service);
  if (config === undefined || deployment === undefined || given > 0) {
    rest(autoscaler, service);
    if (config === undefined) return undefined;
    // A new service starts with a pod, which shows that it can serve.
    const replicas = Math.max(1, config.minReplicas, given);
    return { config, replicas, evaluation: undefined, sleepless };
  }
  const found = deployment.spec?.replicas ?? 1;
  const { uid = '' } = service.metadata;
  const key = keyText(keyOf(service));
  const evaluation = autoscaler.evaluate(key, uid, config, found, livePods(pods), maySleep);
  return { config, replicas: evaluation.replicas, evaluation, sleepless };
}

function rest(autoscaler: Autoscaler, service: SparseInferenceService): void {
  const key = keyText(keyOf(service));
  if (engineOf(service) === 'keda') autoscaler.rest(key);
  else autoscaler.forget(key);
}

/** 0 also where KEDA is not in force. */
function givenByKeda(service: SparseInferenceService): number {
  return engineOf(service) === 'keda' ? (service.spec.replicas ?? 1) : 0;
}

function asksForZero({ spec }: SparseInferenceService): boolean {
  return spec.scaling?.minReplicas === 0;
}

export function livePods(pods: readonly Pod[]): LivePod[] {
  return pods
    .filter((pod) => !isDeleting(pod) && !isOver(pod))
    .map((pod) => ({ uid: pod.metadata.uid ?? '', serves: isReady(pod) }));
}

/** Whether more than one pod is asked for now, or may be later without another spec. */
export function mayHaveSeveral(service: SparseInferenceService): boolean {
  const { scaling, replicas = 1 } = service.spec;
  const most = engineOf(service) === 'none' ? undefined : scaling?.maxReplicas;
  return !isStopped(service) && (most ?? replicas) > 1;
}

/** The number of pods that is asked for, by whoever sets it. */
export function askedReplicas(service: SparseInferenceService, scaling: Scaling | undefined): number {
  return scaling?.replicas ?? service.spec.replicas ?? 1;
}

/** Where the operator itself, or nobody that it knows, sets the number of pods. */
export function judgeOwnScaling(service: SparseInferenceService, scaling: Scaling | undefined): Verdict {
  if (scaling !== undefined) return steadied(service, scaling, judgeBuiltin(service, scaling));
  const { replicas = 1 } = service.spec;
  if (replicas === 0 && engineOf(service) === 'builtin') {
    const message =
      'spec.replicas is 0, which stops the service and the autoscaler until it is another number.';
    return no(REASONS.scaledToZero, message);
  }
  const message = `spec.replicas, ${replicas}, sets the number of pods. People and autoscalers change it through the scale subresource.`;
  return no(REASONS.replicasGiven, message);
}

function judgeBuiltin(service: SparseInferenceService, scaling: Scaling): Verdict {
  const { config, evaluation, sleepless } = scaling;
  const { minReplicas, maxReplicas } = config;
  const owner = `The builtin autoscaler sets the number of pods, ${minReplicas} to ${maxReplicas}; spec.replicas, which kubectl scale writes, is without effect unless it is 0.`;
  if (evaluation === undefined) {
    return unknown(REASONS.waitingForModel, `${owner} It begins when there is a Deployment.`);
  }
  const { decision, reports } = evaluation;
  const message = `${decision.reason} ${owner}`;
  if (sleepless !== undefined && reports === 'arrive') return withoutGateway(message, sleepless);
  switch (reports) {
    case 'waiting':
      return unknown(REASONS.waitingForReports, message);
    case 'missing':
      return no(REASONS.noReports, `${message} ${silence(service)}`);
    case 'arrive':
      return yes(REASON_OF[decision.outcome] ?? REASONS.loadMeasured, message);
  }
}

export function withoutGateway(message: string, sleepless: string): Verdict {
  return yes(
    REASONS.noGateway,
    `${message} minReplicas: 0 counts as 1, because ${sleepless}. Or write minReplicas: 1.`,
  );
}

const REASON_OF: Partial<Record<Outcome, string>> = {
  atMaximum: REASONS.atMaximum,
  asleep: REASONS.asleep,
  waking: REASONS.waking,
};

function silence({ metadata: { name, namespace = '' } }: SparseInferenceService): string {
  return `Pods of an image from before this autoscaler report no load (see UpToDate); otherwise their log says why: kubectl logs -n ${namespace} -l sparsedm.io/service=${name}.`;
}

/**
 * The condition holds the decision that last changed something, not the last look: a status that repeats each figure
 * would be written every two seconds. For the first minute of an operator it is what the one before it wrote.
 */
function steadied(service: SparseInferenceService, scaling: Scaling, verdict: Verdict): Verdict {
  const { metadata, status } = service;
  const before = findCondition(status?.conditions, 'ScalingActive');
  if (before === undefined || before.observedGeneration !== metadata.generation) return verdict;
  if (status?.desiredReplicas !== scaling.replicas) return verdict;
  const isSame = before.status === verdict.status && before.reason === verdict.reason;
  const isEarly = verdict.reason === REASONS.waitingForReports && before.reason !== REASONS.waitingForModel;
  return isSame || isEarly ? before : verdict;
}
