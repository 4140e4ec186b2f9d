import { afterEach, describe, expect, test } from 'vitest';
import {
  hangUp,
  json,
  refusal,
  scriptedServer,
  type Answer,
  type ScriptedServer,
} from '../../../test/integration/scripted-server';
import { FakeClock } from '../../../test/support/fake-clock';
import { realClock, type Clock } from '../clock';
import { ApiError, LeadershipLostError, TransportError } from '../errors';
import { createMetrics } from '../telemetry/metrics';
import type { Credentials } from './credentials';
import { createTransport, type Transport, type WatchEvent } from './transport';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

type Peer = { server: ScriptedServer; transport: Transport };

async function connect(
  answers: readonly Answer[],
  options: { clock?: Clock; credentials?: (fresh: boolean) => Promise<Credentials> } = {},
): Promise<Peer> {
  const server = await scriptedServer(answers);
  const transport = createTransport({
    connection: {
      server: server.url,
      credentials: options.credentials ?? ((fresh) => server.connection.credentials(fresh)),
    },
    clock: options.clock ?? realClock,
    userAgent: 'sparsedm-operator/1.2.3',
  });
  open.push(async () => {
    await transport.close();
    await server.close();
  });
  return { server, transport };
}

const get = { method: 'GET' as const, path: '/api/v1/things' };

/** Moves a fake clock from timer to timer until the promise settles. */
async function passTime<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => (settled = true);
  promise.then(done, done);
  while (!settled) {
    await clock.advanceAsync(0);
    // Only waits for a retry are hurried along; deadlines are far away.
    if (clock.untilNext !== undefined && clock.untilNext <= 5000) await clock.advanceAsync(clock.untilNext);
  }
  return promise;
}

describe('a request', () => {
  test('sends JSON under our name and answers the parsed body', async () => {
    const { server, transport } = await connect([json({ ok: 1 })]);
    const answer = await transport.request({
      method: 'PATCH',
      path: '/api/v1/things/a',
      query: { fieldManager: 'x', force: true, absent: undefined },
      body: { a: 'ü' },
      contentType: 'application/apply-patch+yaml',
    });
    expect(answer).toEqual({ ok: 1 });
    const [seen] = server.seen;
    expect(seen).toMatchObject({ method: 'PATCH', path: '/api/v1/things/a', body: '{"a":"ü"}' });
    expect(seen?.query.toString()).toBe('fieldManager=x&force=true');
    expect(seen?.headers).toMatchObject({
      'user-agent': 'sparsedm-operator/1.2.3',
      'content-type': 'application/apply-patch+yaml',
      accept: 'application/json',
    });
  });

  test('keeps a path before the API (a proxy under a prefix)', async () => {
    const server = await scriptedServer([json({})]);
    const connection = { ...server.connection, server: `${server.url}/k8s/clusters/one/` };
    const transport = createTransport({ connection, clock: realClock });
    open.push(() => transport.close(), server.close);
    await transport.request(get);
    expect(server.seen[0]?.path).toBe('/k8s/clusters/one/api/v1/things');
  });

  test('reuses its connections', async () => {
    const sockets = new Set<unknown>();
    const { transport } = await connect([
      (response, request) => {
        sockets.add(response.socket);
        return json({})(response, request);
      },
    ]);
    for (let count = 0; count < 20; count++) await transport.request(get);
    // The next request may begin before the pool has marked the first connection free, never a third.
    expect(sockets.size).toBeLessThanOrEqual(2);
  });

  test('throws the refusal of the server', async () => {
    const { transport } = await connect([refusal(409, 'AlreadyExists', 'things "a" already exists')]);
    const error = await transport.request(get).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 409,
      reason: 'AlreadyExists',
      message: 'things "a" already exists',
    });
  });

  test('ends at its deadline when the server is silent', async () => {
    const clock = new FakeClock();
    const { server, transport } = await connect([() => undefined], { clock });
    const failed = transport.request({ ...get, deadlineMs: 5000 }).catch((caught: unknown) => caught);
    await server.received(1);
    await clock.advanceAsync(5000);
    const error = await failed;
    expect(error).toBeInstanceOf(TransportError);
    expect(String(error)).toContain('GET /api/v1/things: no answer within the deadline');
    expect(clock.pending).toBe(0);
  });

  test('ends when its signal aborts', async () => {
    const stop = new AbortController();
    const { server, transport } = await connect([() => undefined]);
    const failed = transport.request({ ...get, signal: stop.signal }).catch((caught: unknown) => caught);
    await server.received(1);
    stop.abort();
    expect(await failed).toBeInstanceOf(TransportError);
  });

  test('that reads is sent again once when the connection breaks', async () => {
    const { server, transport } = await connect([hangUp, json({ ok: 1 })]);
    expect(await transport.request(get)).toEqual({ ok: 1 });
    expect(server.seen).toHaveLength(2);
  });

  test('that writes is not, for it may have happened', async () => {
    const { server, transport } = await connect([hangUp, json({ ok: 1 })]);
    await expect(transport.request({ ...get, method: 'POST', body: {} })).rejects.toBeInstanceOf(
      TransportError,
    );
    expect(server.seen).toHaveLength(1);
  });

  test('against a port where nobody listens fails', async () => {
    const { server, transport } = await connect([json({})]);
    await server.close();
    await expect(transport.request(get)).rejects.toBeInstanceOf(TransportError);
  });

  test('after close fails', async () => {
    const { transport } = await connect([json({})]);
    await transport.close();
    await expect(transport.request(get)).rejects.toThrow('closed');
  });
});

