import type { Pod } from '../kube/resources';

/** One word for programs and a sentence for people. */
export type Trouble = { reason: string; message: string };

/** How a container ended. `message` is its termination message. */
export type Exit = {
  exitCode: number;
  reason: string;
  message: string | undefined;
  finishedAt: string | undefined;
};

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

/** States that every pod goes through; any other reason to wait is trouble. */
const NORMAL_WAITS = new Set(['ContainerCreating', 'PodInitializing']);

function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find((status) => status.name === container);
}

export function isDeleting(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

export function isRunning(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && !isDeleting(pod);
}

export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/**
 * Containers that run beside the given one and keep the pod from ending. Sidecars of Kubernetes' own kind are init
 * containers, which it ends itself.
 */
export function runningBeside(pod: Pod, container: string): string[] {
  const others = (pod.status?.containerStatuses ?? []).filter(({ name }) => name !== container);
  return others.filter(({ state }) => state?.running !== undefined).map(({ name }) => name);
}

/** Whether the node of a pod that runs has stopped to answer: then the node controller, and nobody else, denies that a pod whose containers are all ready is. */
export function isNodeSilent({ status }: Pod): boolean {
  const statusOfType = (type: string) => status?.conditions?.find((each) => each.type === type);
  const ready = statusOfType('Ready');
  return (
    ready?.status === 'False' &&
    ready.reason !== 'ReadinessGatesNotReady' &&
    statusOfType('ContainersReady')?.status === 'True'
  );
}

/** Why Kubernetes takes or took the pod away (a drain, a preemption, its node's loss); undefined when it does not. */
export function disruption({ status }: Pod): Trouble | undefined {
  const found = status?.conditions?.find(
    (condition) => condition.type === 'DisruptionTarget' && condition.status === 'True',
  );
  if (found === undefined) return undefined;
  const reason = found.reason ?? 'Disrupted';
  return { reason, message: found.message ?? `The pod was taken away: ${reason}.` };
}

/** The pod as a person finds it. */
export function whereabouts({ metadata, spec }: Pod): string {
  return `pod ${metadata.name}${spec?.nodeName === undefined ? '' : ` on node ${spec.nodeName}`}`;
}

/** How long after its grace period a pod may take to be gone: the kubelet kills it, and reports it. */
const LATE_AFTER_MS = 30_000;

/** When a pod that was told to end is late, in milliseconds since the epoch; undefined for any other pod. */
export function lateAt({ metadata, status }: Pod): number | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
  // The API server adds the grace period to the time of the request.
  return Date.parse(metadata.deletionTimestamp) + LATE_AFTER_MS;
}

/**
 * What to do about a pod that was told to end and has not: its node no longer answers, since a kubelet that lives kills
 * it after the grace period. Deleting it by force does not help a Job's pod, which a finalizer keeps until somebody
 * vouches for its end.
 */
export function lateRemedy(pod: Pod, now: Date): string | undefined {
  const late = lateAt(pod);
  if (late === undefined || now.getTime() < late) return undefined;
  const node = pod.spec?.nodeName;
  if (node === undefined) {
    return 'It should have ended by now: look at its finalizers (kubectl get pod --output yaml).';
  }
  return (
    `It should have ended by now, so the node seems lost. Once the node is off for certain, ` +
    `"kubectl taint nodes ${node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute" frees the pod ` +
    `(take the taint away when the node is back); a forced delete does not.`
  );
}

/** Why the pod can't start or go on, in the scheduler's or the kubelet's own words; undefined when it can. */
export function startTrouble(pod: Pod, container: string): Trouble | undefined {
  return unscheduled(pod) ?? stuck(pod, container);
}

function unscheduled(pod: Pod): Trouble | undefined {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status !== 'False') return undefined;
  return {
    reason: scheduled.reason ?? 'Unschedulable',
    message: withUncordon(scheduled.message ?? 'No node takes the pod.'),
  };
}

/** The scheduler does not say that its word for a cordoned node is "unschedulable". */
function withUncordon(message: string): string {
  const cordoned = /\d+ node\(s\) were unschedulable/.test(message);
  return cordoned ? `${message} A cordoned node takes no pod until "kubectl uncordon NODE".` : message;
}

function stuck(pod: Pod, container: string): Trouble | undefined {
  const waiting = statusOf(pod, container)?.state?.waiting;
  if (waiting?.reason === undefined || NORMAL_WAITS.has(waiting.reason)) return undefined;
  return { reason: waiting.reason, message: waiting.message ?? `The container waits: ${waiting.reason}.` };
}

/** How the container ended last; undefined while its first run goes on. */
export function lastExit(pod: Pod, container: string): Exit | undefined {
  const status = statusOf(pod, container);
  const ended = status?.state?.terminated ?? status?.lastState?.terminated;
  if (ended === undefined) return undefined;
  return {
    exitCode: ended.exitCode,
    reason: ended.reason ?? (ended.exitCode === 0 ? 'Completed' : 'Error'),
    message: ended.message,
    finishedAt: ended.finishedAt,
  };
}

/** What a pod that failed without its container saying so reports: eviction, preemption, its node's loss. */
export function podFailure(pod: Pod): Trouble | undefined {
  if (pod.status?.phase !== 'Failed') return undefined;
  const { reason, message } = pod.status;
  return (
    disruption(pod) ??
    (reason === undefined ? undefined : { reason, message: message ?? `The pod ended: ${reason}.` })
  );
}

/** Oldest first, in a total order. */
export function byCreation(a: Pod, b: Pod): number {
  const [left, right] = [a, b].map((pod) => `${pod.metadata.creationTimestamp ?? ''} ${pod.metadata.name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
