/** Keeps the versions of a service as ControllerRevisions, and brings back the one that spec.rollout.undoTo names. */
import type { RevisionStatus, ServedModel, SparseInferenceService } from '../api/types';
import { REASONS } from '../api/conditions';
import type { KubeClient } from '../kube/client';
import { timestamp } from '../kube/conditions';
import { isOwnedBy } from '../kube/owner';
import { controllerRevisions, type Deployment } from '../kube/resources';
import type { Clock } from '../runtime/clock';
import { isAlreadyExists } from '../runtime/errors';
import { keyOf } from '../runtime/objects';
import type { Trouble } from '../workload/pod-state';
import {
  asking,
  buildRevision,
  DEFAULT_HISTORY,
  latest,
  revisionSelector,
  wantedRevision,
  withServed,
} from './revision';
import type { Revision } from './revision';

export type Asked = {
  /** As its spec would be to ask for the version that it goes back to. */
  service: SparseInferenceService;
  /** Why there is no such version. */
  missing?: Trouble | undefined;
};

export type History = {
  /** What the spec asks for, with `rollout.undoTo` followed. */
  follow(service: SparseInferenceService): Promise<Asked>;
  /** Stores the version that the service would have with this model, before its first pod starts. */
  keep(service: SparseInferenceService, model: ServedModel): Promise<void>;
  /** The list for the status, now that the Deployment's version serves; forgets versions beyond the limit. */
  served(
    service: SparseInferenceService,
    model: ServedModel,
    deployment: Deployment,
  ): Promise<RevisionStatus[]>;
};

/** Versions that were read, by uid of the service and number; they never change. */
const MOST_REMEMBERED = 1_000;

export function createHistory({ client, clock }: { client: KubeClient; clock: Clock }): History {
  const read = new Map<string, Revision>();

  async function storedOf(service: SparseInferenceService): Promise<Revision[]> {
    const { namespace = '' } = service.metadata;
    const found = await client.list(controllerRevisions, {
      namespace,
      labelSelector: revisionSelector(service),
    });
    return found.filter((each) => isOwnedBy(each, service)) as Revision[];
  }

  async function find(service: SparseInferenceService, number: number): Promise<Revision | undefined> {
    const id = `${service.metadata.uid} ${number}`;
    const known = read.get(id);
    if (known !== undefined) return known;
    const stored = await storedOf(service);
    const found = stored.find(({ revision, data }) => revision === number && data !== undefined);
    if (found === undefined) return undefined;
    if (read.size >= MOST_REMEMBERED) read.clear();
    read.set(id, found);
    return found;
  }

  async function add(
    service: SparseInferenceService,
    model: ServedModel,
    stored: readonly Revision[],
  ): Promise<Revision[]> {
    const name = wantedRevision(service, model);
    if (stored.some(({ metadata }) => metadata.name === name)) return [...stored];
    const number = Math.max(0, ...stored.map(({ revision }) => revision)) + 1;
    try {
      const made = await client.create(controllerRevisions, buildRevision(service, model, number));
      return [...stored, made as Revision];
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return storedOf(service);
    }
  }

  async function forget(stored: readonly Revision[], keep: ReadonlySet<string>): Promise<void> {
    for (const revision of stored) {
      if (keep.has(revision.metadata.name)) continue;
      const { uid } = revision.metadata;
      await client.delete(controllerRevisions, keyOf(revision), uid === undefined ? {} : { uid });
    }
  }

  return {
    async follow(service) {
      const { undoTo } = service.spec.rollout ?? {};
      if (undoTo === undefined) return { service };
      const isListed = service.status?.revisions?.some(({ number }) => number === undoTo) === true;
      const found = isListed ? await find(service, undoTo) : undefined;
      if (found?.data !== undefined) return { service: asking(service, found.data) };
      return { service, missing: missing(service, undoTo) };
    },

    async keep(service, model) {
      await add(service, model, await storedOf(service));
    },

    async served(service, model, deployment) {
      const stored = await add(service, model, await storedOf(service));
      const list = withServed(service.status?.revisions, {
        deployment,
        stored,
        name: wantedRevision(service, model),
        servedAt: timestamp(clock.now()),
        limit: service.spec.rollout?.revisionHistoryLimit ?? DEFAULT_HISTORY,
      });
      const { revision, from } = service.status?.rollout ?? {};
      const names = [...list.map(({ name }) => name), revision, from];
      await forget(stored, new Set(names.filter((name) => name !== undefined)));
      return list;
    },
  };
}

function missing({ metadata, status }: SparseInferenceService, undoTo: number): Trouble {
  const numbers = (status?.revisions ?? []).map(({ number }) => number).join(', ');
  const choice = numbers === '' ? 'no version has served yet' : `there are ${numbers}`;
  const message = `spec.rollout.undoTo asks for version ${undoTo}, of which nothing is kept (${choice}): write one of status.revisions (kubectl get sis/${metadata.name} -n ${metadata.namespace ?? ''} -o yaml), or remove undoTo.`;
  return { reason: REASONS.revisionNotFound, message };
}

/** Whether the list in the status lacks that the Deployment's version serves. */
export function isUnlisted({ status }: SparseInferenceService, name: string): boolean {
  return latest(status?.revisions)?.name !== name;
}
