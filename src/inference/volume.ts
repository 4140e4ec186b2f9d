import type { KubeClient } from '../kube/client';
import type { Pod } from '../kube/resources';
import { isForbidden } from '../runtime/errors';
import { coreEvents } from '../workload/refused-pods';

/**
 * What the controller of volumes says when another node holds a volume of the pod that only one node may have at a time
 * (ReadWriteOnce). It stands nowhere but in an event; without the right to list these, nothing is known.
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