describe('Retry-After', () => {
  test('is waited for, then the request is sent again', async () => {
    const clock = new FakeClock();
    const busy = refusal(429, 'TooManyRequests', 'busy', { 'retry-after': '2' });
    const { server, transport } = await connect([busy, busy, json({ ok: 1 })], { clock });
    expect(await passTime(clock, transport.request({ ...get, method: 'POST', body: {} }))).toEqual({ ok: 1 });
    expect(server.seen).toHaveLength(3);
    expect(clock.monotonic()).toBe(4000);
  });

  test('ends the request when its guard forbids it meanwhile', async () => {
    const clock = new FakeClock();
    const busy = refusal(429, 'TooManyRequests', 'busy', { 'retry-after': '2' });
    const { server, transport } = await connect([busy, json({ ok: 1 })], { clock });
    const guard = () => {
      if (clock.monotonic() >= 2000) throw new LeadershipLostError('lost');
    };
    const request = transport.request({ ...get, method: 'POST', body: {}, guard });
    await expect(passTime(clock, request)).rejects.toBeInstanceOf(LeadershipLostError);
    expect(server.seen).toHaveLength(1);
  });

  test('is handed to the caller when it goes past the deadline', async () => {
    const busy = refusal(429, 'TooManyRequests', 'busy', { 'retry-after': '60' });
    const { server, transport } = await connect([busy]);
    await expect(transport.request(get)).rejects.toMatchObject({ status: 429, retryAfterSeconds: 60 });
    expect(server.seen).toHaveLength(1);
  });

  test('is believed ten times and no more', async () => {
    const clock = new FakeClock();
    const { server, transport } = await connect(
      [refusal(503, 'ServiceUnavailable', 'starting', { 'retry-after': '1' })],
      { clock },
    );
    const error = await passTime(
      clock,
      transport.request(get).catch((caught: unknown) => caught),
    );
    expect(error).toMatchObject({ status: 503, retryAfterSeconds: 1 });
    expect(server.seen).toHaveLength(11);
  });

  test('without it a 500 is an error at once', async () => {
    const { server, transport } = await connect([refusal(500, 'InternalError')]);
    await expect(transport.request(get)).rejects.toMatchObject({ status: 500 });
    expect(server.seen).toHaveLength(1);
  });
});

describe('credentials', () => {
  const bearer = (token: string): Credentials => ({ headers: { authorization: `Bearer ${token}` }, tls: {} });

  test('are looked up once for many requests, and again after ten seconds', async () => {
    const clock = new FakeClock();
    let lookUps = 0;
    const credentials = () => Promise.resolve(bearer(`t${++lookUps}`));
    const { server, transport } = await connect([json({})], { clock, credentials });
    await Promise.all([transport.request(get), transport.request(get)]);
    expect(lookUps).toBe(1);
    clock.advance(10_000);
    await transport.request(get);
    expect(server.seen.at(-1)?.headers.authorization).toBe('Bearer t2');
  });

  test('are read afresh after a 401, and the request is sent again', async () => {
    const fresh: boolean[] = [];
    const credentials = (again: boolean) => {
      fresh.push(again);
      return Promise.resolve(bearer(`t${fresh.length}`));
    };
    const { server, transport } = await connect([refusal(401, 'Unauthorized'), json({ ok: 1 })], {
      credentials,
    });
    expect(await transport.request(get)).toEqual({ ok: 1 });
    expect(fresh).toEqual([true, true]);
    expect(server.seen.map((seen) => seen.headers.authorization)).toEqual(['Bearer t1', 'Bearer t2']);
  });

  test('that are refused twice are an error', async () => {
    const { server, transport } = await connect([refusal(401, 'Unauthorized')]);
    await expect(transport.request(get)).rejects.toMatchObject({ status: 401 });
    expect(server.seen).toHaveLength(2);
  });

  test('that cannot be read for a moment stay in use', async () => {
    const clock = new FakeClock();
    let works = true;
    const credentials = () => (works ? Promise.resolve(bearer('t')) : Promise.reject(new Error('no file')));
    const { transport } = await connect([json({ ok: 1 })], { clock, credentials });
    await transport.request(get);
    works = false;
    clock.advance(60_000);
    expect(await transport.request(get)).toEqual({ ok: 1 });
  });
});

