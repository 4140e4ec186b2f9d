/**
 * The parts of Kubernetes' Job controller and scheduler that a run needs: a pod on a node for each Job, and a Job that
 * has started once its pod is made and is complete once its pod has succeeded. This alone writes the Job's status, in
 * two patches; kwok writes the pod's, in two more.
 */
import { timestamp } from '../../src/kube/conditions';
import { ownerReference } from '../../src/kube/owner';
import { jobs, pods, type Job, type Pod } from '../../src/kube/resources';
import type { Transport, WatchEvent } from '../../src/runtime/http/transport';
import { collectionPath, keyOf, objectPath } from '../../src/runtime/objects';

export type JobController = {
  takeJob(event: WatchEvent): void;
  takePod(event: WatchEvent): void;
  /** Throws when a write has failed. */
  check(): void;
};

const now = () => timestamp(new Date());

/** The pod that the Job asks for, on a node. */
export function podOf(job: Job, nodeName: string): Pod {
  const { name, namespace = '', uid = '' } = job.metadata;
  const { template } = job.spec!;
  const labels = template.metadata?.labels as Record<string, string> | undefined;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-0`,
      namespace,
      labels: { ...labels, 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name },
      ownerReferences: [{ ...ownerReference(job), apiVersion: 'batch/v1', kind: 'Job' }],
    },
    spec: { ...template.spec!, nodeName },
  };
}

export const started = (time: string) => ({ startTime: time, active: 1, ready: 0 });

export function completed(time: string) {
  const conditions = ['SuccessCriteriaMet', 'Complete'].map((type) => ({
    type,
    status: 'True',
    reason: 'CompletionsReached',
    message: 'Reached expected number of succeeded pods',
    lastProbeTime: time,
    lastTransitionTime: time,
  }));
  return { completionTime: time, active: 0, ready: 0, succeeded: 1, conditions };
}

export function createJobController(transport: Transport, nodeNames: readonly string[]): JobController {
  /**
   * Jobs whose pod has not ended, by uid, and when they have begun: the API server refuses a Job that is complete and
   * then starts, which it would be where the second patch overtakes the first.
   */
  const begun = new Map<string, Promise<void>>();
  let placed = 0;
  let failure: unknown;

  async function patchStatus(job: { name: string; namespace: string }, status: object): Promise<void> {
    await transport.request({
      method: 'PATCH',
      path: `${objectPath(jobs, job)}/status`,
      contentType: 'application/merge-patch+json',
      body: { status },
    });
  }

  async function begin(job: Job): Promise<void> {
    const pod = podOf(job, nodeNames[placed++ % nodeNames.length] ?? '');
    await transport.request({
      method: 'POST',
      path: collectionPath(pods, job.metadata.namespace),
      body: pod,
    });
    await patchStatus(keyOf(job), started(now()));
  }

  const noteFailure = (error: unknown) => {
    failure ??= error;
  };

  return {
    takeJob({ type, object }) {
      if (type !== 'ADDED') return;
      const work = begin(object);
      work.catch(noteFailure);
      begun.set(object.metadata.uid ?? '', work);
    },
    takePod({ object }) {
      const owner = object.metadata.ownerReferences?.[0];
      const work = begun.get(owner?.uid ?? '');
      if (owner === undefined || work === undefined || (object as Pod).status?.phase !== 'Succeeded') return;
      begun.delete(owner.uid);
      const job = { name: owner.name, namespace: object.metadata.namespace ?? '' };
      work.then(() => patchStatus(job, completed(now()))).catch(noteFailure);
    },
    check() {
      if (failure !== undefined) throw new Error('the Job controller could not write', { cause: failure });
    },
  };
}
