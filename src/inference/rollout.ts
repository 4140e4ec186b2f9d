/** How far a roll-out has come, and whether it can go on by a further pod or only by replacing one. */
import { TEMPLATE_LABEL } from '../kube/cached';
import { equalJson } from '../kube/patch';
import type { Deployment, Pod } from '../kube/resources';
import { byCreation, isDeleting, isOver } from '../workload/pod-state';
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

/** Whether the controller has looked at the Deployment as it is. */
function isSeen({ metadata, status }: Deployment): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

/** Every pod is of this template and available, and there are as many as wanted. */
export function isComplete(deployment: Deployment, wanted: number): boolean {
  const { desired, updated, all, available } = countsOf(deployment);
  return isSeen(deployment) && [desired, updated, all, available].every((count) => count === wanted);
}

/** No pod of an earlier template is left. */
export function isAlone(deployment: Deployment): boolean {
  const { updated, all } = countsOf(deployment);
  return isSeen(deployment) && all === updated;
}

/** The template serves and no pod of an earlier one is left, though more of its own may still come. */
export function hasArrived(deployment: Deployment): boolean {
  const { desired, all, available } = countsOf(deployment);
  return isAlone(deployment) && (available > 0 || (desired === 0 && all === 0));
}

export type Strategy = NonNullable<Deployment['spec']>['strategy'];

export function isReplacing(strategy: Strategy): boolean {
  return strategy?.rollingUpdate?.maxSurge === REPLACE.rollingUpdate.maxSurge;
}

/** The newest pod that lives: the one that tells how the present template does. */
export function newestPod(pods: readonly Pod[]): Pod | undefined {
  return pods
    .filter((pod) => !isDeleting(pod) && !isOver(pod))
    .sort(byCreation)
    .at(-1);
}

/** A further pod gets this long to find its place: an autoscaler may add a node, but the roll-out has to go on. */
export const PATIENCE_MS = 30_000;

/** A pod of a new template that finds no place beside one of an earlier template that serves. */
export type Unplaced = {
  /** Undefined while the API server refuses to store it. */
  pod: Pod | undefined;
  /** What it asks for. */
  wants: PodSpec | undefined;
  /** What the pod holds that would make room. */
  held: PodSpec | undefined;
  /** In milliseconds since the epoch. */
  since: number;
  /** No node takes it, its node waits for a volume, or the namespace's quota is used up. */
  lacks: 'node' | 'volume' | 'quota';
  message: string;
};

type PodSpec = NonNullable<Pod['spec']>;

export function findUnplaced(deployment: Deployment, pods: readonly Pod[]): Unplaced | undefined {
  const serving = pods.filter((pod) => isReady(pod) && !isDeleting(pod));
  return unstoredPod(deployment, serving) ?? unplacedNewest(newestPod(pods), serving);
}

function unstoredPod({ spec, status }: Deployment, [old]: readonly Pod[]): Unplaced | undefined {
  const { conditions = [], updatedReplicas = 0 } = status ?? {};
  const refused = conditions.find(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True');
  const { message = '', lastTransitionTime } = refused ?? {};
  if (old === undefined || updatedReplicas > 0 || !message.includes('exceeded quota')) return undefined;
  const found = { pod: undefined, wants: spec?.template.spec, held: old.spec };
  return { ...found, since: timeOf(lastTransitionTime), lacks: 'quota', message };
}

function unplacedNewest(pod: Pod | undefined, serving: readonly Pod[]): Unplaced | undefined {
  if (pod === undefined) return undefined;
  const old = serving.find((other) => templateOf(other) !== templateOf(pod));
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
 * What the scheduler says of nodes that would take the pod if one like it left: no room in resources or in number, a
 * claim that lets one pod in, a rule that keeps servers apart.
 */
const CURED_BY_A_LEAVING_POD =
  /Insufficient |Too many pods|ReadWriteOncePod|anti-affinity rules|max volume count/;

/**
 * Why the roll-out goes on only when an old pod makes room, in the cluster's own words; undefined while it may go on
 * otherwise. An old pod is given up only for one that surely fits into its place: it asks for no more, and for nothing
 * else. `attachFailure` is what was said of the pod's volume.
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

/** Every stored pod is given these, which a template does not have. */
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

function isReady(pod: Pod): boolean {
  return conditionOf(pod, 'Ready')?.status === 'True';
}
