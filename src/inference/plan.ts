import { REASONS } from '../api/conditions';
import type {
  QualityStatus,
  RevisionStatus,
  ServedModel,
  SparseFinetune,
  SparseInferenceService,
} from '../api/types';
import { isOwnedBy } from '../kube/owner';
import { covers, equalJson } from '../kube/patch';
import type { Deployment, Pod, Service } from '../kube/resources';
import type { Decision } from '../rollout/advance';
import type { Figures } from '../rollout/judge';
import { isCanaryOpen } from '../rollout/state';
import { defined } from '../runtime/defined';
import type { KubeObject } from '../runtime/objects';
import type { Trouble } from '../workload/pod-state';
import type { Refusal } from '../workload/refusal';
import type { Child } from './children';
import { buildCanary, decideRollout } from './canary';
import {
  buildDeployment,
  INPUTS_ANNOTATION,
  REPLACE,
  strategyOf,
  templateInputs,
  templateModel,
  type DeploymentSettings,
} from './deployment';
import { identityOf, resolveModel, withoutModel, type Resolution } from './model';
import { deployedRevision } from './revision';
import { drift, fromRecord, hasRecord, readRecord, withRecord } from './record';
import {
  countsOf,
  findUnplaced,
  isComplete,
  isInGap,
  isReplacing,
  needsReplacement,
  type Strategy,
} from './rollout';
import { askedReplicas, type Scaling } from './scaling';
import { buildService } from './service';
import { awaitsGateway, planTraffic, type TrafficPlan, type TrafficSeen } from './traffic';

export type Observed = {
  service: SparseInferenceService;
  /** The SparseFinetune that the spec names, if it exists. */
  finetune: SparseFinetune | undefined;
  /** The Deployment and the Service with the children's names, whether ours or not. */
  deployment: Deployment | undefined;
  network: Service | undefined;
  /** Without those of the canary. */
  pods: readonly Pod[];
  /** The canary's Deployment, whether ours or not, and its pods. */
  canary?: Deployment | undefined;
  canaryPods?: readonly Pod[] | undefined;
  /** What the gateways measured of the requests since the canary's step began. */
  figures?: Figures | undefined;
  /** What servers measured of their images, by version. */
  quality?: QualityStatus[] | undefined;
  /** Why there is no version that spec.rollout.undoTo asks for. */
  missing?: Trouble | undefined;
  /** What was decided in this pass. */
  rollout?: Decision | undefined;
  /** The versions that served, where this pass has changed them. */
  revisions?: RevisionStatus[] | undefined;
  /** The attach failure of the newest pod's volume, when another node holds it. */
  attachFailure?: string | undefined;
  /** What the builtin autoscaler wants, where it is in force. */
  scaling?: Scaling | undefined;
  /** Where requests can go, and where they go by what was decided in this pass. */
  paths?: TrafficSeen | undefined;
  traffic?: TrafficPlan | undefined;
  /** Why the API server refused a child in this pass. */
  refusal?: Refusal | undefined;
  /** The children that exist only when asked for. */
  children?: readonly Child[] | undefined;
};

export type Plan = {
  resolution: Resolution;
  rollout: Decision;
  canary: CanaryPlan;
  /** The model whose template is written. */
  deploys: ServedModel | undefined;
  traffic: TrafficPlan;
  /** The Service to write; undefined where it is right or not ours. */
  network: Service | undefined;
  /** The Deployment to write; undefined where it is right, not ours, or without a model to serve. */
  deployment: Deployment | undefined;
  /** The replicas to set, apart from everything else; undefined where they are right. */
  replicas: number | undefined;
  /** True when an operator without records made the Deployment, so that what it applied must be recorded. */
  unrecorded: boolean;
  /** Fields of the Deployment that another writer changed and that are restored. */
  restored: readonly string[];
  /** Why pods are replaced one by one from now on. */
  replacing: string | undefined;
  /** No pod serves for a while, now or from the next write on. */
  hasGap: boolean;
  /** That write waits until the gateway would hold the requests. */
  awaits: boolean;
};

/** The model in the Deployment's template. */
export function deployedModel(
  { service, deployment }: Pick<Observed, 'service' | 'deployment'>,
  { model, judged }: Resolution,
): ServedModel | undefined {
  const { wanted, model: served } = service.status ?? {};
  return deployment && templateModel(deployment, [model, judged, wanted, served]);
}

