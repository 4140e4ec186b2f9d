import type { SparseFinetune, SparseInferenceService } from '../api/types';
import type { KubeClient } from '../kube/client';
import { controllerOf, isOwnedBy } from '../kube/owner';
import { deployments, jobs, pods, type Deployment, type Job, type Pod } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import type { KubeObject, OwnerReference, Resource } from '../runtime/objects';
import type { Reporter } from './review';

export type OwnerLookup = {
  /** Whether the reporter's pod was made for this object: follows the owner references, each by its uid. */
  ownsFinetunePod(finetune: SparseFinetune, reporter: Reporter): Promise<boolean>;
  ownsServicePod(service: SparseInferenceService, reporter: Reporter): Promise<boolean>;
};

const replicaSets: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
};

export type OwnerDependencies = {
  client: Pick<KubeClient, 'get'>;
  pods: Store<Pod>;
  jobs: Store<Job>;
  deployments: Store<Deployment>;
};

/** Pairs in a generation, of which two are held; a pair takes about 150 bytes. */
const GENERATION = 20_000;

export function createOwnerLookup({ client, ...stores }: OwnerDependencies): OwnerLookup {
  /**
   * Pairs of uids, pod and object, that were found to belong together, which never changes. Pairs that were not used
   * while a generation filled are dropped with the next.
   */
  let verified = new Set<string>();
  let verifiedBefore = new Set<string>();

  function isVerified(pair: string): boolean {
    if (verified.has(pair)) return true;
    if (!verifiedBefore.has(pair)) return false;
    setVerified(pair);
    return true;
  }

  function setVerified(pair: string): void {
    if (verified.size >= GENERATION) [verifiedBefore, verified] = [verified, new Set()];
    verified.add(pair);
  }

  async function once(
    reporter: Reporter,
    object: KubeObject,
    check: () => Promise<boolean>,
  ): Promise<boolean> {
    if (reporter.namespace !== object.metadata.namespace) return false;
    const pair = `${reporter.podUid} ${object.metadata.uid ?? ''}`;
    if (isVerified(pair)) return true;
    if (!(await check())) return false;
    setVerified(pair);
    return true;
  }

  /** From the cache, else from the API server: a pod may report before the watch has delivered it. */
  async function find<T extends KubeObject>(
    store: Store<T> | undefined,
    resource: Resource<T>,
    namespace: string,
    { name, uid }: { name: string; uid: string },
  ): Promise<T | undefined> {
    const cached = store?.get(namespace, name);
    if (cached?.metadata.uid === uid) return cached;
    const live = await client.get(resource, { namespace, name });
    return live?.metadata.uid === uid ? live : undefined;
  }

  /** The controller of an object, if it is of this kind. */
  function controller(object: KubeObject | undefined, kind: string): OwnerReference | undefined {
    const owner = object && controllerOf(object);
    return owner?.kind === kind ? owner : undefined;
  }

  async function podController(reporter: Reporter, kind: string): Promise<OwnerReference | undefined> {
    const { namespace, podName, podUid } = reporter;
    return controller(await find(stores.pods, pods, namespace, { name: podName, uid: podUid }), kind);
  }

  async function isFinetunePod(finetune: SparseFinetune, reporter: Reporter): Promise<boolean> {
    const owner = await podController(reporter, 'Job');
    const job = owner && (await find(stores.jobs, jobs, reporter.namespace, owner));
    return job !== undefined && isOwnedBy(job, finetune);
  }

  async function isServicePod(service: SparseInferenceService, reporter: Reporter): Promise<boolean> {
    const { namespace } = reporter;
    const owner = await podController(reporter, 'ReplicaSet');
    const replicaSet = owner && (await find(undefined, replicaSets, namespace, owner));
    const above = controller(replicaSet, 'Deployment');
    const deployment = above && (await find(stores.deployments, deployments, namespace, above));
    return deployment !== undefined && isOwnedBy(deployment, service);
  }

  return {
    ownsFinetunePod: (finetune, reporter) =>
      once(reporter, finetune, () => isFinetunePod(finetune, reporter)),
    ownsServicePod: (service, reporter) => once(reporter, service, () => isServicePod(service, reporter)),
  };
}
