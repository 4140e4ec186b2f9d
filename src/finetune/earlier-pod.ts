import { REASONS } from '../api/conditions';
import { controllerOf } from '../kube/owner';
import { trainJobName } from '../kube/names';
import type { SparseFinetune } from '../api/types';
import type { Pod } from '../kube/resources';
import type { Clock } from '../runtime/clock';
import { keyOf, keyText, type ObjectKey } from '../runtime/objects';
import { byCreation, isDeleting, isOver, lateRemedy, whereabouts, type Trouble } from '../workload/pod-state';

/**
 * A pod that may still write to the run's output although its Job is gone: deleted in the background or with
 * --cascade=orphan, or with an earlier SparseFinetune of the name. Every pod with the run's label counts, regardless of
 * its age and owners: an orphan has no owner, and an unnecessary wait costs less than two trainers on one output.
 */
export function earlierPod(labelled: readonly Pod[]): Pod | undefined {
  return [...labelled].sort(byCreation).find((pod) => !isOver(pod));
}

/** What the run is waiting for, and how to end the wait. */
export function explainEarlierPod({ metadata, spec }: SparseFinetune, pod: Pod, now: Date): Trouble {
  const why = `The ${whereabouts(pod)} has not ended and belongs to no Job of this run. The Job is created when it has ended, because two trainers must not write to spec.output.uri (${spec.output.uri}).`;
  const remedy = lateRemedy(pod, now);
  if (remedy !== undefined) return { reason: REASONS.podLost, message: `${why} ${remedy}` };
  return { reason: REASONS.earlierPodRuns, message: `${why} ${howItEnds(metadata.name, pod)}` };
}

function howItEnds(finetune: string, pod: Pod): string {
  if (isDeleting(pod)) return 'It is terminating, and saves a checkpoint first.';
  const owner = controllerOf(pod);
  if (owner?.kind === 'Job' && owner.name === trainJobName(finetune)) return 'It ends with its former Job.';
  const { name, namespace = '' } = pod.metadata;
  return `Nothing has asked it to end: wait for it, or "kubectl delete pod ${name} --namespace ${namespace}" (it saves a checkpoint first).`;
}

/**
 * Time for which a name is remembered after its holder has gone: by then the cache of pods, whose watch lags by seconds at
 * most, holds what it left behind.
 */
const REMEMBERED_MS = 30_000;

/** Remembers which SparseFinetune last had each name: an earlier one of the same name may have left a pod behind. */
export function rememberNames(clock: Pick<Clock, 'monotonic'>) {
  const holders = new Map<string, { uid: string; isLater: boolean }>();
  /** Names without a holder, with the time since when, in that order. */
  const gone = new Map<string, number>();

  function dropOld(): void {
    for (const [key, since] of gone) {
      if (clock.monotonic() - since < REMEMBERED_MS) return;
      gone.delete(key);
    }
  }

  return {
    note(finetune: SparseFinetune): void {
      const key = keyText(keyOf(finetune));
      const { uid = '' } = finetune.metadata;
      const known = holders.get(key);
      if (known?.uid === uid) return;
      holders.set(key, { uid, isLater: known !== undefined || gone.delete(key) });
    },
    /** Called when there is no longer a SparseFinetune of the name. */
    leave(key: ObjectKey): void {
      dropOld();
      if (holders.delete(keyText(key))) gone.set(keyText(key), clock.monotonic());
    },
    isTaken: (finetune: SparseFinetune): boolean => holders.get(keyText(keyOf(finetune)))?.isLater === true,
  };
}
