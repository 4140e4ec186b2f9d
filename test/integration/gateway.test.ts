/** The gateway with real sockets: what it holds, where it sends, what it survives. */
import { request as httpRequest, Agent, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noTracing, unrecorded, type Tracing } from '../../src/runtime/telemetry/tracing';
import { sparseInferenceServices } from '../../src/api/types';
import {
  createReplicas,
  createService,
  exchangeRaw,
  openIdle,
  openSocket,
  sayName,
  startGateway,
  writeTraffic,
  type RunningGateway,
} from './gateway';
import { eventually, openApiServer, type ApiServer } from './harness';
import { createAccount } from './stand-ins';

let server: ApiServer;
let gateway: RunningGateway;
let replicas: ReturnType<typeof createReplicas>;
let count = 0;

beforeAll(async () => {
  server = await openApiServer();
  await createAccount(server, server.namespace);
  replicas = createReplicas(server);
  gateway = await startGateway(
    server,
    {
      receiveMs: 1_000,
      silenceMs: 3_000,
      holdMs: 20_000,
      heldRequests: 20,
    },
    { tracing },
  );
});
afterAll(async () => {
  replicas.close();
  await gateway.stop();
  await server.close();
});

/** As an exporter would have them: only requests that say where they come from. */
const spans: { parent: string; name: string; attributes: Record<string, unknown> }[] = [];
const ours = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01';
const tracing: Tracing = {
  ...noTracing,
  async serve(parent, describe, work) {
    if (parent === undefined) return work(unrecorded);
    const { name, attributes } = describe();
    const all = { ...attributes };
    const result = await work({
      ...unrecorded,
      traceparent: ours,
      set: (more) => void Object.assign(all, more),
    });
    spans.push({ parent, name, attributes: all });
    return result;
  },
};

