import { REASONS } from '../api/conditions';
import type { KubeClient } from '../kube/client';
import { ApiError, isForbidden } from '../runtime/errors';
import type { KubeObject, Resource } from '../runtime/objects';
import type { Trouble } from './pod-state';

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

/** The API server's own words when it refuses to store an object; `final` when only another spec can help. */
export type Refusal = Trouble & { final: boolean };

/** Refused work is tried again so often: a quota may be raised. */
export const RETRY_REFUSED_MS = 10_000;

const REFUSALS = [400, 403, 422];

/** A refusal is shown in the status and tried again later; any other error is thrown, and retried with back-off. */
export function refusalFrom(error: unknown): Refusal {
  if (!(error instanceof ApiError) || !REFUSALS.includes(error.status)) throw error;
  return { reason: error.reason || REASONS.refused, message: error.message, final: error.status === 422 };
}
