import { REASONS, USES_GPU } from '../api/conditions';
import type { SparseFinetune, SparseFinetuneStatus } from '../api/types';
import { sparseFinetunes } from '../api/types';
import { FIELD_MANAGER, type KubeClient } from '../kube/client';
import { findCondition } from '../kube/conditions';
import { workloads, type Workload } from '../kube/kueue';
import { labels, trainJobName } from '../kube/names';
import { isOwnedBy } from '../kube/owner';
import { jobs, pods, services, type Job, type Pod, type Service } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import type { Clock } from '../runtime/clock';
import type { Reconciler, ReconcileResult } from '../runtime/controller';
import { defined } from '../runtime/defined';
import { isAlreadyExists } from '../runtime/errors';
import type { EventRecorder } from '../runtime/events';
import { keyText, keyOf, type ObjectKey } from '../runtime/objects';
import type { Pace } from '../runtime/queue/pace';
import type { Logger } from '../runtime/telemetry/logger';
import { settingBehind } from '../workload/fields';
import { lastExit, lateAt } from '../workload/pod-state';
import { refusalFrom, RETRY_REFUSED_MS } from '../workload/refusal';
import { createPodRefusals } from '../workload/refused-pods';
import { earlierPod, rememberNames } from './earlier-pod';
import { isSuspendedByOthers, suspendManagers, TRAINER_CONTAINER, type JobSettings } from './job';
import { isOnCpuUnasked, type ClusterGpus } from './gpus';
import { expiryOf, plan, type Plan } from './plan';
import { isFinished } from './progress';
import { isQueued, JOB_INDEX, type Queue } from './queue';
import type { QueuePositions } from './queue-position';
import { withoutRefused } from './refused-status';
import { reportAddresses } from './report-address';
import { heldOpenAt } from './sidecar';
import {
  jobCondition,
  judge,
  podsOf,
  podsOfRun,
  startDueAt,
  succeededPod,
  type Observed,
  type Situation,
} from './situation';
import { buildStatus, isSilent, lastHeard, REPORT_SILENCE_MS } from './status';
import { isOvertaken, transitions } from './transitions';

export type FinetuneDependencies = {
  client: KubeClient;
  clock: Clock;
  logger: Logger;
  events: EventRecorder;
  pace: Pace;
  settings: JobSettings;
  finetunes: Store<SparseFinetune>;
  jobs: Store<Job>;
  /** With the index `finetune` over `namespace/name` of the SparseFinetune that the label names. */
  pods: Store<Pod>;
  networks: Store<Service>;
  queues: QueueDependencies;
  /** Counts the cluster's GPUs, as createGpuCount. */
  countGpus(): Promise<ClusterGpus | undefined>;
};

export type QueueDependencies = {
  /** With the index JOB_INDEX. */
  workloads: Store<Workload>;
  /** Whether the cluster has no such kind. */
  isMissing(): boolean;
  positions: QueuePositions;
};

/** Name of the index of pods that a FinetuneDependencies needs. */
export const FINETUNE_INDEX = 'finetune';

export function finetuneOfPod(pod: Pod): string[] {
  const name = pod.metadata.labels?.[labels.finetune];
  return name === undefined ? [] : [`${pod.metadata.namespace ?? ''}/${name}`];
}

/** Delay before the next look, in milliseconds, where the cluster may change without an event for us. */
const LOOK_AGAIN_MS: Partial<Record<Situation['kind'], number>> = {
  // A quota may be raised, a foreign Job may go.
  refused: RETRY_REFUSED_MS,
  conflict: RETRY_REFUSED_MS,
  // A foreign Job took the name and was gone before it could be read: our caches have not seen it.
  noJob: 2_000,
  // The pod may be in no cache.
  held: 2_000,
  jobDeleting: 2_000,
  // A Job without a pod: the reason is in events, which are not watched.
  waiting: 2_000,
  retrying: 5_000,
  podRefused: 5_000,
  // Places in a queue are not watched.
  queued: 30_000,
};