/** The model to deploy. A model that the gate refused during its rollout gives way to the one that still serves. */
export function targetModel(observed: Observed, resolution: Resolution): ServedModel | undefined {
  const { model, judged } = resolution;
  if (model !== undefined || judged === undefined) return model;
  const served = observed.service.status?.model;
  const deployed = deployedModel(observed, resolution);
  const isDeployed = identityOf(deployed) === identityOf(judged);
  return isDeployed && identityOf(served) !== identityOf(judged) ? served : undefined;
}

/**
 * Replicas to run. A problem with the wanted model never ends the pods that serve; they end only when the service's own
 * gate refuses the model that they serve.
 */
export function wantedReplicas(observed: Observed, resolution: Resolution): number {
  const { judged, gate } = resolution;
  const refused = judged !== undefined && gate.reason === REASONS.gateFailed;
  const target = targetModel(observed, resolution);
  const isDeployed = identityOf(deployedModel(observed, resolution)) === identityOf(judged);
  return refused && isDeployed && target === undefined ? 0 : asked(observed);
}

function asked({ service, scaling }: Observed): number {
  return askedReplicas(service, scaling);
}

export function isForeign(child: Deployment | Service | undefined, service: SparseInferenceService): boolean {
  return child !== undefined && !isOwnedBy(child, service);
}

/** Whether the Deployment's template is the one for this spec and model. */
export function isCurrent({ deployment, service }: Observed, model: ServedModel | undefined): boolean {
  if (deployment === undefined || model === undefined) return false;
  return deployment.metadata.annotations?.[INPUTS_ANNOTATION] === templateInputs(service, model);
}

/** Whether what serves keeps its template for now, whatever the spec asks for. */
export function isHeld({ rollout }: Pick<Observed, 'rollout'>): boolean {
  return rollout?.rolls === false;
}

export function plan(observed: Observed, settings: DeploymentSettings, now: Date): Plan {
  const { service, network } = observed;
  const resolution = resolve(observed);
  const model = targetModel(observed, resolution);
  const rollout = decideRollout(withOwn(observed), model, now);
  const canary = planCanary(observed, rollout, model, settings);
  const deployment = planDeployment({ ...observed, rollout }, resolution, settings, now);
  const { hasGap, awaits } = deployment;
  const needs = { isDivided: isCanaryOpen(rollout.state), hasGap, awaits };
  const traffic = planTraffic(service, observed.paths, observed.scaling, needs);
  const isNew = canary.create !== undefined || writesTemplate(observed, deployment);
  return {
    resolution,
    rollout,
    canary,
    deploys: isNew ? model : undefined,
    traffic,
    network: planNetwork(service, network, traffic),
    ...deployment,
  };
}

function resolve({ service, finetune, missing }: Observed): Resolution {
  return missing === undefined ? resolveModel(service, finetune) : withoutModel(missing);
}

/** A Deployment of somebody else counts for nothing. */
function withOwn(observed: Observed): Parameters<typeof decideRollout>[0] {
  const { service, deployment, canary, canaryPods = [] } = observed;
  return {
    ...observed,
    deployment: isForeign(deployment, service) ? undefined : deployment,
    canary,
    canaryPods,
  };
}

function writesTemplate({ deployment: live }: Observed, { deployment }: DeploymentPlan): boolean {
  const inputs = deployment?.metadata.annotations?.[INPUTS_ANNOTATION];
  return deployment !== undefined && live?.metadata.annotations?.[INPUTS_ANNOTATION] !== inputs;
}

/** What to do with the canary's Deployment: at most one of these. */
export type CanaryPlan = { create?: Deployment; scale?: number; remove?: Deployment };

function planCanary(
  observed: Observed,
  { canary: wanted }: Decision,
  model: ServedModel | undefined,
  settings: DeploymentSettings,
): CanaryPlan {
  const { service, canary: live } = observed;
  if (isForeign(live, service)) return {};
  if (live !== undefined) return changeCanary(service, live, wanted);
  if (wanted?.replicas === undefined || model === undefined) return {};
  return { create: buildCanary(service, model, settings, wanted.replicas) };
}

function changeCanary(
  service: SparseInferenceService,
  live: Deployment,
  wanted: Decision['canary'],
): CanaryPlan {
  if (wanted?.revision !== deployedRevision(service, live)) return { remove: live };
  const { replicas } = wanted;
  return replicas === undefined || replicas === live.spec?.replicas ? {} : { scale: replicas };
}

function planNetwork(
  service: SparseInferenceService,
  live: Service | undefined,
  { isGatewayOnly }: TrafficPlan,
): Service | undefined {
  if (isForeign(live, service)) return undefined;
  const desired = buildService(service, isGatewayOnly);
  if (live === undefined) return desired;
  // An extra label in the selector would leave the Service without pods, so the selectors must be equal.
  const same = covers(live, desired) && equalJson(live.spec?.selector, desired.spec?.selector);
  return same ? undefined : onlyOnto(live, desired);
}

