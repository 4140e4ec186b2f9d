import type { KubeClient } from '../kube/client';
import type { Job } from '../kube/resources';
import type { Clock } from '../runtime/clock';
import { isForbidden } from '../runtime/errors';
import type { KubeObject, Resource } from '../runtime/objects';

type CoreEvent = KubeObject & {
  involvedObject?: { uid?: string };
  message?: string;
  lastTimestamp?: string;
  eventTime?: string;
};

export const coreEvents: Resource<CoreEvent> = {
  group: '',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

const SELECTOR = 'involvedObject.kind=Job,reason=FailedCreate';

/** Bounds of the age up to which one list serves all runs of its namespace. */
const SHORTEST_MS = 2_000;
const LONGEST_MS = 30_000;
/** Added to that age for each event: 1,000 runs at a quota cost one list every 7 s. */
const PER_EVENT_MS = 5;

type Refused = { message: string; at: number };
type Listed = { refusals: Promise<ReadonlyMap<string, Refused>>; until: number };

export type PodRefusals = {
  /**
   * Why the Job controller could not create a pod for the Job since `since` (milliseconds since the epoch): a quota or
   * an admission rule, in the API server's own words.
   */
  of(job: Job, since: number): Promise<string | undefined>;
};

/**
 * Reads the Job controller's events, because the API server's refusals appear nowhere else. They are not watched: one
 * list serves all runs of a namespace for some seconds. Without permission to list events, every answer is undefined.
 */
export function createPodRefusals(client: Pick<KubeClient, 'list'>, clock: Clock): PodRefusals {
  const namespaces = new Map<string, Listed>();

  function listed(namespace: string): Listed {
    const known = namespaces.get(namespace);
    if (known !== undefined && clock.monotonic() < known.until) return known;
    const fresh: Listed = { refusals: read(namespace), until: Infinity };
    namespaces.set(namespace, fresh);
    void fresh.refusals.then(
      ({ size }) => {
        fresh.until = clock.monotonic() + Math.min(LONGEST_MS, SHORTEST_MS + size * PER_EVENT_MS);
      },
      () => namespaces.delete(namespace),
    );
    return fresh;
  }

  async function read(namespace: string): Promise<ReadonlyMap<string, Refused>> {
    try {
      return newestByUid(await client.list(coreEvents, { namespace, fieldSelector: SELECTOR }));
    } catch (error) {
      if (isForbidden(error)) return new Map();
      throw error;
    }
  }

  return {
    async of({ metadata }, since) {
      const refused = (await listed(metadata.namespace ?? '').refusals).get(metadata.uid ?? '');
      return refused !== undefined && refused.at > since ? refused.message : undefined;
    },
  };
}

function newestByUid(events: readonly CoreEvent[]): Map<string, Refused> {
  const newest = new Map<string, Refused>();
  for (const event of events) {
    const uid = event.involvedObject?.uid ?? '';
    const at = timeOf(event);
    if (event.message !== undefined && at > (newest.get(uid)?.at ?? -Infinity)) {
      newest.set(uid, { message: event.message, at });
    }
  }
  return newest;
}

function timeOf({ lastTimestamp, eventTime, metadata }: CoreEvent): number {
  return Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '') || 0;
}
