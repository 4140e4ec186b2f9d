import type { KubeClient } from '../kube/client';
import { isForbidden } from '../runtime/errors';
import type { KubeObject, Resource } from '../runtime/objects';

type CoreEvent = KubeObject & {
  reason?: string;
  message?: string;
  lastTimestamp?: string;
  eventTime?: string;
};

const coreEvents: Resource<CoreEvent> = {
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

/**
 * Why a controller of Kubernetes could not create pods for the object: a quota or an admission rule, in the API
 * server's own words. They stand nowhere but in the controller's events; without the right to list these, nothing is
 * known.
 */
export async function podCreationRefusal(client: KubeClient, owner: KubeObject): Promise<string | undefined> {
  const { namespace = '', uid = '' } = owner.metadata;
  const fieldSelector = `involvedObject.uid=${uid},reason=FailedCreate`;
  try {
    const found = await client.list(coreEvents, { namespace, fieldSelector });
    return found.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1)).at(-1)?.message;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

function timeOf({ lastTimestamp, eventTime, metadata }: CoreEvent): string {
  return lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';
}
