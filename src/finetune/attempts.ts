import type { AttemptsStatus } from '../api/types';
import type { Pod } from '../kube/resources';
import { defined } from '../runtime/defined';
import { byCreation, isOver } from '../workload/pod-state';
import { causeOf } from './exit';
import { TRAINER_CONTAINER } from './job';
import { isFirst } from './nodes';

/** When the trainer of the pod first ran; undefined when it never did. */
function startOf({ status = {} }: Pod): string | undefined {
  const trainer = status.containerStatuses?.find(({ name }) => name === TRAINER_CONTAINER);
  const { running, terminated } = trainer?.state ?? {};
  const pod = status.phase === 'Running' ? status.startTime : undefined;
  return [running?.startedAt, terminated?.startedAt, pod].find((start) => start !== undefined);
}

/** Image of the newest trainer that has started, with its digest: a tag may name another one for each attempt. */
export function imageOf(pods: readonly Pod[]): string | undefined {
  const newest = [...pods].sort(byCreation).reverse();
  return newest.map(imageId).find((id) => id !== undefined);
}

/** Empty until the container has started. */
function imageId({ status = {} }: Pod): string | undefined {
  const trainer = status.containerStatuses?.find(({ name }) => name === TRAINER_CONTAINER);
  return trainer?.imageID || undefined;
}

/** When a trainer of the run first ran. */
export function firstStart(before: AttemptsStatus | undefined, pods: readonly Pod[]): string | undefined {
  return before?.startedAt ?? pods.map(startOf).find((start) => start !== undefined);
}

/**
 * Counts the pods of a run over all its Jobs; of several that train together, pod 0 alone. The count lives in the status
 * together with the newest pod counted, so that neither a deleted Job nor a restarted operator resets or repeats it.
 */
export function countAttempts(
  before: AttemptsStatus | undefined,
  pods: readonly Pod[],
): AttemptsStatus | undefined {
  const ordered = pods.filter(isFirst).sort(byCreation);
  const uncounted = ordered.slice(firstUncounted(before, ordered));
  const newest = uncounted.at(-1);
  const exit = causeOf([...pods].sort(byCreation));
  if (before === undefined && newest === undefined) return undefined;
  return {
    ...before,
    number: (before?.number ?? 0) + uncounted.length,
    ...defined({
      lastExitReason: exit?.reason,
      podUid: newest?.metadata.uid,
      podCreatedAt: newest?.metadata.creationTimestamp,
      startedAt: firstStart(before, pods),
    }),
  };
}

/** Index after the newest counted pod; if that pod is gone, index of the first pod created after it. */
function firstUncounted(before: AttemptsStatus | undefined, ordered: readonly Pod[]): number {
  if (before?.podUid === undefined) return 0;
  const counted = ordered.findIndex((pod) => pod.metadata.uid === before.podUid);
  if (counted >= 0) return counted + 1;
  const younger = ordered.findIndex((pod) => isAfter(pod, before.podCreatedAt ?? ''));
  return younger < 0 ? ordered.length : younger;
}

/** Creation times are whole seconds. In the same second, a pod that has ended came first: only one runs at a time. */
function isAfter(pod: Pod, since: string): boolean {
  const created = pod.metadata.creationTimestamp ?? '';
  return created > since || (created === since && !isOver(pod));
}
