/** The places of waiting runs, from Kueue's visibility API, which not every cluster serves. */
import type { Clock } from '../runtime/clock';
import { ApiError } from '../runtime/errors';
import { collectionPath, type Resource } from '../runtime/objects';

const localQueues: Resource = {
  group: 'visibility.kueue.x-k8s.io',
  version: 'v1beta2',
  plural: 'localqueues',
  kind: 'LocalQueue',
  namespaced: true,
};

/** Time for which one answer serves all runs of a queue. */
const FRESH_MS = 15_000;
/** Time until a cluster that does not tell places is asked again. */
const UNSERVED_MS = 300_000;

type Pending = { items?: { metadata: { name: string }; positionInLocalQueue: number }[] };
type Places = ReadonlyMap<string, number>;

export type QueuePositions = {
  /** Number of the Workload in its LocalQueue, from 1; undefined where Kueue does not tell it. */
  of(queue: { namespace: string; name: string }, workload: string): Promise<number | undefined>;
};

/** `get` reads a path of the API. */
export function createQueuePositions(
  get: (path: string) => Promise<unknown>,
  clock: Pick<Clock, 'monotonic'>,
): QueuePositions {
  const known = new Map<string, { places: Promise<Places>; until: number }>();
  let unservedUntil = 0;

  async function read(path: string): Promise<Places> {
    try {
      const { items = [] } = (await get(path)) as Pending;
      return new Map(items.map((each) => [each.metadata.name, each.positionInLocalQueue + 1]));
    } catch (error) {
      // A place is an extra: without the right to it, without that API or its server, a run only waits without one.
      if (!(error instanceof ApiError)) throw error;
      unservedUntil = clock.monotonic() + (error.status === 429 ? FRESH_MS : UNSERVED_MS);
      return new Map();
    }
  }

  function placesAt(path: string): Promise<Places> {
    const now = clock.monotonic();
    const found = known.get(path);
    if (found !== undefined && now < found.until) return found.places;
    if (now < unservedUntil) return Promise.resolve(new Map());
    const places = read(path);
    known.set(path, { places, until: now + FRESH_MS });
    places.catch(() => known.delete(path));
    return places;
  }

  return {
    async of({ namespace, name }, workload) {
      const path = `${collectionPath(localQueues, namespace)}/${encodeURIComponent(name)}/pendingworkloads`;
      return (await placesAt(path)).get(workload);
    },
  };
}
