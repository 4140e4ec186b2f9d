import {
  CHILDREN_READY,
  EXPOSED,
  GATEWAY_READY,
  QUALITY_MAINTAINED,
  RECONCILING,
  REASONS,
  STALLED,
  type ServiceCondition,
} from '../api/conditions';
import type {
  ServedModel,
  ServicePhase,
  SparseInferenceService,
  SparseInferenceServiceStatus,
} from '../api/types';
import { conditionsFrom, no, unknown, yes, type Verdict } from '../api/verdict';
import type { Deployment, Pod } from '../kube/resources';
import { defined } from '../runtime/defined';
import { isDeleting, startTrouble, type Trouble } from '../workload/pod-state';
import { judgeCanary, rolloutStatus } from './canary';
import { judgeChildren } from './children';
import { exposureOf, judgeExposure } from './exposed';
import { judgeGateway } from './gateway-ready';
import { RESTART_ANNOTATION, SERVER_CONTAINER, serverOf, type DeploymentSettings } from './deployment';
import { identityOf, type Resolution } from './model';
import {
  deployedModel,
  isCurrent,
  isForeign,
  isHeld,
  targetModel,
  wantedReplicas,
  type Observed,
} from './plan';
import { explainLongRecord } from './record';
import { countsOf, hasArrived, isAlone, isComplete, isReplacing, newestPod } from './rollout';
import { askedReplicas, engineOf, isStopped } from './scaling';
import { judgeScaling } from './scaling-owner';
import { judgeServedQuality } from './quality';
import { deployedRevision } from './revision';
import { isWaking, judgeSleep } from './sleep';
import { selectorText, serviceUrl } from './service';
import { MOST_WAIT_MS } from './traffic';
import { deploymentTrouble, isLate, podTrouble } from './trouble';

/** The status that follows from what is observed; `engine` and a reported model digest stay as they are. */
export function buildStatus(
  observed: Observed,
  resolution: Resolution,
  settings: Pick<DeploymentSettings, 'image'>,
  now: Date,
): SparseInferenceServiceStatus {
  const { service } = observed;
  const ours = isForeign(observed.deployment, service) ? undefined : observed.deployment;
  const counts = countsOf(ours);
  const models = modelsOf(observed, resolution, ours);
  const verdicts = judge(observed, resolution, settings, models.model);
  const observedGeneration = service.metadata.generation ?? 0;
  const hasUrl = observed.network !== undefined && !isForeign(observed.network, service);
  const {
    url: _,
    model: _model,
    wanted: _wanted,
    traffic: _traffic,
    quality: _quality,
    loading,
    ...earlier
  } = service.status ?? {};
  const { externalHosts: _hosts, externalAddresses: _addresses, ...rest } = earlier;
  return {
    ...rest,
    ...defined({
      ...models,
      url: hasUrl ? serviceUrl(service) : undefined,
      quality: observed.quality,
      loading: counts.ready < counts.all ? loading : undefined,
    }),
    ...rolloutParts(observed),
    ...exposureOf(observed),
    observedGeneration,
    phase: phaseOf(verdicts),
    replicas: counts.all,
    readyReplicas: counts.ready,
    desiredReplicas: askedReplicas(service, observed.scaling),
    scalingEngine: engineOf(service),
    selector: selectorText(service),
    conditions: conditionsFrom(rest.conditions, verdicts, observedGeneration, now),
  };
}

/** Where the rollout stands, how the gateway divides the requests, and the versions that served. */
function rolloutParts(observed: Observed): Partial<SparseInferenceServiceStatus> {
  const { service, rollout, revisions } = observed;
  const before = service.status ?? {};
  if (rollout === undefined) return {};
  const { canary: _, ...rest } = before.traffic ?? {};
  const traffic = { ...rest, ...observed.traffic?.status, ...defined({ canary: rollout.traffic }) };
  return defined({
    rollout: rolloutStatus(rollout),
    traffic: Object.keys(traffic).length === 0 ? undefined : traffic,
    revisions: revisions ?? before.revisions,
  });
}

type Verdicts = Record<ServiceCondition, Verdict> & {
  [CHILDREN_READY]: Verdict | undefined;
  [EXPOSED]: Verdict | undefined;
  [GATEWAY_READY]: Verdict | undefined;
  [QUALITY_MAINTAINED]: Verdict | undefined;
  [RECONCILING]: Verdict | undefined;
  [STALLED]: Verdict | undefined;
};