test('requests are counted by code, method and host', async () => {
  const server = await scriptedServer([json({}), refusal(404, 'NotFound'), hangUp]);
  const metrics = createMetrics();
  const transport = createTransport({ connection: server.connection, clock: realClock, metrics });
  open.push(() => transport.close(), server.close);
  await transport.request(get);
  await transport.request(get).catch(() => undefined);
  await transport.request({ ...get, method: 'DELETE' }).catch(() => undefined);
  const text = await metrics.registry.metrics();
  const { host } = new URL(server.url);
  expect(text).toContain(`rest_client_requests_total{code="200",method="GET",host="${host}"} 1`);
  expect(text).toContain(`rest_client_requests_total{code="404",method="GET",host="${host}"} 1`);
  expect(text).toContain(`rest_client_requests_total{code="<error>",method="DELETE",host="${host}"} 1`);
});

describe('a watch', () => {
  const watch = { path: '/api/v1/things', idleMs: 60_000 };
  const event = (type: string, name: string) =>
    `${JSON.stringify({ type, object: { metadata: { name } } })}\n`;

  async function collect(stream: AsyncGenerator<readonly WatchEvent[]>): Promise<string[]> {
    const seen: string[] = [];
    for await (const batch of stream) {
      seen.push(...batch.map(({ type, object }) => `${type} ${object.metadata.name}`));
    }
    return seen;
  }

  test('yields events until the server ends it', async () => {
    const { server, transport } = await connect([
      (response) => {
        response.write(event('ADDED', 'ä') + event('MODIFIED', 'b'));
        response.end(event('DELETED', 'c'));
      },
    ]);
    expect(await collect(transport.watch({ ...watch, query: { resourceVersion: '7' } }))).toEqual([
      'ADDED ä',
      'MODIFIED b',
      'DELETED c',
    ]);
    expect(server.seen[0]?.query.toString()).toBe('resourceVersion=7&watch=true');
  });

  test('drops a line that is cut in the middle', async () => {
    const { transport } = await connect([
      (response) => void response.end(event('ADDED', 'a') + event('ADDED', 'b').slice(0, 20)),
    ]);
    expect(await collect(transport.watch(watch))).toEqual(['ADDED a']);
  });

  test('throws when the connection is reset', async () => {
    const { transport } = await connect([
      (response) => void response.write(event('ADDED', 'a'), () => response.socket?.destroy()),
    ]);
    await expect(collect(transport.watch(watch))).rejects.toBeInstanceOf(TransportError);
  });

  test('throws the error event of the server', async () => {
    const gone = {
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
    };
    const { transport } = await connect([(response) => void response.end(`${JSON.stringify(gone)}\n`)]);
    await expect(collect(transport.watch(watch))).rejects.toMatchObject({ status: 410 });
  });

  test('throws a refusal', async () => {
    const { transport } = await connect([refusal(403, 'Forbidden', 'no')]);
    await expect(collect(transport.watch(watch))).rejects.toMatchObject({ status: 403, message: 'no' });
  });

  test('gives up when nothing comes for the idle limit, counted from the last portion', async () => {
    const clock = new FakeClock();
    let say: (text: string) => void = () => undefined;
    const { transport } = await connect(
      [
        (response) => {
          say = (text) => response.write(text);
          response.write(event('ADDED', 'a'));
        },
      ],
      { clock },
    );
    const stream = transport.watch(watch);
    await stream.next();
    await clock.advanceAsync(59_000);
    const second = stream.next();
    say(event('ADDED', 'b'));
    await second;
    await clock.advanceAsync(59_000);
    const third = stream.next().catch((caught: unknown) => caught);
    await clock.advanceAsync(1000);
    expect(String(await third)).toContain('no answer within the deadline');
  });

  test('ends quietly when its signal aborts', async () => {
    const stop = new AbortController();
    const { server, transport } = await connect([(response) => void response.write(event('ADDED', 'a'))]);
    const stream = transport.watch({ ...watch, signal: stop.signal });
    expect((await stream.next()).done).toBe(false);
    stop.abort();
    expect((await stream.next()).done).toBe(true);
    expect(server.seen).toHaveLength(1);
  });
});
