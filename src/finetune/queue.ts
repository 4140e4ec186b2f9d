/**
 * A run in a queue of Kueue. The Job is created suspended, with the queue's label; from then on its suspend and its
 * template belong to the queue. Where the user suspends the run, its Workload is deactivated, since Kueue would lift a
 * suspend of the Job.
 */
import { REASONS } from '../api/conditions';
import type { SparseFinetune } from '../api/types';
import { no, unknown, type Verdict } from '../api/verdict';
import { annotations } from '../kube/names';
import { workloads, type Workload } from '../kube/kueue';
import { controllerOf } from '../kube/owner';
import { defined } from '../runtime/defined';

/** Name of the index of Workloads by the uid of the Job that each is for. */
export const JOB_INDEX = 'job';

export function jobOfWorkload(workload: Workload): string[] {
  const owner = controllerOf(workload);
  return owner?.kind === 'Job' ? [owner.uid] : [];
}

/** What is known of the queue of a run. */
export type Queue = {
  /** Whether the cluster has no Workloads, which come with Kueue. */
  isMissing: boolean;
  workload: Workload | undefined;
  /** Number of the run in its queue, from 1, where Kueue tells it. */
  position?: number | undefined;
};

export function isQueued({ spec }: SparseFinetune): boolean {
  return spec.queueName !== undefined;
}

/** The Workload as it is to be applied so that it follows spec.suspend; undefined when it does. */
export function wantedWorkload({ spec }: SparseFinetune, workload: Workload): Workload | undefined {
  const { name, namespace, uid } = workload.metadata;
  const isHeld = workload.metadata.annotations?.[annotations.suspended] === 'true';
  const holds = spec.suspend === true;
  if (isHeld === holds) return undefined;
  return {
    apiVersion: `${workloads.group}/${workloads.version}`,
    kind: workloads.kind,
    // The uid keeps this from making a Workload where this one has gone.
    metadata: defined({
      name,
      namespace,
      uid,
      annotations: holds ? { [annotations.suspended]: 'true' } : undefined,
    }),
    // A field that apply no longer names goes back to its default, true, unless others have set it as well.
    spec: holds ? { active: false } : {},
  };
}

/** What a run in a queue waits for, in Kueue's own words. */
export function queueVerdict(
  { metadata, spec }: SparseFinetune,
  { isMissing, workload, position }: Queue,
): Verdict {
  const queue = `queue ${spec.queueName ?? ''}`;
  if (isMissing) {
    const message = `spec.queueName is ${spec.queueName ?? ''}, and the cluster has no Workloads (kueue.x-k8s.io/v1beta2), so that nothing starts the run: install Kueue, or create the SparseFinetune without queueName.`;
    return no(REASONS.kindMissing, message);
  }
  if (workload === undefined)
    return unknown(REASONS.queued, `Waiting until Kueue has seen the Job for ${queue}.`);
  const where = `--namespace ${metadata.namespace ?? ''}`;
  if (workload.spec?.active === false) {
    const command = `kubectl patch workload ${workload.metadata.name} ${where} --type=merge --patch '{"spec":{"active":true}}'`;
    return no(
      REASONS.deactivated,
      `The Workload ${workload.metadata.name} is deactivated, so ${queue} passes it over${because(workload)}. "${command}" puts it back.`,
    );
  }
  return waiting(workload, queue, position);
}

function waiting(workload: Workload, queue: string, position: number | undefined): Verdict {
  const condition = conditionsOf(workload);
  if (condition('Admitted')?.status === 'True')
    return unknown(REASONS.queued, `Admitted by ${queue}; Kueue is about to start the Job.`);
  const quota = condition('QuotaReserved');
  if (quota?.status === 'True')
    return unknown(REASONS.queued, `Quota is reserved in ${queue}; waiting for ${checksOf(workload)}.`);
  const words = quota?.message ? `: ${sentence(quota.message)}` : '.';
  if (quota?.reason === 'Inadmissible') return no(REASONS.inadmissible, `Not admitted by ${queue}${words}`);
  const place = position === undefined ? '' : ` (number ${position})`;
  return unknown(REASONS.queued, `${evicted(workload)}Waiting in ${queue}${place}${words}`);
}

function conditionsOf({ status }: Workload) {
  return (type: string) => status?.conditions?.find((each) => each.type === type);
}

function because(workload: Workload): string {
  const condition = conditionsOf(workload)('Evicted');
  return condition?.status === 'True' ? ` (${condition.reason}: ${condition.message})` : '';
}

function evicted(workload: Workload): string {
  const why = because(workload);
  return why === '' ? '' : `Evicted${why}; resumes from its last checkpoint. `;
}

function checksOf({ status }: Workload): string {
  const open = (status?.admissionChecks ?? []).filter(({ state }) => state !== 'Ready');
  const told = open.map(({ name, state, message }) => `${name} (${message ? message : state})`);
  return told.length === 0 ? 'its admission' : `the admission checks ${told.join(', ')}`;
}

function sentence(words: string): string {
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