export function createFinetuneReconciler(dependencies: FinetuneDependencies): Reconciler {
  const { client, clock, logger, events, pace, settings } = dependencies;
  const names = rememberNames(clock);
  const podRefusals = createPodRefusals(client, clock);

  async function observe(
    finetune: SparseFinetune,
    job: Job | undefined,
    isNew: boolean = false,
  ): Promise<Observed> {
    const service = dependencies.networks.get(
      finetune.metadata.namespace ?? '',
      trainJobName(finetune.metadata.name),
    );
    const own = service !== undefined && isOwnedBy(service, finetune) ? service : undefined;
    return { ...(await observeJob(finetune, job, isNew)), service: own };
  }

  async function observeJob(
    finetune: SparseFinetune,
    job: Job | undefined,
    isNew: boolean,
  ): Promise<Observed> {
    const { name, namespace = '' } = finetune.metadata;
    const labelled = dependencies.pods.byIndex(FINETUNE_INDEX, `${namespace}/${name}`);
    const known = podsOfRun(finetune, job, labelled);
    if (job === undefined) return { finetune, job, pods: known, earlierPod: earlierPod(labelled) };
    if (!isOwnedBy(job, finetune) || isFinished(finetune)) return { finetune, job, pods: known };
    if (hasEnded(job)) return { finetune, job, pods: await podsAtEnd(finetune, job, known) };
    const holders = await holdersOf(finetune, job);
    const queue = await queueOf(finetune, job);
    // A Job that was just created has had no attempt to create a pod.
    const podRefusal = isNew ? undefined : await refusalOf(job, known);
    return { finetune, job, pods: known, podRefusal, holders, queue };
  }

  async function queueOf(finetune: SparseFinetune, job: Job): Promise<Queue | undefined> {
    const { queues } = dependencies;
    if (!isQueued(finetune)) return undefined;
    const isMissing = queues.isMissing();
    const [workload] = queues.workloads.byIndex(JOB_INDEX, job.metadata.uid ?? '');
    if (workload === undefined || job.spec?.suspend !== true) return { isMissing, workload };
    const { namespace = '' } = workload.metadata;
    const queue = { namespace, name: workload.spec?.queueName ?? '' };
    return { isMissing, workload, position: await queues.positions.of(queue, workload.metadata.name) };
  }

  /**
   * Who else has suspended the Job. The caches don't hold that, so the API server is asked when it is news and before a
   * suspension of ours is lifted.
   */
  async function holdersOf(finetune: SparseFinetune, job: Job): Promise<readonly string[] | undefined> {
    if (job.spec?.suspend !== true || finetune.spec.suspend === true || isQueued(finetune)) return undefined;
    if (isSuspendedByOthers(finetune, job) && isToldToBeHeld(finetune, job)) return undefined;
    const live = await existing(job);
    return live && suspendManagers(live);
  }

  /**
   * The Job's end may reach us before that of its last pod, whose final report is the result. So the pods are read from
   * the API server, once for each run, unless the cache already holds the pod that succeeded, which no longer changes.
   */
  async function podsAtEnd(
    finetune: SparseFinetune,
    job: Job,
    known: readonly Pod[],
  ): Promise<readonly Pod[]> {
    const done = jobCondition(job, 'Complete') && succeededPod(job, known);
    if (done && lastExit(done, TRAINER_CONTAINER) !== undefined) return known;
    return podsOfRun(finetune, job, await readPods(job));
  }

  /**
   * What is observed, with the pods from the API server, since the cache may not hold all of them yet: Jobs and pods
   * come by separate watches. A new name has no pods, and costs no request.
   */
  async function observeAnew(before: Observed): Promise<Observed> {
    const { finetune } = before;
    const { namespace = '', name } = finetune.metadata;
    const isNew = isUntold(finetune) && !pace.isWaiting(keyText(keyOf(finetune)));
    if (isNew && !names.isTaken(finetune)) return before;
    const live = await client.list(pods, { namespace, labelSelector: `${labels.finetune}=${name}` });
    return { ...before, earlierPod: earlierPod(live) };
  }

  async function readPods({ metadata }: Job): Promise<readonly Pod[]> {
    return client.list(pods, {
      namespace: metadata.namespace ?? '',
      labelSelector: `batch.kubernetes.io/controller-uid=${metadata.uid ?? ''}`,
    });
  }

  async function refusalOf(job: Job, known: readonly Pod[]): Promise<string | undefined> {
    return wantsPod(job, known) ? podRefusals.of(job, lastStory(job, known)) : undefined;
  }

  async function decide(finetune: SparseFinetune): Promise<{ before: Observed; planned: Plan }> {
    const { namespace = '', name } = finetune.metadata;
    const cached = await observe(finetune, dependencies.jobs.get(namespace, trainJobName(name)));
    const planned = plan(cached, settings, clock.now());
    if (planned.action !== 'createJob') return { before: cached, planned };
    const before = await observeAnew(cached);
    return { before, planned: plan(before, settings, clock.now()) };
  }

  /** Carries out the plan, and observes the resulting Job, which may be newer than the cache. */
  async function apply(observed: Observed, planned: Plan): Promise<Observed> {
    if (planned.action === 'none' || planned.action === 'expire') return observed;
    if (planned.action === 'deleteJob') return deleteJob(observed, planned.job);
    let written: Job | undefined;
    try {
      if (planned.action === 'controlWorkload') return await applyWorkload(observed, planned.workload);
      if (planned.action === 'createService') return await createService(observed, planned.service);
      written = await write(planned);
    } catch (error) {
      return { ...observed, refusal: refusalFrom(error, (field) => fieldOf(field, observed, planned)) };
    }
    return observe(observed.finetune, written, planned.action === 'createJob');
  }

  async function applyWorkload(observed: Observed, { metadata, spec = {} }: Workload): Promise<Observed> {
    const options = { fieldManager: FIELD_MANAGER };
    const workload = await client.applyPart(workloads, { metadata, spec }, options);
    return { ...observed, queue: { isMissing: false, workload } };
  }

  async function deleteJob(observed: Observed, { metadata }: Job): Promise<Observed> {
    const { name, namespace = '', uid } = metadata;
    // Its pods go first, so that no pod of it is left when another Job follows.
    await client.delete(jobs, { namespace, name }, { propagationPolicy: 'Foreground', ...defined({ uid }) });
    return observed;
  }

  async function createService(observed: Observed, service: Service): Promise<Observed> {
    const { name, namespace = '' } = service.metadata;
    try {
      return { ...observed, service: await client.create(services, service) };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const live = await client.get(services, { namespace, name });
      if (live === undefined || isOwnedBy(live, observed.finetune)) return { ...observed, service: live };
      const message = `The Service ${name}, by which the pods of spec.trainer.nodes would find each other, exists and belongs to another owner, so it is left alone: delete or rename it, or use another name for the SparseFinetune.`;
      return { ...observed, refusal: { reason: REASONS.nameConflict, message, final: false } };
    }
  }

  async function write({ action, job }: Extract<Plan, { job: Job }>): Promise<Job | undefined> {
    if (action === 'controlJob') return client.apply(jobs, job, { force: true });
    try {
      const made = await client.create(jobs, job);
      logger.info('Job created', keyOf(made));
      return made;
    } catch (error) {
      if (isAlreadyExists(error)) return existing(job);
      throw error;
    }
  }

  async function existing({ metadata }: Job): Promise<Job | undefined> {
    return client.get(jobs, { namespace: metadata.namespace ?? '', name: metadata.name });
  }

  /** Looks up where a silent pod reports to; once, because that never changes. */
  async function withAddresses(observed: Observed): Promise<Observed> {
    const { finetune } = observed;
    const situation = judge(observed, clock.now());
    const told = findCondition(finetune.status?.conditions, 'Reporting');
    if (situation.kind !== 'running' || told?.status === 'False') return observed;
    if (!isSilent(situation, finetune.status?.progress, clock.now())) return observed;
    const { namespace = '', name } = situation.pod.metadata;
    const pod = await client.get(pods, { namespace, name });
    return { ...observed, addresses: reportAddresses(finetune, pod, settings.reportsUrl) };
  }

  async function withGpus(observed: Observed): Promise<Observed> {
    const { finetune } = observed;
    const told = findCondition(finetune.status?.conditions, USES_GPU);
    if (isFinished(finetune) || told !== undefined) return observed;
    if (!isOnCpuUnasked(finetune, finetune.status?.trainer)) return observed;
    return { ...observed, gpus: await dependencies.countGpus() };
  }

  /** Milliseconds for which the status waits for a later one; 0 when it is to be written now. */
  function waitOf(finetune: SparseFinetune, wanted: SparseFinetuneStatus): number {
    const key = keyText(keyOf(finetune));
    const waitMs = pace.statusWait(key, isUntold(finetune), () => isOvertaken(finetune, wanted));
    if (waitMs === 0) pace.settle(key);
    return waitMs;
  }

  /** Logs one line for each run. */
  function logEnd(finetune: SparseFinetune, status: SparseFinetuneStatus): void {
    if (isFinished(finetune) || !isFinished({ ...finetune, status })) return;
    const { reason, message } = findCondition(status.conditions, 'Succeeded') ?? {};
    logger.info('run ended', { ...keyOf(finetune), phase: status.phase, reason, detail: message });
  }

  /** Writes the status and records events for the change; returns the status that was written. */
  async function writeStatus(
    finetune: SparseFinetune,
    wanted: SparseFinetuneStatus,
  ): Promise<SparseFinetuneStatus> {
    const patch = (status: SparseFinetuneStatus) => client.patchStatus(sparseFinetunes, finetune, status);
    let status = wanted;
    const written = await patch(wanted).catch((error: unknown) => {
      const rest = withoutRefused(finetune, wanted, error);
      if (rest === undefined) throw error;
      status = rest;
      return patch(rest);
    });
    if (written) {
      logEnd(finetune, status);
      for (const { type, reason, message } of transitions(finetune, status)) {
        events.event(finetune, type, reason, message);
      }
    }
    return status;
  }

  async function reconcile({ namespace, name }: ObjectKey): Promise<ReconcileResult> {
    const finetune = dependencies.finetunes.get(namespace, name);
    if (finetune === undefined) names.leave({ namespace, name });
    else names.note(finetune);
    if (finetune === undefined || finetune.metadata.deletionTimestamp !== undefined) {
      pace.settle(keyText({ namespace, name }));
      return undefined;
    }
    const { before, planned } = await decide(finetune);
    if (planned.action === 'expire') {
      const { uid } = finetune.metadata;
      await client.delete(sparseFinetunes, { namespace, name }, uid === undefined ? {} : { uid });
      return undefined;
    }
    const observed = await withGpus(await withAddresses(await apply(before, planned)));
    const wanted = buildStatus(observed, clock.now());
    const waitMs = waitOf(finetune, wanted);
    const status = waitMs > 0 ? wanted : await writeStatus(finetune, wanted);
    if (observed.refusal?.retry !== undefined) throw observed.refusal.retry;
    const after = { ...observed, finetune: { ...finetune, status } };
    return sooner(finetune, waitMs, wakeUp(after, judge(observed, clock.now()), clock.now()));
  }

  return { reconcile };
}

