import type { Clock } from '../clock';
import { ApiError, TransportError } from '../errors';
import type { WatchEvent } from '../http/transport';
import { keyOf, keyText, type KubeObject } from '../objects';

/** On the bookmark that ends the initial events of a watch (KEP-3157). */
const endAnnotation = 'k8s.io/initial-events-end';

/** The server took a request for a streamed list for an ordinary watch. */
export class NotStreamedError extends Error {
  override readonly name = 'NotStreamedError';
}

/**
 * Whether the error means that this server does not stream lists. A server with the feature disabled refuses its
 * parameters as invalid; an older one ignores them, which NotStreamedError reports.
 */
export function isRefusedStream(error: unknown): boolean {
  if (error instanceof NotStreamedError) return true;
  return error instanceof ApiError && (error.status === 400 || error.status === 422);
}

export type InitialEventsOptions<T> = {
  clock: Clock;
  prepare: (object: KubeObject) => T;
  /** Limits for the whole list, and for the time without data. */
  deadlineMs: number;
  silenceMs: number;
  /** Aborted at a limit. */
  abort: AbortController;
};

export type InitialEvents<T> = {
  /** Takes in a portion. With the end of the initial events, returns their version and the events that follow. */
  take(portion: readonly WatchEvent[]): { resourceVersion: string; rest: readonly WatchEvent[] } | undefined;
  objects(): Iterable<T>;
  readonly size: number;
  /** Why the stream ended before the end of the initial events was seen. */
  missing(): Error;
  /** Stops the limits. */
  clear(): void;
};

/** Collects the events with which a watch delivers the complete state, outside the store, until they are complete. */
export function createInitialEvents<T extends KubeObject>(
  options: InitialEventsOptions<T>,
): InitialEvents<T> {
  const { clock, prepare, abort } = options;
  const objects = new Map<string, T>();
  let missing: Error = new TransportError('the streamed list ended before it was complete');
  const giveUp = (why: Error) => () => {
    missing = why;
    abort.abort();
  };
  const late = giveUp(new TransportError('the streamed list was not complete within the deadline'));
  const silent = giveUp(new NotStreamedError('the server was silent instead of ending its initial events'));
  const cancelDeadline = clock.setTimeout(late, options.deadlineMs);
  let cancelSilence = clock.setTimeout(silent, options.silenceMs);

  function collect({ type, object }: WatchEvent): void {
    const key = keyText(keyOf(object));
    // Changes in the meantime come in between.
    if (type === 'DELETED') objects.delete(key);
    else objects.set(key, prepare(object));
  }

  /** Whether the event ends the initial ones. Only a server without initial events sends bookmarks of another kind. */
  function isEnd({ type, object }: WatchEvent): boolean {
    if (type !== 'BOOKMARK') return false;
    if (object.metadata.annotations?.[endAnnotation] === 'true') return true;
    throw new NotStreamedError('the server sent a bookmark instead of the end of its initial events');
  }

  return {
    take(portion) {
      cancelSilence();
      cancelSilence = clock.setTimeout(silent, options.silenceMs);
      for (const [index, event] of portion.entries()) {
        if (!isEnd(event)) {
          collect(event);
          continue;
        }
        const { resourceVersion = '' } = event.object.metadata;
        return { resourceVersion, rest: portion.slice(index + 1) };
      }
      return undefined;
    },
    objects: () => objects.values(),
    get size() {
      return objects.size;
    },
    missing: () => missing,
    clear() {
      cancelDeadline();
      cancelSilence();
    },
  };
}