/** The uid keeps an update from touching another object that has since taken the name. */
export function onlyOnto<T extends KubeObject>(live: KubeObject, desired: T): T {
  return { ...desired, metadata: defined({ ...desired.metadata, uid: live.metadata.uid }) };
}

type DeploymentPlan = Omit<Plan, 'resolution' | 'rollout' | 'canary' | 'deploys' | 'traffic' | 'network'>;

const NOTHING: DeploymentPlan = {
  deployment: undefined,
  replicas: undefined,
  unrecorded: false,
  restored: [],
  replacing: undefined,
  hasGap: false,
  awaits: false,
};

function planDeployment(
  observed: Observed,
  resolution: Resolution,
  settings: DeploymentSettings,
  now: Date,
): DeploymentPlan {
  const { service, deployment: live } = observed;
  if (isForeign(live, service)) return NOTHING;
  const model = targetModel(observed, resolution);
  if (live === undefined) {
    if (model === undefined) return NOTHING;
    const built = buildDeployment(service, model, settings, asked(observed));
    return { ...NOTHING, deployment: withRecord(built) };
  }
  const wanted = wantedReplicas(observed, resolution);
  const replicas = live.spec?.replicas === wanted ? undefined : wanted;
  if (model !== undefined && !isCurrent(observed, model) && !isHeld(observed)) {
    const built = onlyOnto(live, withRecord(withoutReplicas(buildDeployment(service, model, settings))));
    return bridged(observed, live, { ...NOTHING, deployment: built, replicas }, wanted);
  }
  return bridged(observed, live, { ...planRecorded(observed, live, wanted, now), replicas }, wanted);
}

/** Whether this write ends the last pod that serves before its successor starts. */
function opensGap(live: Deployment, { deployment, replacing }: DeploymentPlan, wanted: number): boolean {
  if (replacing !== undefined) return wanted === 1;
  const isRecreated =
    deployment?.spec?.strategy?.type === 'Recreate' &&
    deployment.metadata.annotations?.[INPUTS_ANNOTATION] !== live.metadata.annotations?.[INPUTS_ANNOTATION];
  return isRecreated && wanted > 0 && countsOf(live).ready > 0;
}

/** What ends the last pod before its successor starts waits until the next request would reach a gateway. */
function bridged(
  { paths }: Observed,
  live: Deployment,
  planned: DeploymentPlan,
  wanted: number,
): DeploymentPlan {
  const opens = opensGap(live, planned, wanted);
  if (opens && awaitsGateway(paths)) {
    const { replicas, unrecorded } = planned;
    return { ...NOTHING, replicas, unrecorded, hasGap: true, awaits: true };
  }
  return { ...planned, hasGap: opens || isInGap(live, wanted) };
}

/** Keeps the template as it was applied: restores what others changed, and sets the strategy that the rollout needs. */
function planRecorded(observed: Observed, live: Deployment, wanted: number, now: Date): DeploymentPlan {
  const record = readRecord(live);
  if (record === undefined) return { ...NOTHING, unrecorded: !hasRecord(live) };
  const restored = drift(live, fromRecord(observed.service, live, record));
  const unplaced = findUnplaced(live, observed.pods);
  const replaces = isReplacing(record.strategy);
  const complete = isComplete(live, wanted);
  const mayReplace = !replaces && !complete && live.spec?.strategy?.type !== 'Recreate';
  const replacing = mayReplace ? needsReplacement(unplaced, observed.attachFailure, now) : undefined;
  const base = strategyOf(observed.service);
  const strategy = dueStrategy(base, record.strategy, { replaces, replacing, complete });
  const desired = fromRecord(observed.service, live, record, strategy);
  if (restored.length === 0 && equalJson(strategy, record.strategy)) return NOTHING;
  return { ...NOTHING, deployment: onlyOnto(live, desired), restored, replacing };
}

function dueStrategy(
  base: Strategy,
  recorded: Strategy,
  { replaces, replacing, complete }: { replaces: boolean; replacing: string | undefined; complete: boolean },
): Strategy {
  if (base?.type === 'Recreate') return base;
  if (replacing !== undefined) return REPLACE;
  const isOver = (replaces && complete) || recorded?.type === 'Recreate';
  return isOver ? base : recorded;
}

function withoutReplicas(deployment: Deployment): Deployment {
  const { replicas: _, ...spec } = deployment.spec!;
  return { ...deployment, spec };
}
