import { beforeEach, describe, expect, test } from 'vitest';
import { ApiError, LeadershipLostError } from '../runtime/errors';
import type { Request, Transport } from '../runtime/http/transport';
import type { KubeObject, Resource } from '../runtime/objects';
import { appliedDigestAnnotation, createKubeClient, type KubeClientOptions } from './client';

type Thing = KubeObject & { spec?: { cpu?: string; other?: number }; status?: Record<string, unknown> };
const things: Resource<Thing> = {
  group: 'example.org',
  version: 'v1',
  plural: 'things',
  kind: 'Thing',
  namespaced: true,
};

const thing: Thing = {
  apiVersion: 'example.org/v1',
  kind: 'Thing',
  metadata: { name: 'x', namespace: 'a' },
  spec: { cpu: '0.5' },
};

let requests: Request[];
let observed: KubeObject[];
let decided: boolean[];
let answer: (request: Request) => unknown;

function client(options: Partial<KubeClientOptions> = {}) {
  const transport: Transport = {
    request<T>(request: Request): Promise<T> {
      requests.push(request);
      return new Promise((resolve) => resolve(answer(request) as T));
    },
    watch: () => {
      throw new Error('not here');
    },
    close: () => Promise.resolve(),
  };
  return createKubeClient({
    transport,
    observe: (_, object, asDecided) => {
      observed.push(object);
      decided.push(asDecided);
    },
    ...options,
  });
}

/** What the server makes of an applied body: a uid, a generation, and quantities in its own notation. */
function stored(request: Request): Thing {
  const body = request.body as Thing;
  return {
    ...body,
    metadata: { ...body.metadata, uid: 'u1', resourceVersion: '5', generation: 1 },
    spec: { ...body.spec, cpu: body.spec?.cpu === '0.5' ? '500m' : (body.spec?.cpu ?? '') },
  };
}

beforeEach(() => {
  requests = [];
  observed = [];
  decided = [];
  answer = stored;
});

describe('apply', () => {
  test('patches under our field manager, by force, and shows the answer to the caches', async () => {
    const result = await client().apply(things, thing);
    expect(requests[0]).toMatchObject({
      method: 'PATCH',
      path: '/apis/example.org/v1/namespaces/a/things/x',
      query: { fieldManager: 'sparsedm-operator', force: true },
      contentType: 'application/apply-patch+yaml',
    });
    expect(observed).toEqual([result]);
    expect(result.metadata.annotations?.[appliedDigestAnnotation]).toMatch(/^[0-9a-f]{16}$/);
  });

  test('sends nothing when the live object is what was applied', async () => {
    const kube = client();
    const live = await kube.apply(things, { ...thing, spec: { other: 1 } });
    const same = await client().apply(things, { ...thing, spec: { other: 1 } }, { live });
    expect(same).toBe(live);
    expect(requests).toHaveLength(1);
  });

  test('sends nothing for values that the server writes in another form', async () => {
    const kube = client();
    const live = await kube.apply(things, thing);
    expect(live.spec?.cpu).toBe('500m');
    await kube.apply(things, thing, { live: { ...live, status: { busy: true } } });
    expect(requests).toHaveLength(1);
  });

  test.each([
    ['a field that somebody changed', (live: Thing) => ({ ...live, spec: { other: 2 } })],
    [
      'a label that somebody removed',
      (live: Thing) => ({ ...live, metadata: { ...live.metadata, labels: {} } }),
    ],
    [
      'a digest of an earlier apply',
      (live: Thing) => ({
        ...live,
        metadata: { ...live.metadata, annotations: { [appliedDigestAnnotation]: 'other' } },
      }),
    ],
  ])('mends %s', async (_, change) => {
    const desired: Thing = {
      ...thing,
      metadata: { ...thing.metadata, labels: { app: 'x' } },
      spec: { other: 1 },
    };
    const live = change(await client().apply(things, desired));
    await client().apply(things, desired, { live });
    expect(requests).toHaveLength(2);
  });

  test('notices a changed spec through the generation even where it remembers the last apply', async () => {
    const kube = client();
    const live = await kube.apply(things, thing);
    const changed = { ...live, metadata: { ...live.metadata, generation: 2 }, spec: { cpu: '1' } };
    await kube.apply(things, thing, { live: changed });
    expect(requests).toHaveLength(2);
  });
});

