import type { KubeClient } from '../kube/client';
import { controllerOf, isOwnedBy } from '../kube/owner';
import { pods } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import type { KubeObject, Resource } from '../runtime/objects';
import type { Reporter } from './review';

export type OwnerLookup = {
  /**
   * Whether the reporter's pod was made for this object: follows the owner references from the pod over `controllers`,
   * each by its uid.
   */
  owns(object: KubeObject, controllers: readonly Resource[], reporter: Reporter): Promise<boolean>;
};

export type OwnerDependencies = {
  client: Pick<KubeClient, 'get'>;
  /** Looked into before the API server is asked. */
  caches: readonly (readonly [Resource, Store<KubeObject>])[];
};

/** Pairs in a generation, of which two are held; a pair takes about 150 bytes. */
const GENERATION = 20_000;

export function createOwnerLookup({ client, caches }: OwnerDependencies): OwnerLookup {
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

  /** From the cache, else from the API server: a pod may report before the watch has delivered it. */
  async function find(
    resource: Resource,
    namespace: string,
    { name, uid }: { name: string; uid: string },
  ): Promise<KubeObject | undefined> {
    const [, store] = caches.find(([cached]) => cached === resource) ?? [];
    const cached = store?.get(namespace, name);
    if (cached?.metadata.uid === uid) return cached;
    const live = await client.get(resource, { namespace, name });
    return live?.metadata.uid === uid ? live : undefined;
  }

  async function isPodOf(
    object: KubeObject,
    controllers: readonly Resource[],
    { namespace, podName, podUid }: Reporter,
  ): Promise<boolean> {
    let found = await find(pods, namespace, { name: podName, uid: podUid });
    for (const resource of controllers) {
      const owner = found && controllerOf(found);
      found = owner?.kind === resource.kind ? await find(resource, namespace, owner) : undefined;
    }
    return found !== undefined && isOwnedBy(found, object);
  }

  return {
    async owns(object, controllers, reporter) {
      if (reporter.namespace !== object.metadata.namespace) return false;
      const pair = `${reporter.podUid} ${object.metadata.uid ?? ''}`;
      if (isVerified(pair)) return true;
      if (!(await isPodOf(object, controllers, reporter))) return false;
      setVerified(pair);
      return true;
    },
  };
}