function fieldOf(field: string, { finetune }: Observed, planned: Plan): string {
  if (!('job' in planned)) return field;
  return settingBehind(field, 'spec.trainer', finetune.spec.trainer, planned.job.spec?.template);
}

function isToldToBeHeld({ status }: SparseFinetune, job: Job): boolean {
  const training = findCondition(status?.conditions, 'Training');
  return training?.reason === REASONS.heldByOthers && status?.jobUid === job.metadata.uid;
}

/** Whether the Job should have a pod but neither its status nor the cache shows one. */
function wantsPod(job: Job, known: readonly Pod[]): boolean {
  if (job.spec?.suspend === true || (job.status?.active ?? 0) > 0) return false;
  return podsOf(job, known).every((pod) => pod.status?.phase === 'Failed');
}

/** Refusals from before the newest pod was created, or before the Job was resumed, no longer count. */
function lastStory(job: Job, known: readonly Pod[]): number {
  const pod = Date.parse(podsOf(job, known).at(-1)?.metadata.creationTimestamp ?? '') || 0;
  const start = Date.parse(job.status?.startTime ?? '') || 0;
  // Both are whole seconds: a Job's first pod may be refused in the second in which the Job starts.
  return Math.max(pod, start - 1);
}

function hasEnded(job: Job): boolean {
  return jobCondition(job, 'Complete') !== undefined || jobCondition(job, 'Failed') !== undefined;
}

