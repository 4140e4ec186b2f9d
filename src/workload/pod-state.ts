import type { Pod } from '../kube/resources';

/** One word for programs and a sentence for people. */
export type Trouble = { reason: string; message: string };

/** How a container ended. `message` is its termination message. */
export type Exit = { exitCode: number; reason: string; message: string | undefined };

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

/** Why the pod can't start or go on, in the scheduler's or the kubelet's own words; undefined when it can. */
export function startTrouble(pod: Pod, container: string): Trouble | undefined {
  return unscheduled(pod) ?? stuck(pod, container);
}

function unscheduled(pod: Pod): Trouble | undefined {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status !== 'False') return undefined;
  return {
    reason: scheduled.reason ?? 'Unschedulable',
    message: scheduled.message ?? 'No node takes the pod.',
  };
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
  };
}

/** What a pod that failed without its container saying so reports: eviction, preemption, its node's loss. */
export function podFailure(pod: Pod): Trouble | undefined {
  if (pod.status?.phase !== 'Failed') return undefined;
  const disruption = pod.status.conditions?.find(
    (condition) => condition.type === 'DisruptionTarget' && condition.status === 'True',
  );
  const reason = disruption?.reason ?? pod.status.reason;
  if (reason === undefined) return undefined;
  return { reason, message: disruption?.message ?? pod.status.message ?? `The pod ended: ${reason}.` };
}

/** Oldest first, in a total order. */
export function byCreation(a: Pod, b: Pod): number {
  const [left, right] = [a, b].map((pod) => `${pod.metadata.creationTimestamp ?? ''} ${pod.metadata.name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