describe('patchStatus', () => {
  const object: Thing = {
    ...thing,
    metadata: { ...thing.metadata, uid: 'u1', resourceVersion: '7' },
    status: { phase: 'Pending', progress: { step: 1 } },
  };

  test('sends only what changed, for this very object', async () => {
    const wrote = await client().patchStatus(
      things,
      object,
      { phase: 'Running' },
      { fieldManager: 'sparsedm-reports' },
    );
    expect(wrote).toBe(true);
    expect(requests[0]).toMatchObject({
      method: 'PATCH',
      path: '/apis/example.org/v1/namespaces/a/things/x/status',
      query: { fieldManager: 'sparsedm-reports' },
      contentType: 'application/merge-patch+json',
      body: { metadata: { resourceVersion: '7' }, status: { phase: 'Running', progress: null } },
    });
    expect(observed).toHaveLength(1);
  });

  test('sends nothing when nothing changed', async () => {
    expect(await client().patchStatus(things, object, structuredClone(object.status!))).toBe(false);
    expect(requests).toEqual([]);
  });

  test.each([
    ['the answer holds that status and no other spec, its writer knows all of it', {}, true],
    [
      'the spec has changed meanwhile, there is news',
      { metadata: { ...object.metadata, generation: 2 } },
      false,
    ],
    ['somebody else’s field came along, there is news', { status: { phase: 'Running', other: 1 } }, false],
  ])('where %s', async (_, changes, want) => {
    answer = () => ({ ...object, status: { phase: 'Running' }, ...changes });
    await client().patchStatus(things, object, { phase: 'Running' });
    expect(decided).toEqual([want]);
  });

  /** The first write meets a newer version; reading shows an object of this uid. */
  function changedMeanwhile(uid: string) {
    answer = (request) => {
      if (request.method === 'GET')
        return { ...object, metadata: { ...object.metadata, uid, resourceVersion: '9' } };
      const { resourceVersion } = (request.body as Thing).metadata;
      if (resourceVersion !== '9')
        throw new ApiError({ status: 409, reason: 'Conflict', message: 'modified' });
      return object;
    };
  }

  test('tries again on an object that somebody else wrote to meanwhile', async () => {
    changedMeanwhile('u1');
    expect(await client().patchStatus(things, object, { phase: 'Running' })).toBe(true);
    expect(requests.map(({ method }) => method)).toEqual(['PATCH', 'GET', 'PATCH']);
  });

  test('never writes to another object of the same name', async () => {
    changedMeanwhile('u2');
    await expect(client().patchStatus(things, object, { phase: 'Running' })).rejects.toMatchObject({
      status: 409,
    });
    expect(requests.map(({ method }) => method)).toEqual(['PATCH', 'GET']);
  });

  test('does not try again where the object must not have changed', async () => {
    changedMeanwhile('u1');
    const patched = client().patchStatus(things, object, { phase: 'Running' }, { requireUnchanged: true });
    await expect(patched).rejects.toMatchObject({ status: 409 });
    expect(requests).toHaveLength(1);
  });
});

describe('delete', () => {
  const key = { namespace: 'a', name: 'x' };
  const refuse = (status: number, reason: string) => () => {
    throw new ApiError({ status, reason, message: reason });
  };

  test('removes dependents in the background and only the named object', async () => {
    expect(await client().delete(things, key, { uid: 'u1' })).toBe(true);
    expect(requests[0]).toMatchObject({
      method: 'DELETE',
      body: { kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: { uid: 'u1' } },
    });
  });

  test('answers false for what is gone, or is another object by now', async () => {
    answer = refuse(404, 'NotFound');
    expect(await client().delete(things, key)).toBe(false);
    answer = refuse(409, 'Conflict');
    expect(await client().delete(things, key, { uid: 'u1' })).toBe(false);
    await expect(client().delete(things, key)).rejects.toMatchObject({ status: 409 });
  });
});

test('create posts to the collection', async () => {
  answer = (request) => request.body;
  await client().create(things, thing);
  expect(requests[0]).toMatchObject({
    method: 'POST',
    path: '/apis/example.org/v1/namespaces/a/things',
    query: { fieldManager: 'sparsedm-operator' },
    body: thing,
  });
  expect(observed).toHaveLength(1);
});

test('get answers undefined for what is not there, and throws other refusals', async () => {
  answer = () => {
    throw new ApiError({ status: 404, reason: 'NotFound', message: 'no' });
  };
  expect(await client().get(things, { namespace: 'a', name: 'x' })).toBeUndefined();
  answer = () => {
    throw new ApiError({ status: 403, reason: 'Forbidden', message: 'no' });
  };
  await expect(client().get(things, { namespace: 'a', name: 'x' })).rejects.toMatchObject({ status: 403 });
});

test('list reads every page', async () => {
  const pages = [
    { items: [{ metadata: { name: 'x' } }], metadata: { continue: 'more' } },
    { items: [{ metadata: { name: 'y' } }], metadata: {} },
  ];
  answer = () => pages.shift();
  const objects = await client().list(things, { namespace: 'a', labelSelector: 'app=x' });
  expect(objects.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([
    ['Thing', 'x'],
    ['Thing', 'y'],
  ]);
  expect(requests[1]?.query).toMatchObject({ continue: 'more', labelSelector: 'app=x' });
});

test('no write leaves a process that does not lead', async () => {
  const kube = client({
    guard: () => {
      throw new LeadershipLostError('lost');
    },
  });
  await expect(kube.apply(things, thing)).rejects.toBeInstanceOf(LeadershipLostError);
  await expect(kube.create(things, thing)).rejects.toBeInstanceOf(LeadershipLostError);
  await expect(kube.delete(things, { namespace: 'a', name: 'x' })).rejects.toBeInstanceOf(
    LeadershipLostError,
  );
  expect(requests).toEqual([]);
});

test('the guard goes along with each write, for the transport to ask again before it tries again', async () => {
  const guard = () => undefined;
  await client({ guard }).create(things, thing);
  expect(requests[0]?.guard).toBe(guard);
});

test('every request can be ended from outside', async () => {
  answer = (request) => (request.method === 'GET' ? { items: [], metadata: {} } : thing);
  const { signal } = new AbortController();
  const one = client({ signal });
  const key = { namespace: 'a', name: 'x' };
  await one.apply(things, thing);
  await one.patchStatus(things, thing, { phase: 'Ready' });
  await one.get(things, key);
  await one.list(things);
  await one.delete(things, key);
  expect(requests.map((request) => request.signal === signal)).toEqual([true, true, true, true, true]);
});