function judge(
  observed: Observed,
  resolution: Resolution,
  settings: Pick<DeploymentSettings, 'image'>,
  model: ServedModel | undefined,
): Verdicts {
  const deploymentReady = judgeDeployment(observed, resolution);
  const upToDate = judgeVersion(observed, resolution, settings);
  const stalled = stalledBy(observed, resolution, upToDate);
  const ready = judgeReady(observed, resolution, deploymentReady, model);
  const deployed = deploymentReady.status === 'True' || ready.reason === REASONS.waking;
  const settled = deployed && (upToDate.status === 'True' || isBehind(resolution, upToDate));
  return {
    ModelReady: resolution.ready,
    QualityGatePassed: resolution.gate,
    DeploymentReady: deploymentReady,
    UpToDate: upToDate,
    ScalingActive: judgeScaling(observed),
    Ready: ready,
    [CHILDREN_READY]: judgeChildren(observed.children),
    [EXPOSED]: judgeExposure(observed),
    [GATEWAY_READY]: judgeGateway(observed),
    [QUALITY_MAINTAINED]: judgeImages(observed),
    [RECONCILING]: settled || stalled !== undefined ? undefined : reconciling(upToDate, deploymentReady),
    [STALLED]: stalled && yes(stalled.reason, stalled.message),
  };
}

function judgeImages({ service, deployment, quality }: Observed): Verdict | undefined {
  const revision = deployment && deployedRevision(service, deployment);
  return judgeServedQuality(service, quality, revision);
}

/** What serves meets the spec: the re-created finetune that the service follows has no better model yet. */
function isBehind({ behind }: Resolution, upToDate: Verdict): boolean {
  return behind !== undefined && upToDate.reason === behind.reason;
}

type Models = { model: ServedModel | undefined; wanted: ServedModel | undefined };

/**
 * The served model changes when the last pod of an earlier template is gone; until then the next model is in `wanted`.
 */
function modelsOf(observed: Observed, resolution: Resolution, ours: Deployment | undefined): Models {
  const before = observed.service.status ?? {};
  const serves = ours !== undefined && isAlone(ours) && countsOf(ours).ready > 0;
  const deployed = ours && deployedModel(observed, resolution);
  const model = (serves ? deployed : undefined) ?? before.model;
  // A model that the spec no longer names stays in the status while its pods are still being rolled out.
  const rolling = identityOf(deployed) === identityOf(before.wanted) ? before.wanted : undefined;
  const wanted = resolution.model ?? rolling;
  return { model, wanted: identityOf(wanted) === identityOf(model) ? undefined : wanted };
}

function reconciling(upToDate: Verdict, deploymentReady: Verdict): Verdict {
  const open = upToDate.status === 'True' ? deploymentReady : upToDate;
  return yes(open.reason, open.message);
}

/** Reasons with which a rollout has ended, or can't begin, until a person acts. */
const ENDS: readonly string[] = [REASONS.rolledBack, REASONS.noGateway];

/** Why there is no progress until a person acts. */
function stalledBy(observed: Observed, { stalled }: Resolution, upToDate: Verdict): Trouble | undefined {
  if (stalled !== undefined) return stalled;
  const { deployment, refusal } = observed;
  if (refusal?.final === true) return { reason: refusal.reason, message: refusal.message };
  const conflict = conflictOf(observed);
  if (conflict !== undefined || upToDate.status === 'True') return conflict;
  if (ENDS.includes(upToDate.reason)) return { reason: upToDate.reason, message: upToDate.message };
  if (deployment === undefined || !isLate(deployment)) return undefined;
  return { reason: upToDate.reason, message: upToDate.message };
}

function judgeDeployment(observed: Observed, resolution: Resolution): Verdict {
  const hindrance = hindered(observed);
  if (hindrance !== undefined) return no(hindrance.reason, hindrance.message);
  const { deployment } = observed;
  if (deployment === undefined) {
    return unknown(REASONS.waitingForModel, 'The Deployment is created when there is a model to serve.');
  }
  const model = targetModel(observed, resolution);
  if (model !== undefined && !isCurrent(observed, model) && !isHeld(observed)) {
    return unknown(REASONS.updating, 'The Deployment is about to change.');
  }
  return judgeRollout(observed, deployment, wantedReplicas(observed, resolution));
}

