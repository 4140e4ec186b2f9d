import { createHash } from 'node:crypto';
import { isConflict, isNotFound } from '../runtime/errors';
import type { Query, Transport } from '../runtime/http/transport';
import {
  apiVersionOf,
  collectionPath,
  keyOf,
  objectPath,
  type KubeObject,
  type ObjectKey,
  type Resource,
} from '../runtime/objects';
import { covers, equalJson, mergePatch, stableStringify } from './patch';

export type WriteOptions = { fieldManager?: string };

export type ApplyOptions<T> = WriteOptions & {
  /** Take fields over from other managers. Default true, as controllers should. */
  force?: boolean;
  /** The object as cached. When it already equals what would be applied, it is returned and nothing is sent. */
  live?: T | undefined;
};

export type StatusOptions = WriteOptions & {
  /** Fail with a 409 when the object has changed since it was read, instead of trying again. */
  requireUnchanged?: boolean;
};

export type DeleteOptions = {
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Delete only the object with this uid, not a later one of the same name. */
  uid?: string;
  gracePeriodSeconds?: number;
};

export type ListOptions = {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
};

/** The only writer of our objects and their children. The answer to each write enters the caches (read-your-writes). */
export type KubeClient = {
  /** Server-side apply under the field manager sparsedm-operator; returns the stored object. */
  apply<T extends KubeObject>(resource: Resource<T>, object: T, options?: ApplyOptions<T>): Promise<T>;
  /**
   * Server-side apply of a few fields of an existing object, with force and under a separate field manager: fields that
   * this manager doesn't name stay as they are.
   */
  applyPart<T extends KubeObject>(
    resource: Resource<T>,
    part: { metadata: T['metadata']; spec: object },
    options: { fieldManager: string },
  ): Promise<T>;
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /**
   * Merge patch of exactly the fields in which `status` differs from `object.status` (null for those it lacks), and
   * only of this object: a 409 when another has taken its name. Sends nothing and returns false when there is no
   * difference.
   */
  patchStatus<T extends KubeObject & { status?: unknown }>(
    resource: Resource<T>,
    object: T,
    status: NonNullable<T['status']>,
    options?: StatusOptions,
  ): Promise<boolean>;
  /** Sets spec.replicas by the scale subresource; ends in a conflict where the object is not as it was seen. */
  patchScale(resource: Resource, object: KubeObject, replicas: number): Promise<void>;
  /** Returns false when the object was already gone. */
  delete(resource: Resource, key: ObjectKey, options?: DeleteOptions): Promise<boolean>;
  /** Reads from the API server, not the cache; undefined when there is no such object. */
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<T[]>;
};

export type KubeClientOptions = {
  transport: Transport;
  /**
   * Called with the answer to each write: Manager.observe. `asDecided` is true when the object is exactly what the
   * writer wanted: its status, and the generation that it knew.
   */
  observe?: <T extends KubeObject>(resource: Resource<T>, object: T, asDecided: boolean) => void;
  /** Called before each write; throws when this process may not write (now): Manager.assertLeader. */
  guard?: () => void;
  /** Ends every request of this client: Manager.abandoned. */
  signal?: AbortSignal;
  fieldManager?: string;
};

/** Default field manager of the operator's writes. */
export const FIELD_MANAGER = 'sparsedm-operator';

/**
 * Annotation with the digest of what was last applied, so that a field that is no longer desired is found and removed.
 */
export const appliedDigestAnnotation = 'sparsedm.io/applied-digest';

const longestMemory = 20_000;
const listPage = 500;
const statusTries = 5;

type Applied = { digest: string; version: string };

/**
 * Version of the spec, as far as the server gives one: objects without a generation (Services) change their resource
 * version with every write.
 */
function specVersion(object: KubeObject): string {
  const { generation, resourceVersion } = object.metadata;
  return generation === undefined ? `rv${resourceVersion}` : `g${generation}`;
}

/** The uid, which only says which object is meant, is left out: an object has none when it is first applied. */
function withDigest<T extends KubeObject>(object: T): { body: T; digest: string } {
  const { uid: _, ...named } = object.metadata;
  const content = stableStringify({ ...object, metadata: named });
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const annotations = { ...object.metadata.annotations, [appliedDigestAnnotation]: digest };
  return { body: { ...object, metadata: { ...object.metadata, annotations } }, digest };
}

