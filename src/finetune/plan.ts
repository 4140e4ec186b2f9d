import type { SparseFinetune } from '../api/types';
import type { Workload } from '../kube/kueue';
import type { Job, Service } from '../kube/resources';
import { buildJob, controlledJob, controlsDiffer, isOutdated, type JobSettings } from './job';
import { buildService, nodesOf } from './nodes';
import { isFinished } from './progress';
import { wantedWorkload } from './queue';
import { judge, type Observed, type Situation } from './situation';

export type Plan =
  | { action: 'none' }
  | { action: 'createJob'; job: Job }
  /** Another follows, or none where the run is given up. */
  | { action: 'deleteJob'; job: Job }
  /** Gives the pods names, before and as long as there is a Job. */
  | { action: 'createService'; service: Service }
  | { action: 'controlJob'; job: Job }
  /** The queue is to hold the run, or no longer. */
  | { action: 'controlWorkload'; workload: Workload }
  /** The time to live after the run's end is over. */
  | { action: 'expire' };

/** When the object is to be deleted, in milliseconds since the epoch; undefined when never. */
export function expiryOf({ spec, status }: SparseFinetune): number | undefined {
  const ended = status?.completionTime;
  const own = status?.phase === 'Failed' ? spec.ttlSecondsAfterFailed : spec.ttlSecondsAfterSucceeded;
  const seconds = own ?? spec.ttlSecondsAfterFinished;
  if (seconds === undefined || ended === undefined) return undefined;
  return Date.parse(ended) + seconds * 1000;
}

/** What to write now. A run that has ended never gets another Job, even if its last one was deleted. */
export function plan(observed: Observed, settings: JobSettings, now: Date): Plan {
  const { finetune } = observed;
  if (finetune.metadata.deletionTimestamp !== undefined) return { action: 'none' };
  if (isFinished(finetune)) {
    const expiry = expiryOf(finetune);
    return expiry !== undefined && expiry <= now.getTime() ? { action: 'expire' } : { action: 'none' };
  }
  return planSituation(judge(observed, now), observed, settings);
}

const LEFT_ALONE: readonly string[] = ['held', 'conflict', 'jobDeleting', 'complete', 'failed'];

function planSituation({ kind }: Situation, observed: Observed, settings: JobSettings): Plan {
  const { finetune, job } = observed;
  if (LEFT_ALONE.includes(kind)) return { action: 'none' };
  const isOver = kind === 'givenUp' || (job !== undefined && isOutdated(finetune, job));
  if (job !== undefined && isOver) return { action: 'deleteJob', job };
  const isNamed = nodesOf(finetune) === 1 || observed.service !== undefined;
  if (['noJob', 'waiting', 'running', 'retrying'].includes(kind) && !isNamed)
    return { action: 'createService', service: buildService(finetune) };
  if (kind === 'noJob') return { action: 'createJob', job: buildJob(finetune, settings) };
  return control(observed);
}

/** The Workload follows first: a change of the Job alone causes no further pass. */
function control({ finetune, job, holders, queue }: Observed): Plan {
  const workload = queue?.workload && wantedWorkload(finetune, queue.workload);
  if (workload !== undefined) return { action: 'controlWorkload', workload };
  if (job === undefined || !controlsDiffer(finetune, job)) return { action: 'none' };
  return { action: 'controlJob', job: controlledJob(finetune, job, holders) };
}
