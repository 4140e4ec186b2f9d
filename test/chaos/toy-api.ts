/**
 * Just enough of an API server, in memory: lists, watches, creations, merge patches and deletions over HTTP. For
 * measuring the operator's memory, it keeps the operator busier than a real one could on the same machine.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { apiVersionOf, collectionPath, type KubeObject, type Resource } from '../../src/runtime/objects';

export type ToyObject = KubeObject & { spec?: unknown; status?: unknown };

type Watcher = { response: ServerResponse; selector: string; events: number };
type Event = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; version: number; object: ToyObject };
type Collection = {
  resource: Resource;
  objects: Map<string, ToyObject>;
  history: Event[];
  watchers: Set<Watcher>;
};

export type ToyApi = {
  url: string;
  create(resource: Resource, object: ToyObject): ToyObject;
  patch(resource: Resource, name: string, patch: object): ToyObject | undefined;
  delete(resource: Resource, name: string): void;
  get(resource: Resource, name: string): ToyObject | undefined;
  /** Called after each change over HTTP, that is, by the operator. */
  onChange(listener: (resource: Resource, object: ToyObject) => void): void;
  /** Watches opened so far. */
  watches(): number;
  close(): Promise<void>;
};

export type ToyOptions = {
  namespace: string;
  resources: readonly Resource[];
  /** Events after which a watch ends normally, as the real server ends it after minutes. */
  eventsPerWatch: number;
};

const historyLength = 2_000;

type Tree = Record<string, unknown>;
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const result: Tree = isTree(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** Selectors of the form a=b,c=d; the only ones that the operator sends. */
function matches({ metadata }: ToyObject, selector: string): boolean {
  return selector
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [name = '', value] = term.split('=');
      return metadata.labels?.[name] === value;
    });
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : JSON.parse(text);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function refuse(response: ServerResponse, code: number, reason: string): void {
  send(response, code, { kind: 'Status', status: 'Failure', code, reason, message: `toy API: ${reason}` });
}

export async function startToyApi(options: ToyOptions): Promise<ToyApi> {
  const { namespace } = options;
  const collections = new Map<string, Collection>(
    options.resources.map((resource) => [
      collectionPath(resource, namespace),
      { resource, objects: new Map(), history: [], watchers: new Set() },
    ]),
  );
  const listeners = new Set<(resource: Resource, object: ToyObject) => void>();
  let version = 1;
  let opened = 0;

  function collectionOf(resource: Resource): Collection {
    const found = collections.get(collectionPath(resource, namespace));
    if (found === undefined) throw new Error(`the toy API has no ${resource.plural}`);
    return found;
  }

  function tell(watcher: Watcher, { type, object }: Event): void {
    if (!matches(object, watcher.selector)) return;
    watcher.response.write(`${JSON.stringify({ type, object })}\n`);
    watcher.events++;
  }

  function publish(collection: Collection, type: Event['type'], object: ToyObject): void {
    const event = { type, version, object };
    collection.history.push(event);
    if (collection.history.length > historyLength) collection.history.shift();
    for (const watcher of collection.watchers) {
      tell(watcher, event);
      if (watcher.events < options.eventsPerWatch) continue;
      collection.watchers.delete(watcher);
      watcher.response.end();
    }
  }

  function store(collection: Collection, object: ToyObject, type: Event['type']): ToyObject {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
    if (type === 'DELETED') collection.objects.delete(object.metadata.name);
    else collection.objects.set(object.metadata.name, stored);
    publish(collection, type, stored);
    return stored;
  }

  function create(resource: Resource, object: ToyObject): ToyObject {
    const metadata = {
      ...object.metadata,
      namespace,
      uid: randomUUID(),
      generation: 1,
      creationTimestamp: new Date().toISOString(),
    };
    const typed = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
    return store(collectionOf(resource), typed, 'ADDED');
  }

  function patch(resource: Resource, name: string, change: object): ToyObject | undefined {
    const collection = collectionOf(resource);
    const found = collection.objects.get(name);
    return found && store(collection, mergePatch(found, change) as ToyObject, 'MODIFIED');
  }

  function remove(resource: Resource, name: string): void {
    const collection = collectionOf(resource);
    const found = collection.objects.get(name);
    if (found !== undefined) store(collection, found, 'DELETED');
  }

  function list({ objects }: Collection, query: URLSearchParams): object {
    const selector = query.get('labelSelector') ?? '';
    const items = [...objects.values()].filter((object) => matches(object, selector));
    return { metadata: { resourceVersion: String(version) }, items };
  }

  function watch(collection: Collection, query: URLSearchParams, response: ServerResponse): void {
    if (query.get('sendInitialEvents') === 'true') return refuse(response, 422, 'Invalid');
    const since = Number(query.get('resourceVersion'));
    const oldest = collection.history[0]?.version ?? 0;
    if (collection.history.length === historyLength && since < oldest - 1)
      return refuse(response, 410, 'Expired');
    opened++;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const watcher = { response, selector: query.get('labelSelector') ?? '', events: 0 };
    for (const event of collection.history) if (event.version > since) tell(watcher, event);
    collection.watchers.add(watcher);
    response.once('close', () => collection.watchers.delete(watcher));
  }

  function notify(resource: Resource, object: ToyObject): void {
    for (const listener of listeners) listener(resource, object);
  }

  type Call = { collection: Collection; name: string | undefined; query: URLSearchParams; body: unknown };

  const methods: Record<string, (call: Call, response: ServerResponse) => void> = {
    GET({ collection, name, query }, response) {
      if (name === undefined) {
        if (query.get('watch') === 'true') return watch(collection, query, response);
        return send(response, 200, list(collection, query));
      }
      const found = collection.objects.get(name);
      return found === undefined ? refuse(response, 404, 'NotFound') : send(response, 200, found);
    },
    POST({ collection, body }, response) {
      const object = body as ToyObject;
      if (collection.objects.has(object.metadata.name)) return refuse(response, 409, 'AlreadyExists');
      const created = create(collection.resource, object);
      send(response, 201, created);
      notify(collection.resource, created);
    },
    PATCH({ collection, name = '', body }, response) {
      const found = collection.objects.get(name);
      if (found === undefined) return refuse(response, 404, 'NotFound');
      const wanted = (body as ToyObject).metadata?.resourceVersion;
      if (wanted !== undefined && wanted !== found.metadata.resourceVersion)
        return refuse(response, 409, 'Conflict');
      const changed = patch(collection.resource, name, body as object)!;
      send(response, 200, changed);
      notify(collection.resource, changed);
    },
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://toy');
    const body = await bodyOf(request);
    // Events are accepted and dropped; nothing reads them.
    if (url.pathname.endsWith('/events'))
      return send(response, request.method === 'GET' ? 200 : 201, { items: [], metadata: {} });
    const [path = '', name] =
      /^(.*\/namespaces\/[^/]+\/[^/]+)(?:\/([^/]+))?/.exec(url.pathname)?.slice(1) ?? [];
    const collection = collections.get(path);
    const method = methods[request.method ?? ''];
    if (collection === undefined || method === undefined) return refuse(response, 404, 'NotFound');
    method({ collection, name, query: url.searchParams, body }, response);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    create,
    patch,
    delete: remove,
    get: (resource, name) => collectionOf(resource).objects.get(name),
    onChange: (listener) => void listeners.add(listener),
    watches: () => opened,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