/** Whether the object has no status of ours yet, apart from the schema's defaults. */
function isUntold({ status }: SparseFinetune): boolean {
  return status?.phase === undefined;
}

/**
 * The result, or an earlier wake-up when a status waits: a first status comes due among the new objects, any other
 * behind the ends of runs.
 */
function sooner(finetune: SparseFinetune, waitMs: number, result: ReconcileResult): ReconcileResult {
  if (waitMs === 0) return result;
  const requeueAfterMs = Math.min(waitMs, result?.requeueAfterMs ?? Infinity);
  return { requeueAfterMs, priority: isUntold(finetune) ? 'high' : 'low' };
}

/** When to reconcile again although nothing changes. */
function wakeUp(observed: Observed, situation: Situation, now: Date): ReconcileResult {
  const after = wakeUpTimes(observed, situation, now);
  return after === undefined ? undefined : { requeueAfterMs: Math.max(0, after) };
}

function wakeUpTimes(observed: Observed, situation: Situation, now: Date): number | undefined {
  const { finetune, refusal } = observed;
  if (isFinished(finetune)) {
    const expiry = expiryOf(finetune);
    return expiry === undefined ? undefined : expiry - now.getTime();
  }
  if (refusal !== undefined) return RETRY_REFUSED_MS;
  if (situation.kind === 'running') {
    const heldOpen = heldOpenAt(situation.pod);
    const untilHeldOpen = heldOpen === undefined ? undefined : heldOpen - now.getTime();
    return earliest(untilSilence(situation, finetune, now), untilHeldOpen);
  }
  const late = 'pod' in situation && situation.pod !== undefined ? lateAt(situation.pod) : undefined;
  const times = [late, startDueAt(observed)].map((time) =>
    time === undefined ? time : time - now.getTime(),
  );
  return earliest(LOOK_AGAIN_MS[situation.kind], ...times);
}

/** The earliest of the future times; a time that has passed no longer matters. */
function earliest(...times: (number | undefined)[]): number | undefined {
  const toCome = times.filter((time) => time !== undefined && time > 0);
  return toCome.length === 0 ? undefined : Math.min(...toCome.map(Number));
}

/** Time until the trainer counts as silent; undefined when it already does, because then only a report changes that. */
function untilSilence(situation: Situation, { status }: SparseFinetune, now: Date): number | undefined {
  const heard = lastHeard(situation, status?.progress);
  if (heard === undefined) return undefined;
  const rest = heard + REPORT_SILENCE_MS - now.getTime();
  return rest > 0 ? rest : undefined;
}