export function createKubeClient(options: KubeClientOptions): KubeClient {
  const { guard, signal } = options;
  const transport: Pick<Transport, 'request'> = {
    request: (request) => options.transport.request({ ...request, signal }),
  };
  const defaultManager = options.fieldManager ?? FIELD_MANAGER;
  /** What the last apply of an object (by uid) sent and led to. */
  const applied = new Map<string, Applied>();

  function finishWrite<T extends KubeObject>(resource: Resource<T>, object: T, asDecided = false): T {
    options.observe?.(resource, object, asDecided);
    return object;
  }

  function rememberApplied(object: KubeObject, digest: string): void {
    const { uid } = object.metadata;
    if (uid === undefined) return;
    applied.delete(uid);
    applied.set(uid, { digest, version: specVersion(object) });
    if (applied.size <= longestMemory) return;
    for (const oldest of applied.keys()) {
      applied.delete(oldest);
      return;
    }
  }

  /**
   * Whether applying would change nothing. The digest shows that the same was applied before, so that nothing has to be
   * removed; the comparison shows that it has not changed since. A value that the server rewrites (cpu 0.5 becomes
   * 500m) fails the comparison every time: there the memory of the last apply and the generation decide.
   */
  function isApplied<T extends KubeObject>(live: T, body: T, digest: string): boolean {
    if (live.metadata.annotations?.[appliedDigestAnnotation] !== digest) return false;
    const { metadata: liveMetadata, ...liveRest } = live;
    const { metadata, ...rest } = body;
    if (!covers(liveMetadata, metadata)) return false;
    const last = applied.get(live.metadata.uid ?? '');
    if (last !== undefined && last.digest === digest && last.version === specVersion(live)) return true;
    return covers(liveRest, rest);
  }

  async function read<T extends KubeObject>(resource: Resource<T>, key: ObjectKey): Promise<T | undefined> {
    try {
      return await transport.request<T>({ method: 'GET', path: objectPath(resource, key) });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * A status must never land on a later object of the same name: a new run that inherits "Succeeded" would never start.
   * A uid in the patch does not prevent that, because the API server stores the status of a custom resource without
   * looking at its metadata; the resource version does. When it is out of date, the object is read again and, if it is
   * still the same one, patched again: the patch holds only our fields.
   */
  async function patchWhileSame<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    patch: (version: string | undefined) => Promise<T>,
  ): Promise<T> {
    let version = object.metadata.resourceVersion;
    for (let attempt = 1; ; attempt++) {
      try {
        return await patch(version);
      } catch (error) {
        if (!isConflict(error) || attempt >= statusTries) throw error;
        const current = await read(resource, keyOf(object));
        if (current === undefined || current.metadata.uid !== object.metadata.uid) throw error;
        version = current.metadata.resourceVersion;
      }
    }
  }

  async function write<T>(request: {
    method: 'POST' | 'PATCH' | 'DELETE';
    path: string;
    query?: Query;
    body: unknown;
    contentType?: string;
  }): Promise<T> {
    guard?.();
    // Checked again before each try: the lease may be lost after waiting for a turn or a Retry-After.
    return transport.request<T>({ ...request, guard });
  }

  return {
    async apply(resource, object, { live, force = true, fieldManager = defaultManager } = {}) {
      const { body, digest } = withDigest({
        ...object,
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
      });
      if (live !== undefined && isApplied(live, body, digest)) return live;
      const answer = await write<typeof object>({
        method: 'PATCH',
        path: objectPath(resource, keyOf(object)),
        query: { fieldManager, force },
        contentType: 'application/apply-patch+yaml', // JSON is YAML
        body,
      });
      rememberApplied(answer, digest);
      return finishWrite(resource, answer);
    },

    async applyPart<T extends KubeObject>(
      resource: Resource<T>,
      { metadata, spec }: { metadata: T['metadata']; spec: object },
      { fieldManager }: { fieldManager: string },
    ) {
      const answer = await write<T>({
        method: 'PATCH',
        path: objectPath(resource, keyOf({ metadata })),
        query: { fieldManager, force: true },
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata, spec },
      });
      return finishWrite(resource, answer);
    },

    async create(resource, object, { fieldManager = defaultManager } = {}) {
      const answer = await write<typeof object>({
        method: 'POST',
        path: collectionPath(resource, object.metadata.namespace),
        query: { fieldManager },
        body: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind },
      });
      return finishWrite(resource, answer);
    },

    async patchStatus(
      resource,
      object,
      status,
      { requireUnchanged = false, fieldManager = defaultManager } = {},
    ) {
      const change = mergePatch(object.status ?? {}, status);
      if (change === undefined) return false;
      const patch = (version: string | undefined) =>
        write<typeof object>({
          method: 'PATCH',
          path: `${objectPath(resource, keyOf(object))}/status`,
          query: { fieldManager },
          contentType: 'application/merge-patch+json',
          body: { metadata: { resourceVersion: version }, status: change },
        });
      const answer = requireUnchanged
        ? await patch(object.metadata.resourceVersion)
        : await patchWhileSame(resource, object, patch);
      const sameSpec = answer.metadata.generation === object.metadata.generation;
      finishWrite(resource, answer, sameSpec && equalJson(answer.status, status));
      return true;
    },

    async patchScale(resource, { metadata }, replicas) {
      await write({
        method: 'PATCH',
        path: `${objectPath(resource, keyOf({ metadata }))}/scale`,
        query: { fieldManager: defaultManager },
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion: metadata.resourceVersion }, spec: { replicas } },
      });
    },

    async delete(resource, key, { propagationPolicy = 'Background', uid, gracePeriodSeconds } = {}) {
      try {
        await write({
          method: 'DELETE',
          path: objectPath(resource, key),
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            propagationPolicy,
            ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
            ...(uid === undefined ? {} : { preconditions: { uid } }),
          },
        });
        return true;
      } catch (error) {
        // With a uid, a conflict means that the name now belongs to another object: ours is gone.
        if (isNotFound(error) || (uid !== undefined && isConflict(error))) return false;
        throw error;
      }
    },

    get: read,

    async list<T extends KubeObject>(
      resource: Resource<T>,
      { namespace, labelSelector, fieldSelector }: ListOptions = {},
    ) {
      const objects: T[] = [];
      let token: string | undefined;
      do {
        const page: { items: T[] | null; metadata: { continue?: string } } = await transport.request({
          method: 'GET',
          path: collectionPath(resource, namespace),
          query: { labelSelector, fieldSelector, limit: listPage, continue: token },
        });
        for (const item of page.items ?? []) {
          objects.push({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind });
        }
        token = page.metadata.continue || undefined;
      } while (token !== undefined);
      return objects;
    },
  };
}