const nextName = () => `gated-${++count}`;
const image = (port: number, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${port}/v1/images/generations`, {
    method: 'POST',
    body: '{"prompt":"a shirt"}',
    ...init,
  });
const isOpen = (port: number) =>
  openSocket(port).then(
    (socket) => {
      socket.destroy();
      return true;
    },
    () => false,
  );
const listens = (port: number) => eventually(() => isOpen(port));
const heldBy = (name: string) => gateway.gauge('sparsedm_gateway_held_requests', name);
const holds = (name: string, many: number) => eventually(async () => (await heldBy(name)) === many);

async function serviceWith(answers: Parameters<typeof replicas.start>[1][] = [], traffic = {}) {
  const name = nextName();
  const port = await createService(server, name, traffic);
  const started = await Promise.all(answers.map((answer) => replicas.start(name, answer)));
  await listens(port);
  return { name, port, started };
}

describe('a sleeping service', () => {
  it('has its requests held, told at once, and answered once a replica is ready', async () => {
    const { name, port } = await serviceWith([], { wakeSeconds: '7.5' });
    const first = image(port, { headers: { 'x-stainless-read-timeout': '600' } });
    await eventually(() => gateway.told(name)?.held === 1);
    const others = [image(port), image(port)];
    await holds(name, 3);
    const replica = await replicas.start(name, sayName('awake'));
    const answers = await Promise.all([first, ...others]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await Promise.all(answers.map((each) => each.text()))).toEqual(['awake', 'awake', 'awake']);
    const held = Number(answers[0].headers.get('x-sparsedm-held-seconds'));
    expect(held).toBeGreaterThan(0);
    const patience = replica.requests.map(({ headers }) => headers['x-stainless-read-timeout']);
    expect(Number(patience.find((each) => each !== undefined))).toBeLessThanOrEqual(600 - held + 0.002);
    expect(answers[0].headers.get('x-sparsedm-wake-expected-seconds')).toBe('7.5');
    await eventually(() => gateway.told(name)?.requests === 0);
  });

  it('is answered by a replica that says so before its kubelet does', async () => {
    const { name, port } = await serviceWith();
    const replica = await replicas.start(name, sayName('early'), { isReady: false });
    const answer = image(port);
    await holds(name, 1);
    expect(replica.requests).toEqual([]);
    replica.sayReady();
    expect(await (await answer).text()).toBe('early');
  });

  it('ends a wait at the client’s own deadline, with the reason and a time to come back', async () => {
    const { port } = await serviceWith();
    const answer = await image(port, { headers: { 'x-stainless-read-timeout': '2' } });
    expect(answer.status).toBe(503);
    const retryAfter = Number(answer.headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    expect(retryAfter).toBeLessThanOrEqual(60);
    const { error } = (await answer.json()) as { error: { message: string; type: string; code: string } };
    expect(error).toMatchObject({ type: 'server_error', code: 'no_replica' });
    expect(error.message).toMatch(/No replica of gated-\d+ was ready within \d s: No node has a free GPU\./);
  });

  it('holds only so many, and forgets those whose client has gone', async () => {
    const { name, port } = await serviceWith();
    const leave = new AbortController();
    const waiting = Array.from({ length: 20 }, () =>
      image(port, { signal: leave.signal }).catch(() => 'gone'),
    );
    await holds(name, 20);
    const refused = await image(port);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ error: { type: 'rate_limit_error', code: 'queue_full' } });
    leave.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['gone']));
    await holds(name, 0);
  });

  it('goes on holding while its only replica is full', async () => {
    let isFull = true;
    const { name, port } = await serviceWith();
    const answer = image(port);
    await holds(name, 1);
    const replica = await replicas.start(name, (request, response) => {
      if (!isFull) return sayName('room')(request, response);
      request.resume();
      response.writeHead(429, { 'x-sparsedm-not-accepted': 'true', 'retry-after': '1' }).end('{}');
    });
    await eventually(() => replica.requests.length >= 2);
    isFull = false;
    expect(await (await answer).text()).toBe('room');
  });
});

describe('where requests go', () => {
  it('to all ready replicas, and to the pinned version, and by the canary’s weight', async () => {
    const name = nextName();
    const port = await createService(server, name, { canary: { revision: 'new', weightPercent: 30 } });
    await replicas.start(name, sayName('old'), { revision: 'old' });
    await replicas.start(name, sayName('new'), { revision: 'new' });
    await listens(port);
    const pin = (revision: string) => image(port, { headers: { 'x-sparsedm-revision': revision } });
    await eventually(async () => (await pin('new')).status === 200 && (await pin('old')).status === 200);
    expect(await (await pin('old')).text()).toBe('old');
    expect(await (await pin('new')).text()).toBe('new');
    const unknown = await pin('other');
    expect(unknown.status).toBe(400);
    expect(await unknown.text()).toContain('No ready replica serves the version');
    const said: string[] = [];
    for (let index = 0; index < 300; index++) said.push(await (await image(port)).text());
    const toCanary = said.filter((each) => each === 'new').length;
    // Six standard deviations of 300 throws of 30 % are 48.
    expect(toCanary).toBeGreaterThan(90 - 48);
    expect(toCanary).toBeLessThan(90 + 48);
    await writeTraffic(server, name, { canary: { revision: 'new', weightPercent: 0 } });
    await eventually(async () => {
      const next = await Promise.all(Array.from({ length: 10 }, async () => (await image(port)).text()));
      return next.every((each) => each === 'old');
    });
    const figures = await eventually(() => gateway.told(name)?.revisions.new ?? false);
    expect(figures).toMatchObject({ failed: 0 });
  });

  it('to another replica where one can’t be reached, was killed or has not accepted', async () => {
    const { name, port, started } = await serviceWith([
      sayName('well'),
      (request) => request.socket.destroy(),
    ]);
    const texts: string[] = [];
    for (let index = 0; index < 12; index++) texts.push(await (await image(port)).text());
    expect(new Set(texts)).toEqual(new Set(['well']));
    expect(started[1]!.requests.length).toBeGreaterThan(0);
    const draining = await replicas.start(name, (_, response) => {
      response.writeHead(503, { 'x-sparsedm-not-accepted': 'true' }).end();
    });
    await eventually(async () => {
      expect(await (await image(port)).text()).toBe('well');
      return draining.requests.length > 0;
    });
  });

  it('to the replica with the shorter queue, as the replicas tell it', async () => {
    const say =
      (name: string, seconds: string): Parameters<typeof replicas.start>[1] =>
      (request, response) => {
        response.setHeader('x-sparsedm-queued-seconds', seconds);
        response.setHeader('x-sparsedm-denoising-seconds', '0.1');
        sayName(name)(request, response);
      };
    const { port, started } = await serviceWith([say('busy', '50'), say('free', '0')]);
    const next = async () => (await image(port)).text();
    await eventually(async () => {
      await next();
      return started.every(({ requests }) => requests.length > 0);
    });
    for (let index = 0; index < 30; index++) expect(await next()).toBe('free');
    await started[1]!.setReady(false);
    await eventually(async () => (await next()) === 'busy');
  });

  it('to the only replica again, which breaks what comes until its port is closed', async () => {
    let broken = 0;
    const { port } = await serviceWith([
      (request, response) => (++broken > 3 ? sayName('again')(request, response) : request.socket.destroy()),
    ]);
    expect(await (await image(port)).text()).toBe('again');
  });

  it('to no third replica where two were lost with them, and says so', async () => {
    const { port, started } = await serviceWith(
      Array.from({ length: 3 }, () => (request: IncomingMessage) => void request.socket.destroy()),
    );
    const answer = await image(port);
    expect(answer.status).toBe(502);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await answer.json()).toEqual({
      error: {
        type: 'server_error',
        code: 'replica_lost',
        param: null,
        message: 'The replica ended before it had answered: send the request again.',
      },
    });
    expect(started.filter(({ requests }) => requests.length > 0)).toHaveLength(2);
  });

  it('to a replica that breaks them all no longer than one takes to die', async () => {
    const { port, started } = await serviceWith([(request) => void request.socket.destroy()]);
    expect((await image(port)).status).toBe(502);
    expect(started[0]!.requests.length).toBeGreaterThan(1);
  });

  it('stays on a replica that is no longer ready until the answer is there', async () => {
    let isDone = false;
    const finish: (() => void)[] = [];
    const { name, port, started } = await serviceWith([
      (_, response) => (isDone ? response.end('later') : finish.push(() => void response.end('done'))),
    ]);
    const early = [image(port)];
    await eventually(() => finish.length === 1);
    await started[0]!.setReady(false);
    // The gateway hears of it a moment later: until then requests reach the replica.
    await eventually(async () => {
      const reached = finish.length;
      const next = image(port);
      await eventually(async () => finish.length > reached || (await heldBy(name)) === 1);
      if (finish.length === reached) return true;
      early.push(next);
      return false;
    });
    for (const each of finish) each();
    const texts = await Promise.all(early.map(async (answer) => (await answer).text()));
    expect(new Set(texts)).toEqual(new Set(['done']));
    expect(await heldBy(name)).toBe(1);
    isDone = true;
    await started[0]!.setReady(true);
    await holds(name, 0);
  });

  it('cuts an answer that its replica did not end, instead of passing it for a whole one', async () => {
    const { port } = await serviceWith([
      (_, response) => {
        response.write('the first half');
        setImmediate(() => response.destroy());
      },
    ]);
    await expect(image(port).then((answer) => answer.text())).rejects.toThrow();
    await eventually(() => gateway.isReady);
  });

  it('streams an answer while it is made', async () => {
    let more: ((text: string | undefined) => void) | undefined;
    const { port } = await serviceWith([
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: 1\n\n');
        more = (text) => void (text === undefined ? response.end() : response.write(text));
      },
    ]);
    const reader = (await image(port)).body!.getReader();
    expect(Buffer.from((await reader.read()).value).toString()).toBe('data: 1\n\n');
    more!('data: 2\n\n');
    expect(Buffer.from((await reader.read()).value).toString()).toBe('data: 2\n\n');
    more!(undefined);
    expect((await reader.read()).done).toBe(true);
  });

  it('cancels in the pod what its client no longer waits for', async () => {
    let isCancelled = false;
    const { port, started } = await serviceWith([
      (_, response) => void response.on('close', () => (isCancelled = !response.writableEnded)),
    ]);
    const leave = new AbortController();
    const answer = image(port, { signal: leave.signal }).catch(() => 'gone');
    await eventually(() => started[0]!.requests.length === 1);
    leave.abort();
    expect(await answer).toBe('gone');
    await eventually(() => isCancelled);
  });

  it('passes on the span that it records', async () => {
    const { name, port, started } = await serviceWith([sayName('a')]);
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await (await image(port, { headers: { traceparent: parent, 'x-request-id': 'one' } })).text();
    expect(started[0]!.requests[0]!.headers.traceparent).toBe(ours);
    await eventually(() => spans.some(({ attributes }) => attributes['request.id'] === 'one'));
    const span = spans.find(({ attributes }) => attributes['request.id'] === 'one');
    expect(span).toMatchObject({
      ...{ parent, name: 'POST' },
      attributes: { service: name, 'http.response.status_code': 200, held_seconds: 0 },
    });
  });

  it('passes headers on as a proxy must', async () => {
    const { port, started } = await serviceWith([
      (_, response) =>
        void response
          .writeHead(200, { 'x-sparsedm-queued-seconds': '3', 'set-cookie': ['a=1', 'b=2'] })
          .end(),
    ]);
    const headers = { 'x-sparsedm-secret': '1', 'x-forwarded-for': '9.9.9.9', 'x-request-id': 'mine' };
    const answer = await image(port, { headers });
    const [seen] = started[0]!.requests;
    expect(seen!.headers).toMatchObject({
      'x-forwarded-for': expect.stringMatching(/^9\.9\.9\.9, .*127\.0\.0\.1$/) as string,
      'x-forwarded-proto': 'http',
      'x-request-id': 'mine',
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/) as string,
      host: `127.0.0.1:${port}`,
    });
    expect(seen!.headers['x-sparsedm-secret']).toBeUndefined();
    expect(answer.headers.get('x-request-id')).toBe('mine');
    expect(answer.headers.get('x-sparsedm-queued-seconds')).toBeNull();
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(answer.headers.get('connection')).toBe('keep-alive');
  });

  it('lets clients leave once the Service leads to the pods', async () => {
    const { name, port } = await serviceWith([sayName('x')]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connectionOf = () =>
      new Promise<string | undefined>((resolve, reject) => {
        const request = httpRequest({ port, agent, path: '/v2' }, (answer) => {
          answer.resume();
          answer.on('end', () => resolve(answer.headers.connection));
        });
        request.on('error', reject).end();
      });
    expect(await connectionOf()).toBe('keep-alive');
    await writeTraffic(server, name, { mode: 'Direct' });
    await eventually(async () => (await connectionOf()) === 'close');
    agent.destroy();
  });
});

describe('faults', () => {
  const ok = async (port: number) => (await image(port)).status;

  it.each([
    [
      'both a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['a length that is no number', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5x\r\n\r\nhello'],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['another encoding', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n'],
    [
      'a chunk size that is no number',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n',
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ])('refuses %s, and closes the connection', async (_, bytes) => {
    const { port, started } = await serviceWith([sayName('x')]);
    // A second request behind the ambiguous one must never be seen as one.
    const text = await exchangeRaw(port, `${bytes}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(text).toMatch(/^(HTTP\/1\.1 400 |$)/);
    expect(started[0]!.requests.filter(({ url }) => url === '/smuggled')).toEqual([]);
    expect(await ok(port)).toBe(200);
  });

  it('refuses a head that is too large with 431', async () => {
    const { port } = await serviceWith([sayName('x')]);
    const text = await exchangeRaw(port, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
    expect(text).toContain('headers_too_large');
  });

  it('refuses a body that is too large before it is sent', async () => {
    const { port, started } = await serviceWith([sayName('x')]);
    const text = await exchangeRaw(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(started[0]!.requests).toEqual([]);
  });

  it('ends slow heads and half bodies, while others are served', async () => {
    const { port, started } = await serviceWith([sayName('x')]);
    const slow = exchangeRaw(port, 'POST / HTTP/1.1\r\nHost: x\r\n');
    const half = exchangeRaw(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhal');
    expect(await ok(port)).toBe(200);
    expect(await slow).toMatch(/^HTTP\/1\.1 408 /);
    expect(await half).toMatch(/^HTTP\/1\.1 408 /);
    expect(started[0]!.requests.length).toBe(1);
  });

  it('sends a body that flows as it comes, and ends it with the client', async () => {
    const { port, started } = await serviceWith([
      (request, response) => {
        let size = 0;
        request.on('data', (chunk: Buffer) => (size += chunk.length));
        request.on('end', () => response.end(String(size)));
        request.on('error', () => undefined);
      },
    ]);
    const answer = await image(port, { body: Buffer.alloc(3_000_000) });
    expect(await answer.text()).toBe('3000000');
    const socket = await openSocket(
      port,
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    );
    await eventually(() => started[0]!.requests.length === 2);
    socket.destroy();
    await eventually(() => started[0]!.requests[1]!.destroyed);
    expect(await (await image(port)).text()).toBe('20');
  });

  it('takes an upgrade request for a plain one', async () => {
    const { port } = await serviceWith([sayName('plain')]);
    const bytes = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n';
    expect(await exchangeRaw(port, bytes)).toMatch(/^HTTP\/1\.1 200 [^]*plain/);
  });

  it('gives up a replica that accepts and never answers, and others are not delayed by it', async () => {
    const { port, started } = await serviceWith([() => undefined, sayName('well')]);
    const many = await Promise.all(Array.from({ length: 40 }, () => image(port)));
    const statuses = many.map(({ status }) => status);
    expect(started[0]!.requests.length).toBeGreaterThan(0);
    expect(statuses.filter((status) => status === 200).length).toBe(40 - started[0]!.requests.length);
    expect(new Set(statuses)).toEqual(new Set([200, 504]));
  });

  it('keeps serving beside ten thousand idle connections', async () => {
    const { port } = await serviceWith([sayName('x')]);
    const before = process.memoryUsage.rss();
    const clients = await openIdle(port, 10_000);
    expect(await ok(port)).toBe(200);
    expect(process.memoryUsage.rss() - before).toBeLessThan(10_000 * 30 * 1024);
    clients.end();
  });
});

describe('its own end', () => {
  it('closes a service’s port with the service', async () => {
    const { name, port } = await serviceWith([sayName('x')]);
    await server.client.delete(sparseInferenceServices, { namespace: server.namespace, name });
    await eventually(async () => !(await isOpen(port)));
  });

  it('ends only after the requests that it has, also those that wait', async () => {
    let finish: (() => void) | undefined;
    const busy = await serviceWith([(_, response) => (finish = () => void response.end('done'))]);
    const asleep = await serviceWith();
    const running = image(busy.port);
    const waiting = image(asleep.port);
    await eventually(() => finish !== undefined);
    await holds(asleep.name, 1);
    const stopped = gateway.stop();
    await eventually(() => !gateway.isReady);
    await eventually(async () => !(await isOpen(busy.port)));
    await replicas.start(asleep.name, sayName('awake'));
    const awake = await waiting;
    expect(await awake.text()).toBe('awake');
    finish!();
    const done = await running;
    expect(done.headers.get('connection')).toBe('close');
    expect(await done.text()).toBe('done');
    await stopped;
  });
});