function conflictOf({ service, deployment, network }: Observed): Trouble | undefined {
  const foreign = [deployment, network].find((child) => isForeign(child, service));
  if (foreign === undefined) return undefined;
  const message = `The ${foreign.kind} ${foreign.metadata.name} exists and belongs to another owner, so it is left alone: delete or rename it, or use another name for the SparseInferenceService.`;
  return { reason: REASONS.nameConflict, message };
}

function hindered(observed: Observed): Trouble | undefined {
  return conflictOf(observed) ?? observed.refusal;
}

function judgeRollout(observed: Observed, deployment: Deployment, wanted: number): Verdict {
  const { updated, available } = countsOf(deployment);
  if (isComplete(deployment, wanted)) {
    return yes(
      REASONS.available,
      wanted === 0
        ? 'No replica is wanted, and none runs.'
        : `${replicasServe(available)}, as many as wanted.`,
    );
  }
  const trouble = rolloutTrouble(observed, deployment);
  if (trouble !== undefined) return no(trouble.reason, trouble.message);
  if (isReplacing(deployment.spec?.strategy)) {
    const message = 'Replicas are replaced one by one, because there is no room for another pod.';
    return unknown(REASONS.replacing, message);
  }
  const message = `${updated} of ${wanted} replicas are of the wanted version; ${available} serve.`;
  return unknown(REASONS.updating, message);
}

/** While pods are replaced one by one, a pod that waits for its predecessor to end is no trouble. */
function rolloutTrouble({ pods }: Observed, deployment: Deployment): Trouble | undefined {
  if (deployment.spec?.paused === true) return paused(deployment);
  const newest = newestPod(pods);
  if (newest !== undefined && waitsForRoom(newest, pods, deployment)) return undefined;
  return podTrouble(newest) ?? deploymentTrouble(deployment);
}

function waitsForRoom(newest: Pod, pods: readonly Pod[], deployment: Deployment): boolean {
  if (!isReplacing(deployment.spec?.strategy) || isLate(deployment)) return false;
  const makesRoom = pods.some(isDeleting) || !hasArrived(deployment);
  return makesRoom && startTrouble(newest, SERVER_CONTAINER)?.reason === 'Unschedulable';
}

function paused({ metadata: { name, namespace = '' } }: Deployment): Trouble {
  const message = `The Deployment ${name} is paused, so its pods stay as they are: kubectl rollout resume deployment/${name} -n ${namespace}.`;
  return { reason: REASONS.paused, message };
}

/** Whether the wanted version serves, regardless of what else serves in the meantime. */
function judgeVersion(
  observed: Observed,
  resolution: Resolution,
  settings: Pick<DeploymentSettings, 'image'>,
): Verdict {
  const open = openVersion(observed, resolution);
  if (open === undefined) return arrivedVersion(observed, settings);
  const serves = countsOf(observed.deployment).ready > 0 && !isForeign(observed.deployment, observed.service);
  if (open.status !== 'False' || !serves || wantedReplicas(observed, resolution) === 0) return open;
  return no(open.reason, `${open.message} What serves keeps serving.`);
}

const AWAITS_GATEWAY = `The last pod of the version that serves ends when the gateway would hold the requests until its successor is ready, and after ${MOST_WAIT_MS / 1000} s even if it would not; ChildrenReady says where its EndpointSlice is refused.`;

/** Why the wanted version has not arrived; undefined when it has. */
function openVersion(observed: Observed, resolution: Resolution): Verdict | undefined {
  const { ready, gate } = resolution;
  const unresolved = firstOpen(awaitsServer(resolution) ? [ready] : [ready, gate]);
  if (unresolved !== undefined) return unresolved;
  const { deployment } = observed;
  const delayed = delayOf(observed);
  if (delayed !== undefined) return delayed;
  const applied = hindered(observed) === undefined && isCurrent(observed, resolution.model);
  const verdict = judgeDeployment(observed, resolution);
  if (applied && deployment !== undefined && (hasArrived(deployment) || isBack(observed, verdict))) {
    return arrivedAsAsked(resolution);
  }
  return verdict.status === 'True'
    ? unknown(REASONS.updating, 'Pods of the wanted version are starting.')
    : verdict;
}

/** Pods of the version that slept start. */
function isBack(observed: Observed, { status }: Verdict): boolean {
  return isWaking(observed) && status !== 'False' && isAlone(observed.deployment!);
}

