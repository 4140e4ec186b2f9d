/** How far a rollout has come, and whether it can add a pod or has to replace one. */
import { TEMPLATE_LABEL } from '../kube/cached';
import { equalJson } from '../kube/patch';
import type { Deployment, Pod } from '../kube/resources';
import { byCreation, isDeleting, isOver, isReady } from '../workload/pod-state';
import { quantityValue } from '../workload/quantity';
import { REPLACE } from './deployment';

/** What the Deployment's controller last counted. */
export type Counts = { desired: number; all: number; updated: number; ready: number; available: number };

export function countsOf(deployment: Deployment | undefined): Counts {
  const {
    replicas = 0,
    updatedReplicas = 0,
    readyReplicas = 0,
    availableReplicas = 0,
  } = deployment?.status ?? {};
  return {
    desired: deployment?.spec?.replicas ?? 0,
    all: replicas,
    updated: updatedReplicas,
    ready: readyReplicas,
    available: availableReplicas,
  };
}

/** Whether the Deployment controller has observed the current generation. */
function isSeen({ metadata, status }: Deployment): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

/** Every pod is of this template and available, and their number is the wanted one. */
export function isComplete(deployment: Deployment, wanted: number): boolean {
  const { desired, updated, all, available } = countsOf(deployment);
  return isSeen(deployment) && [desired, updated, all, available].every((count) => count === wanted);
}

/** No pod of an earlier template is left. */
export function isAlone(deployment: Deployment): boolean {
  const { updated, all } = countsOf(deployment);
  return isSeen(deployment) && all === updated;
}

/** A pod of this template serves and no pod of an earlier one is left; more pods of this template may still start. */
export function hasArrived(deployment: Deployment): boolean {
  const { desired, all, available } = countsOf(deployment);
  return isAlone(deployment) && (available > 0 || (desired === 0 && all === 0));
}

export type Strategy = NonNullable<Deployment['spec']>['strategy'];

export function isReplacing(strategy: Strategy): boolean {
  return strategy?.rollingUpdate?.maxSurge === REPLACE.rollingUpdate.maxSurge;
}

/** Whether no pod may serve for a while in this rollout, since the last one ends before its successor starts. */
export function isInGap(deployment: Deployment, wanted: number): boolean {
  const { strategy } = deployment.spec ?? {};
  const endsFirst = strategy?.type === 'Recreate' || (isReplacing(strategy) && wanted === 1);
  return endsFirst && wanted > 0 && !hasArrived(deployment);
}

/** Whether a rollout may have such a gap, now or soon: gateways need some seconds to open a port for it. */
export function mayHaveGap(deployment: Deployment, pods: readonly Pod[]): boolean {
  const { strategy, replicas } = deployment.spec ?? {};
  if (strategy?.type === 'Recreate') return true;
  return replicas === 1 && (isReplacing(strategy) || findUnplaced(deployment, pods) !== undefined);
}

/** The newest live pod, which shows how the present template fares. */
export function newestPod(pods: readonly Pod[]): Pod | undefined {
  return pods
    .filter((pod) => !isDeleting(pod) && !isOver(pod))
    .sort(byCreation)
    .at(-1);
}

/** Time for an additional pod to find a place: an autoscaler may add a node, but the rollout has to go on. */
export const PATIENCE_MS = 30_000;

/** A pod of a new template that finds no place beside one of an earlier template that serves. */
export type Unplaced = {
  /** Undefined while the API server refuses to store it. */
  pod: Pod | undefined;
  /** What it asks for. */
  wants: PodSpec | undefined;
  /** Spec of the serving pod that would make room. */
  held: PodSpec | undefined;
  /** In milliseconds since the epoch. */
  since: number;
  /** What it lacks: a node that takes it, its volume on that node, or room in the namespace's quota. */
  lacks: 'node' | 'volume' | 'quota';
  message: string;
};

type PodSpec = NonNullable<Pod['spec']>;

export function findUnplaced(deployment: Deployment, pods: readonly Pod[]): Unplaced | undefined {
  const serving = pods.filter((pod) => isReady(pod) && !isDeleting(pod));
  const newest = newestPod(pods);
  return unstoredPod(deployment, newest, serving) ?? unplacedNewest(newest, serving);
}

/** A pod that the quota keeps out. While none of the new template is stored, every pod is of an earlier one. */
function unstoredPod(
  deployment: Deployment,
  newest: Pod | undefined,
  serving: readonly Pod[],
): Unplaced | undefined {
  const refused = refusedByQuota(deployment);
  if (refused === undefined) return undefined;
  const { spec, status } = deployment;
  const isFirst = (status?.updatedReplicas ?? 0) === 0;
  const old = isFirst ? serving[0] : newest && earlierThan(newest, serving);
  if (old === undefined) return undefined;
  return { pod: undefined, wants: spec?.template.spec, held: old.spec, lacks: 'quota', ...refused };
}

