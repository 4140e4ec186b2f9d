/** A rollout as the state machine sees it, and the canary's Deployment. */
import { createHash } from 'node:crypto';
import { GATEWAY_READY, REASONS } from '../api/conditions';
import type { QualityStatus, RolloutStatus, ServedModel, SparseInferenceService } from '../api/types';
import { no, unknown, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import { canaryApp, canaryDeploymentName, canaryLabels, labels } from '../kube/names';
import { isOwnedBy } from '../kube/owner';
import { stableStringify } from '../kube/patch';
import type { Deployment, Pod } from '../kube/resources';
import { advance, type Decision, type Sample, type Stable } from '../rollout/advance';
import type { Analysis, CanaryConfig, CanaryStep } from '../rollout/config';
import type { Figures } from '../rollout/judge';
import { isCanaryOpen } from '../rollout/state';
import type { Tally } from '../rollout/tally';
import { defined } from '../runtime/defined';
import { keyOf, keyText } from '../runtime/objects';
import { cutToLength } from '../runtime/text';
import { isDeleting, isOver, isReady } from '../workload/pod-state';
import { buildDeployment, deadlineSeconds, RESTART_ANNOTATION, type DeploymentSettings } from './deployment';
import { gatewayTrouble } from './gateway-ready';
import { qualitiesOf } from './quality';
import { deployedRevision, wantedRevision } from './revision';
import { countsOf, hasArrived, isAlone, newestPod } from './rollout';
import type { TrafficSeen } from './traffic';
import { deploymentTrouble, isLate, podTrouble } from './trouble';

/** What Flagger's and Argo Rollouts' users write most: small, then half. */
const DEFAULT_STEPS: readonly CanaryStep[] = [10, 25, 50].map((weight) => ({ weight, holdSeconds: 60 }));
const DEFAULT_HOLD_SECONDS = 60;
const DEFAULT_ANALYSIS = { maxErrorRatePercent: 5, minRequests: 20 };

/** Undefined where the rollout takes no canary: another strategy, or a version that served before. */
export function canaryConfig(service: SparseInferenceService): CanaryConfig | undefined {
  const { rollout } = service.spec;
  if (rollout?.strategy !== 'Canary' || rollout.undoTo !== undefined) return undefined;
  const steps = (rollout.canary?.steps ?? DEFAULT_STEPS).map(({ weight, holdSeconds }) => ({
    weight,
    holdSeconds: holdSeconds ?? DEFAULT_HOLD_SECONDS,
  }));
  const given = { ...DEFAULT_ANALYSIS, ...rollout.canary?.analysis };
  const analysis: Analysis = {
    maxErrorRatePercent: given.maxErrorRatePercent,
    maxLatencyIncreasePercent: given.maxLatencyIncreasePercent,
    maxDistanceIncreasePercent: given.maxDistanceIncreasePercent,
    minRequests: given.minRequests,
  };
  const digest = createHash('sha256')
    .update(stableStringify([steps, analysis]))
    .digest('hex')
    .slice(0, 16);
  return { steps, analysis, digest, deadlineSeconds: deadlineSeconds(service) };
}

export function buildCanary(
  service: SparseInferenceService,
  model: ServedModel,
  settings: DeploymentSettings,
  replicas: number,
): Deployment {
  const built = buildDeployment(service, model, settings, replicas);
  const { name } = service.metadata;
  const own = canaryLabels(name, wantedRevision(service, model));
  const { metadata, spec } = built;
  const template = spec!.template;
  return {
    ...built,
    metadata: { ...metadata, name: canaryDeploymentName(name), labels: own },
    spec: {
      ...spec!,
      selector: { matchLabels: own },
      template: {
        ...template,
        metadata: { ...template.metadata, labels: { ...template.metadata?.labels, ...own } },
      },
    },
  };
}

export function isCanaryPod({ metadata }: Pod): boolean {
  return metadata.labels?.[labels.name] === canaryApp;
}

/** What was counted since the canary's step began; undefined without a canary that gets requests. */
export function figuresOf(tally: Tally, service: SparseInferenceService): Figures | undefined {
  const { metadata, status } = service;
  if (status?.rollout === undefined || !isCanaryOpen(status.rollout)) return undefined;
  return tally.figures(keyText(keyOf(service)), metadata.uid ?? '', status.rollout);
}

export type Rollout = {
  service: SparseInferenceService;
  /** The Deployment that serves, ours; undefined while there is none. */
  deployment: Deployment | undefined;
  /** The canary's Deployment, whether ours or not. */
  canary: Deployment | undefined;
  /** Pods of the Deployment that serves. */
  pods: readonly Pod[];
  canaryPods: readonly Pod[];
  figures?: Figures | undefined;
  paths?: TrafficSeen | undefined;
  quality?: readonly QualityStatus[] | undefined;
};

/** The decision on the rollout to this model; undefined where there is none that may be served. */
export function decideRollout(observed: Rollout, model: ServedModel | undefined, now: Date): Decision {
  const { service } = observed;
  const canary = canaryConfig(service);
  const strategy = canary === undefined ? plainStrategy(service) : 'Canary';
  return advance({ strategy, canary }, service.status?.rollout, sampleOf(observed, model), now);
}

function plainStrategy({ spec }: SparseInferenceService): 'RollingUpdate' | 'Recreate' {
  return spec.rollout?.strategy === 'Recreate' ? 'Recreate' : 'RollingUpdate';
}

function sampleOf(observed: Rollout, model: ServedModel | undefined): Sample {
  const { service, deployment, canary, pods, canaryPods, figures, quality } = observed;
  const wanted = model && wantedRevision(service, model);
  const live = canaryPods.filter((pod) => !isDeleting(pod) && !isOver(pod));
  const isOurs = canary !== undefined && isOwnedBy(canary, service);
  const serving = deployment && stableOf(service, deployment);
  return {
    wanted,
    figures,
    quality: qualitiesOf(quality, wanted, serving?.revision),
    stable: serving,
    canary: isOurs
      ? {
          revision: deployedRevision(service, canary),
          available: countsOf(canary).available,
          unavailableSince: availableSince(canary, 'False'),
          availableSince: availableSince(canary, 'True'),
        }
      : undefined,
    canaryPods: live.map(revisionOf),
    divided: service.status?.traffic?.mode === 'Gateway',
    undividedSince: undividedSince(service),
    gatewayTrouble: gatewayTrouble(observed),
    sharePercent: shareOf([...pods, ...live], wanted),
    trouble: canaryTrouble(canary, isOurs, live),
  };
}

function stableOf(service: SparseInferenceService, deployment: Deployment): Stable {
  return {
    revision: deployedRevision(service, deployment),
    replicas: deployment.spec?.replicas ?? 0,
    available: countsOf(deployment).available,
    alone: isAlone(deployment),
    arrived: hasArrived(deployment),
    late: isLate(deployment),
  };
}

function revisionOf({ metadata }: Pod): string {
  return metadata.labels?.[labels.revision] ?? '';
}

/** Part of the ready pods that are of the revision, in per cent. */
function shareOf(pods: readonly Pod[], revision: string | undefined): number {
  const ready = pods.filter((pod) => isReady(pod) && !isDeleting(pod));
  if (ready.length === 0) return 0;
  return Math.floor((100 * ready.filter((pod) => revisionOf(pod) === revision).length) / ready.length);
}

/** Since when requests have not gone through the gateway, as the status has it. */
function undividedSince({ status }: SparseInferenceService): number | undefined {
  const found = findCondition(status?.conditions, GATEWAY_READY);
  return found === undefined || found.status === 'True' ? undefined : Date.parse(found.lastTransitionTime);
}

function availableSince({ status }: Deployment, is: 'True' | 'False'): number | undefined {
  const found = status?.conditions?.find((each) => each.type === 'Available' && each.status === is);
  return found?.lastTransitionTime === undefined ? undefined : Date.parse(found.lastTransitionTime);
}

function canaryTrouble(
  canary: Deployment | undefined,
  isOurs: boolean,
  pods: readonly Pod[],
): string | undefined {
  if (canary === undefined) return undefined;
  if (!isOurs) {
    return `The Deployment ${canary.metadata.name} exists and belongs to another owner, so it is left alone: delete or rename it.`;
  }
  const unscheduled = pods.some((pod) =>
    pod.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False'),
  );
  const trouble = podTrouble(newestPod(pods)) ?? deploymentTrouble(canary);
  if (trouble === undefined) return undefined;
  const remedy =
    ' A canary needs room for one more pod; with strategy: RollingUpdate pods are replaced one by one.';
  return `${trouble.message}${unscheduled ? remedy : ''}`;
}

/** What the condition UpToDate says of a canary; undefined where the Deployment that serves decides. */
export function judgeCanary(
  { metadata }: SparseInferenceService,
  { state, isRefused }: Decision,
): Verdict | undefined {
  if (state === undefined) return undefined;
  if (isRefused) return no(REASONS.noGateway, state.message);
  if (state.phase === 'RollingBack' || state.phase === 'RolledBack') {
    const { name, namespace = '' } = metadata;
    const remedy = `To try again, change the spec, or: kubectl annotate sis/${name} -n ${namespace} --overwrite ${RESTART_ANNOTATION}="$(date -Is)".`;
    return no(REASONS.rolledBack, `${state.message} ${remedy}`);
  }
  const isAhead = state.phase === 'Progressing' && state.canaryDigest !== undefined;
  return isAhead || isCanaryOpen(state) ? unknown(REASONS.canary, state.message) : undefined;
}

/** The state as the status holds it. */
export function rolloutStatus({ state }: Decision): RolloutStatus | undefined {
  if (state === undefined) return undefined;
  const { strategy, phase, revision, since, message, ...rest } = state;
  return {
    strategy,
    phase,
    revision,
    since,
    message: cutToLength(message, LONGEST_MESSAGE),
    ...defined(rest),
  };
}

/** The schema's bound, for texts from other components. */
const LONGEST_MESSAGE = 2048;
