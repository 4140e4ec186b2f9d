import type { SparseFinetune } from '../api/types';
import type { Workload } from '../kube/kueue';
import type { Job, Service } from '../kube/resources';
import { buildJob, controlledJob, controlsDiffer, type JobSettings } from './job';
import { buildService, nodesOf } from './nodes';
import { isFinished } from './progress';
import { wantedWorkload } from './queue';
import { judge, type Observed } from './situation';

export type Plan =
  | { action: 'none' }
  | { action: 'createJob'; job: Job }
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
  if (spec.ttlSecondsAfterFinished === undefined || ended === undefined) return undefined;
  return Date.parse(ended) + spec.ttlSecondsAfterFinished * 1000;
}

/** What to write now. A run that has ended never gets another Job, even if its last one was deleted. */
export function plan(observed: Observed, settings: JobSettings, now: Date): Plan {
  const { finetune } = observed;
  if (finetune.metadata.deletionTimestamp !== undefined) return { action: 'none' };
  if (isFinished(finetune)) {
    const expiry = expiryOf(finetune);
    return expiry !== undefined && expiry <= now.getTime() ? { action: 'expire' } : { action: 'none' };
  }
  const situation = judge(observed, now);
  const isNamed = nodesOf(finetune) === 1 || observed.service !== undefined;
  if (['noJob', 'waiting', 'running', 'retrying'].includes(situation.kind) && !isNamed)
    return { action: 'createService', service: buildService(finetune) };
  if (situation.kind === 'noJob') return { action: 'createJob', job: buildJob(finetune, settings) };
  if (['held', 'conflict', 'jobDeleting', 'complete', 'failed'].includes(situation.kind))
    return { action: 'none' };
  return control(observed);
}

/** The Workload follows first: a change of the Job alone causes no further pass. */
function control({ finetune, job, holders, queue }: Observed): Plan {
  const workload = queue?.workload && wantedWorkload(finetune, queue.workload);
  if (workload !== undefined) return { action: 'controlWorkload', workload };
  if (job === undefined || !controlsDiffer(finetune, job)) return { action: 'none' };
  return { action: 'controlJob', job: controlledJob(finetune, job, holders) };
}
