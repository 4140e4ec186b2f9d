import { REASONS } from '../api/conditions';
import { controllerOf } from '../kube/owner';
import { trainJobName } from '../kube/names';
import type { SparseFinetune } from '../api/types';
import type { Pod } from '../kube/resources';
import { keyOf, keyText } from '../runtime/objects';
import { byCreation, isDeleting, isOver, lateRemedy, whereabouts, type Trouble } from '../workload/pod-state';

/**
 * A pod that may still write to the run's output although its Job is gone: deleted in the background or with
 * --cascade=orphan, or with an earlier SparseFinetune of the name. Whatever bears the run's label counts, without regard
 * to its age and owners: an orphan has no owner, and a wait too many costs less than two trainers on one output.
 */
export function earlierPod(labelled: readonly Pod[]): Pod | undefined {
  return [...labelled].sort(byCreation).find((pod) => !isOver(pod));
}

/** What the wait is for, and how to end it. */
export function explainEarlierPod({ metadata, spec }: SparseFinetune, pod: Pod, now: Date): Trouble {
  const why = `The ${whereabouts(pod)} has not ended and belongs to no Job of this run: the Job is made when it has, for two trainers must not write to spec.output.uri (${spec.output.uri}).`;
  const remedy = lateRemedy(pod, now);
  if (remedy !== undefined) return { reason: REASONS.podLost, message: `${why} ${remedy}` };
  return { reason: REASONS.earlierPodRuns, message: `${why} ${howItEnds(metadata.name, pod)}` };
}

function howItEnds(finetune: string, pod: Pod): string {
  if (isDeleting(pod)) return 'It was told to end, and saves a checkpoint first.';
  const owner = controllerOf(pod);
  if (owner?.kind === 'Job' && owner.name === trainJobName(finetune)) return 'It ends with its former Job.';
  const { name, namespace = '' } = pod.metadata;
  return `Nobody has told it to end: wait for it, or "kubectl delete pod ${name} --namespace ${namespace}" (it saves a checkpoint first).`;
}

/** Names in memory at most; one that is forgotten is again taken for new. */
const MOST_NAMES = 20_000;

/** Which SparseFinetune had each name last: another one of the same name may have left a pod behind. */
export function rememberNames() {
  const holders = new Map<string, { uid: string; isLater: boolean }>();
  return {
    note(finetune: SparseFinetune): void {
      const key = keyText(keyOf(finetune));
      const { uid = '' } = finetune.metadata;
      const known = holders.get(key);
      if (known?.uid === uid) return;
      holders.delete(key);
      holders.set(key, { uid, isLater: known !== undefined });
      const [oldest] = holders.keys();
      if (holders.size > MOST_NAMES && oldest !== undefined) holders.delete(oldest);
    },
    isTaken: (finetune: SparseFinetune): boolean => holders.get(keyText(keyOf(finetune)))?.isLater === true,
  };
}
