/** The load of a service as one number, for an autoscaler outside of the operator. */
import { replicasFor, sumOf, type Load, type Target } from './load';

export type Heard = {
  /** The loads of the pods with a fresh report. */
  loads: readonly Load[];
  /** Ready pods without one. */
  silent: number;
  /** Pods that are not ready. */
  loading: number;
  /** Requests that wait in gateways for a pod. */
  held: number;
};

/**
 * A number that asks for as many replicas as it has times the target in it: requests, images or seconds of denoising,
 * but at least what the replicas need to draw what arrives (see replicasFor). Undefined where nothing is known, which
 * is never the same as no load.
 *
 * As in `decide`, silent pods are the reason for no change: empty where the others need more, at their target where they
 * need fewer. Pods that are not ready have no load.
 */
export function needOf(target: Target, { loads, silent, loading, held }: Heard): number | undefined {
  if (loads.length === 0 && held === 0) return undefined;
  const live = loads.length + silent + loading;
  const reported = replicasFor(target, sumOf(loads));
  const needed = reported >= live ? reported : Math.min(live, reported + silent);
  return Math.max(needed, replicasForHeld(target, held)) * target.value;
}

/** What held requests ask for is not known yet: an image each, which takes an unknown time. */
function replicasForHeld({ figure, value }: Target, held: number): number {
  return figure === 'denoisingSeconds' ? Math.min(1, held) : held / value;
}
