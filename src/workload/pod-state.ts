import type { Pod } from '../kube/resources';

/** A machine-readable reason and a human-readable message. */
export type Trouble = { reason: string; message: string };

/** How a container ended. `message` is its termination message. */
export type Exit = {
  exitCode: number;
  reason: string;
  message: string | undefined;
  finishedAt: string | undefined;
};

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

/** Reasons for waiting that every pod goes through; any other is trouble. */
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

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
}

export function isOver(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/**
 * Containers that run beside the given one and keep the pod from ending. Native sidecars are init containers, which
 * Kubernetes ends itself.
 */
export function runningBeside(pod: Pod, container: string): string[] {
  const others = (pod.status?.containerStatuses ?? []).filter(({ name }) => name !== container);
  return others.filter(({ state }) => state?.running !== undefined).map(({ name }) => name);
}

/**
 * Whether the node of a running pod has stopped answering: only then does the node controller set Ready to False on a
 * pod whose containers are all ready.
 */
export function isNodeSilent({ status }: Pod): boolean {
  const statusOfType = (type: string) => status?.conditions?.find((each) => each.type === type);
  const ready = statusOfType('Ready');
  return (
    ready?.status === 'False' &&
    ready.reason !== 'ReadinessGatesNotReady' &&
    statusOfType('ContainersReady')?.status === 'True'
  );
}

/** Why Kubernetes removes or has removed the pod (a drain, a preemption, a lost node); undefined when it does not. */
export function disruption({ status }: Pod): Trouble | undefined {
  const found = status?.conditions?.find(
    (condition) => condition.type === 'DisruptionTarget' && condition.status === 'True',
  );
  if (found === undefined) return undefined;
  const reason = found.reason ?? 'Disrupted';
  return { reason, message: found.message ?? `The pod was removed: ${reason}.` };
}

/** Name and node of the pod, for messages. */
export function whereabouts({ metadata, spec }: Pod): string {
  return `pod ${metadata.name}${spec?.nodeName === undefined ? '' : ` on node ${spec.nodeName}`}`;
}

/** Time after its grace period in which a pod should be gone: the kubelet kills it and reports that. */
const LATE_AFTER_MS = 30_000;

/** Time from which a terminating pod is late, in milliseconds since the epoch; undefined for any other pod. */
export function lateAt({ metadata, status }: Pod): number | undefined {
  if (metadata.deletionTimestamp === undefined) return undefined;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return undefined;
  // The API server adds the grace period to the time of the request.
  return Date.parse(metadata.deletionTimestamp) + LATE_AFTER_MS;
}

/**
 * What to do about a terminating pod that is late: its node no longer answers, since a live kubelet kills the pod after
 * the grace period. Deleting a Job's pod by force does not help, because a finalizer keeps it until its end is
 * confirmed.
 */
export function lateRemedy(pod: Pod, now: Date): string | undefined {
  const late = lateAt(pod);
  if (late === undefined || now.getTime() < late) return undefined;
  const node = pod.spec?.nodeName;
  if (node === undefined) {
    return 'It should have ended by now: look at its finalizers (kubectl get pod --output yaml).';
  }
  return (
    `It should have ended by now, so its node seems to be lost. Once you are sure that the node is off, ` +
    `"kubectl taint nodes ${node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute" frees the pod ` +
    `(remove the taint when the node is back); a forced delete does not.`
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

/** The scheduler calls a cordoned node "unschedulable" and says no more. */
function withUncordon(message: string): string {
  const cordoned = /\d+ node\(s\) were unschedulable/.test(message);
  return cordoned ? `${message} A cordoned node takes no pod until "kubectl uncordon NODE".` : message;
}

function stuck(pod: Pod, container: string): Trouble | undefined {
  const waiting = statusOf(pod, container)?.state?.waiting;
  if (waiting?.reason === undefined || NORMAL_WAITS.has(waiting.reason)) return undefined;
  return {
    reason: waiting.reason,
    message: waiting.message ?? `The container is waiting: ${waiting.reason}.`,
  };
}

/** How the container last ended; undefined during its first run. */
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

/** The command that shows what a container of the pod wrote; of one that was restarted, before its last restart. */
export function logCommand(pod: Pod, container: string): string {
  const { name, namespace = '' } = pod.metadata;
  const restarted = statusOf(pod, container)?.lastState?.terminated !== undefined;
  return `kubectl logs ${name} --namespace ${namespace} --container ${container}${restarted ? ' --previous' : ''}`;
}

/** What the kernel killed a container for, as the middle of a sentence. */
export function outOfMemory({ spec }: Pod, container: string): string {
  const limit = spec?.containers.find(({ name }) => name === container)?.resources?.limits?.memory;
  return limit === undefined ? 'ran out of memory' : `ran out of memory, of which its limit is ${limit}`;
}

/** Why a pod failed although its container gave no reason: eviction, preemption, a lost node. */
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