/** The verdict of a server that still starts must not hide what keeps it from starting. */
function awaitsServer({ gate, model }: Resolution): boolean {
  return model !== undefined && gate.status === 'Unknown';
}

function arrivedAsAsked(resolution: Resolution): Verdict | undefined {
  const { gate, behind } = resolution;
  if (awaitsServer(resolution)) return gate;
  return behind && no(behind.reason, behind.message);
}

/** Why the Deployment that serves does not change yet. */
function delayOf(observed: Observed): Verdict | undefined {
  const { service, rollout, traffic } = observed;
  if (rollout === undefined || hindered(observed) !== undefined) return undefined;
  const awaited = traffic?.awaits === true ? unknown(REASONS.updating, AWAITS_GATEWAY) : undefined;
  return judgeCanary(service, rollout) ?? awaited;
}

function arrivedVersion(
  { service, deployment }: Observed,
  { image }: Pick<DeploymentSettings, 'image'>,
): Verdict {
  const running = deployment && serverOf(deployment)?.image;
  if (service.spec.server?.image === undefined && running !== image) {
    const { name, namespace = '' } = service.metadata;
    const message = `The wanted version runs image ${running}, and the operator's default image is now ${image}. To switch to it: kubectl annotate sis/${name} -n ${namespace} --overwrite ${RESTART_ANNOTATION}="$(date -Is)".`;
    return yes(REASONS.olderImage, message);
  }
  const unrecorded = deployment && explainLongRecord(deployment);
  const message = 'The wanted version is the one that runs.';
  return yes(REASONS.upToDate, unrecorded === undefined ? message : `${message} ${unrecorded}`);
}

function firstOpen(verdicts: readonly Verdict[]): Verdict | undefined {
  const open = verdicts.filter(({ status }) => status !== 'True');
  return open.find(({ status }) => status === 'False') ?? open[0];
}

/** Whether pods of any version answer at status.url. Zero replicas on request count as ready. */
function judgeReady(
  observed: Observed,
  resolution: Resolution,
  deploymentReady: Verdict,
  model: ServedModel | undefined,
): Verdict {
  const { service, deployment, network } = observed;
  const conflict = conflictOf(observed);
  if (conflict !== undefined) return no(conflict.reason, conflict.message);
  if (isStopped(service)) return scaledToZero(service);
  const { ready } = countsOf(deployment);
  const stays = wantedReplicas(observed, resolution) > 0;
  if (network !== undefined && ready > 0 && stays) {
    return serving(ready, askedReplicas(service, observed.scaling), model);
  }
  const open = firstOpen([resolution.ready, resolution.gate]) ?? judgeSleep(observed, deploymentReady);
  return open ?? firstOpen([deploymentReady]) ?? unknown(REASONS.updating, 'No replica is ready.');
}

function scaledToZero(service: SparseInferenceService): Verdict {
  const { name, namespace = '' } = service.metadata;
  const message = `spec.replicas is 0, so nothing answers at ${serviceUrl(service)} until it is raised: kubectl scale sis/${name} -n ${namespace} --replicas=1.`;
  return yes(REASONS.scaledToZero, message);
}

function serving(ready: number, wanted: number, model: ServedModel | undefined): Verdict {
  const many = ready < wanted ? `${ready} of ${wanted} replicas serve` : replicasServe(ready);
  return yes(REASONS.serving, `${many}${model?.uri === undefined ? '' : ` the model at ${model.uri}`}.`);
}

function replicasServe(count: number): string {
  return count === 1 ? '1 replica serves' : `${count} replicas serve`;
}

function phaseOf(verdicts: Verdicts): ServicePhase {
  const { Ready, UpToDate, DeploymentReady, Stalled } = verdicts;

  if (Ready.status !== 'True') return Stalled === undefined ? 'Pending' : 'Failed';
  // What a controller has not told yet does not make a service that serves one that is being updated.
  const beside = [CHILDREN_READY, EXPOSED, GATEWAY_READY, QUALITY_MAINTAINED] as const;
  const open = firstOpen([
    UpToDate,
    DeploymentReady,
    ...beside.flatMap((type) => (verdicts[type]?.status === 'False' ? verdicts[type] : [])),
  ]);
  if (open === undefined) return 'Ready';
  return open.status === 'False' ? 'Degraded' : 'Updating';
}
