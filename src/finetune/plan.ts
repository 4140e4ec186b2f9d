import type { SparseFinetune } from '../api/types';
import type { Job } from '../kube/resources';
import { buildJob, controlledJob, controlsDiffer, type JobSettings } from './job';
import { isFinished } from './progress';
import { judge, type Observed } from './situation';

export type Plan =
  | { action: 'none' }
  | { action: 'createJob'; job: Job }
  | { action: 'controlJob'; job: Job }
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
  const { finetune, job } = observed;
  if (finetune.metadata.deletionTimestamp !== undefined) return { action: 'none' };
  if (isFinished(finetune)) {
    const expiry = expiryOf(finetune);
    return expiry !== undefined && expiry <= now.getTime() ? { action: 'expire' } : { action: 'none' };
  }
  const situation = judge(observed, now);
  if (situation.kind === 'noJob') return { action: 'createJob', job: buildJob(finetune, settings) };
  if (['held', 'conflict', 'jobDeleting', 'complete', 'failed'].includes(situation.kind))
    return { action: 'none' };
  if (job === undefined || !controlsDiffer(finetune, job)) return { action: 'none' };
  return { action: 'controlJob', job: controlledJob(finetune, job, observed.holders) };
}