function refusedByQuota({ status }: Deployment): Pick<Unplaced, 'since' | 'message'> | undefined {
  const refused = status?.conditions?.find(
    ({ type, status: is }) => type === 'ReplicaFailure' && is === 'True',
  );
  const { message = '', lastTransitionTime } = refused ?? {};
  return message.includes('exceeded quota') ? { since: timeOf(lastTransitionTime), message } : undefined;
}

function earlierThan(pod: Pod, serving: readonly Pod[]): Pod | undefined {
  return serving.find((other) => templateOf(other) !== templateOf(pod));
}

function unplacedNewest(pod: Pod | undefined, serving: readonly Pod[]): Unplaced | undefined {
  if (pod === undefined) return undefined;
  const old = earlierThan(pod, serving);
  return old && unplacedPod(pod, old);
}

function unplacedPod(pod: Pod, old: Pod): Unplaced | undefined {
  const found = { pod, wants: pod.spec, held: old.spec };
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (scheduled?.status === 'False') {
    const { lastTransitionTime: since, message = '' } = scheduled;
    return { ...found, since: timeOf(since), lacks: 'node', message };
  }
  const startable = conditionOf(pod, 'PodReadyToStartContainers');
  if (scheduled?.status !== 'True' || startable?.status !== 'False') return undefined;
  return { ...found, since: timeOf(startable.lastTransitionTime), lacks: 'volume', message: '' };
}

function timeOf(timestamp: string | undefined): number {
  return Date.parse(timestamp ?? '');
}

/**
 * Scheduler messages about nodes that would take the pod if one like it left: not enough resources, too many pods, a
 * claim for a single pod, a rule that keeps servers apart.
 */
const CURED_BY_A_LEAVING_POD =
  /Insufficient |Too many pods|ReadWriteOncePod|anti-affinity rules|max volume count/;

/**
 * Why the rollout can go on only when an old pod makes room, in the cluster's own words; undefined while it may go on
 * without that. An old pod is ended only for one that is sure to fit into its place: it asks for no more, and for
 * nothing else. `attachFailure` is the attach failure of the pod's volume.
 */
export function needsReplacement(
  unplaced: Unplaced | undefined,
  attachFailure: string | undefined,
  now: Date,
): string | undefined {
  if (unplaced === undefined || !(now.getTime() - unplaced.since >= PATIENCE_MS)) return undefined;
  const { wants, held, lacks, message } = unplaced;
  if (lacks === 'volume') return attachFailure;
  const cured = lacks === 'quota' || CURED_BY_A_LEAVING_POD.test(message);
  return cured && fitsIntoPlaceOf(wants, held) ? message : undefined;
}

function fitsIntoPlaceOf(wanted: PodSpec | undefined, held: PodSpec | undefined): boolean {
  if (wanted === undefined || held === undefined) return false;
  return (
    isWithin(wanted.nodeSelector ?? {}, held.nodeSelector ?? {}) &&
    (wanted.affinity === undefined || equalJson(wanted.affinity, held.affinity)) &&
    tolerates(wanted.tolerations, held.tolerations) &&
    [...claimsOf(wanted)].every((claim) => claimsOf(held).has(claim)) &&
    asksNoMore(requestsOf(wanted), requestsOf(held))
  );
}

function tolerates(wanted: PodSpec['tolerations'] = [], held: PodSpec['tolerations'] = []): boolean {
  return held.every((one) => isAdmitted(one) || wanted.some((other) => equalJson(one, other)));
}

/** Tolerations that admission adds to every stored pod, and that a template does not have. */
function isAdmitted({ key = '' }: NonNullable<PodSpec['tolerations']>[number]): boolean {
  return key === 'node.kubernetes.io/not-ready' || key === 'node.kubernetes.io/unreachable';
}

function isWithin(part: Record<string, string>, whole: Record<string, string>): boolean {
  return Object.entries(part).every(([key, value]) => whole[key] === value);
}

function claimsOf({ volumes = [] }: PodSpec): Set<string> {
  return new Set(volumes.flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? []));
}

function requestsOf({ containers }: PodSpec): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { resources } of containers) {
    for (const [name, quantity] of Object.entries({ ...resources?.limits, ...resources?.requests })) {
      sums.set(name, (sums.get(name) ?? 0) + quantityValue(quantity));
    }
  }
  return sums;
}

function asksNoMore(wanted: Map<string, number>, held: Map<string, number>): boolean {
  return [...wanted].every(([name, amount]) => amount <= (held.get(name) ?? 0));
}

function templateOf({ metadata }: Pod): string | undefined {
  return metadata.labels?.[TEMPLATE_LABEL];
}

function conditionOf(pod: Pod, type: string) {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}
