import type { KubeClient } from '../kube/client';
import type { Pod } from '../kube/resources';
import { isForbidden } from '../runtime/errors';
import { coreEvents } from '../workload/refused-pods';

/**
 * The attach controller's message when another node holds a volume of the pod that only one node may have at a time
 * (ReadWriteOnce). Only an event carries it; without permission to list events, this is undefined.
 */
export async function multiAttachFailure(
  client: Pick<KubeClient, 'list'>,
  { metadata }: Pod,
): Promise<string | undefined> {
  const { namespace = '', uid = '' } = metadata;
  const fieldSelector = `involvedObject.uid=${uid},reason=FailedAttachVolume`;
  try {
    const found = await client.list(coreEvents, { namespace, fieldSelector });
    return found.map(({ message = '' }) => message).find((message) => message.includes('Multi-Attach'));
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}
