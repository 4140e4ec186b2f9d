/**
 * Containers that are added to the trainer's pod, for example by service meshes, and that do not end with the trainer.
 */
import { REASONS } from '../api/conditions';
import type { Pod } from '../kube/resources';
import { lastExit, runningBeside, whereabouts, type Exit, type Trouble } from '../workload/pod-state';
import { TRAINER_CONTAINER } from './job';
import { isFirst } from './nodes';

/** Time for a sidecar to notice that the trainer has ended, and to end as well. */
const GRACE_MS = 10_000;

/** A pod that keeps running although its trainer has ended: neither it nor its Job will end. */
export type HeldOpen = { pod: Pod; exit: Exit; sidecars: readonly string[] };

/**
 * Time from which the pod counts as held open by its sidecars, in milliseconds since the epoch; undefined when it does
 * not.
 */
export function heldOpenAt(pod: Pod): number | undefined {
  if (pod.status?.phase !== 'Running' || pod.metadata.deletionTimestamp !== undefined) return undefined;
  const exit = lastExit(pod, TRAINER_CONTAINER);
  if (exit === undefined || runningBeside(pod, TRAINER_CONTAINER).length === 0) return undefined;
  return Date.parse(exit.finishedAt ?? pod.status.startTime ?? '') + GRACE_MS;
}

export function heldOpen(pods: readonly Pod[], now: Date): HeldOpen | undefined {
  const held = pods.filter((each) => (heldOpenAt(each) ?? Infinity) <= now.getTime());
  const pod = held.findLast(isFirst) ?? held.at(-1);
  const exit = pod && lastExit(pod, TRAINER_CONTAINER);
  return pod && exit && { pod, exit, sidecars: runningBeside(pod, TRAINER_CONTAINER) };
}

/** Which container still runs, what frees the pod, and how to keep the container out of the next run. */
export function explainHeldOpen({ pod, sidecars }: HeldOpen, command: string): Trouble {
  const names = sidecars.join(' and ');
  const what = `The trainer has ended, and ${sidecars.length === 1 ? 'the container' : 'the containers'} ${names} of ${whereabouts(pod)} still run${sidecars.length === 1 ? 's' : ''}, so the pod does not end and keeps what it holds: "${command} --namespace ${pod.metadata.namespace ?? ''}" frees it.`;
  const next =
    'A sidecar that is an init container with restartPolicy Always ends with the trainer; spec.trainer.podLabels and podAnnotations keep one out (Istio: the label sidecar.istio.io/inject: "false"; Linkerd: the annotation linkerd.io/inject: disabled).';
  return { reason: REASONS.sidecarRuns, message: `${what} ${next}` };
}
