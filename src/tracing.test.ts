import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { startOtlpReceiver, type OtlpReceiver } from '../test/integration/otlp-receiver';
import { json, refusal, scriptedServer, type Answer } from '../test/integration/scripted-server';
import { silentLogger } from '../test/support/silent-logger';
import { realClock } from './runtime/clock';
import { createController, type Reconciler } from './runtime/controller';
import { createEventRecorder } from './runtime/events';
import { createTransport, type Transport } from './runtime/http/transport';
import type { Logger } from './runtime/telemetry/logger';
import { createMetrics } from './runtime/telemetry/metrics';
import { noTracing, type Tracing } from './runtime/telemetry/tracing';
import { startTracing } from './tracing';

let receiver: OtlpReceiver;
const atEnd: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const end of atEnd.splice(0).reverse()) await end();
  await receiver.close();
});

/** As the environment of the process has it, for the exporter reads that itself. */
function start(env: Record<string, string> = {}, logger: Logger = silentLogger): Promise<Tracing> {
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', ...env };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  return startTracing({
    env: process.env,
    clock: realClock,
    logger,
    name: 'sparsedm-operator',
    version: '1.2.3',
    instance: 'pod_1',
  });
}

/** Lets a controller reconcile ml/shirts once against an API server of these answers. */
async function reconcileOnce(
  tracing: Tracing,
  answers: readonly Answer[],
  reconcile: (transport: Transport) => Reconciler['reconcile'],
): Promise<void> {
  const server = await scriptedServer(answers);
  const transport = createTransport({ connection: server.connection, clock: realClock, tracing });
  atEnd.push(server.close, () => transport.close());
  const metrics = createMetrics();
  const done = Promise.withResolvers<void>();
  const work = reconcile(transport);
  const controller = createController({
    name: 'sparsefinetune',
    reconciler: { reconcile: (key) => work(key).finally(() => setImmediate(done.resolve)) },
    concurrency: 1,
    clock: realClock,
    logger: silentLogger,
    metrics,
    tracing,
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  controller.enqueue({ namespace: 'ml', name: 'shirts' });
  await done.promise;
  stop.abort();
  await running;
}

const path = '/apis/sparsedm.io/v1alpha1/namespaces/ml/sparsefinetunes/shirts/status';

test('a reconcile is a trace, with the requests that it made', async () => {
  const tracing = await start();
  await reconcileOnce(tracing, [json({}), json({})], (transport) => async () => {
    await transport.request({ method: 'GET', path: '/api/v1/namespaces/ml/pods' });
    await transport.request({ method: 'PATCH', path, body: {} });
  });
  await tracing.shutdown();
  expect(receiver.requests.map((request) => request.path)).toEqual(['/v1/traces']);
  const [root] = receiver.spans.filter(({ parentSpanId }) => !parentSpanId);
  expect(root).toMatchObject({
    name: 'reconcile sparsefinetune',
    kind: 1,
    attributes: { controller: 'sparsefinetune', namespace: 'ml', name: 'shirts', result: 'success' },
    resource: {
      'service.name': 'sparsedm-operator',
      'service.version': '1.2.3',
      'service.instance.id': 'pod_1',
    },
  });
  expect(root?.attributes.queue_wait_seconds).toBeGreaterThanOrEqual(0);
  expect(root?.status.code ?? 0).toBe(0);
  const children = receiver.spans.filter(({ parentSpanId }) => parentSpanId === root?.spanId);
  expect(children.map(({ name, kind, traceId }) => [name, kind, traceId])).toEqual([
    ['GET /api/v1/namespaces/{namespace}/pods', 3, root?.traceId],
    [
      'PATCH /apis/sparsedm.io/v1alpha1/namespaces/{namespace}/sparsefinetunes/{name}/status',
      3,
      root?.traceId,
    ],
  ]);
  expect(children[1]?.attributes).toEqual({
    'http.request.method': 'PATCH',
    'url.template': '/apis/sparsedm.io/v1alpha1/namespaces/{namespace}/sparsefinetunes/{name}/status',
    'url.path': path,
    'server.address': '127.0.0.1',
    'http.response.status_code': 200,
  });
  expect(receiver.spans).toHaveLength(3);
});

test.each([
  ['a child of the client’s span', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', true],
  [
    'not recorded where the client does not record',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    false,
  ],
  ['a trace of its own', undefined, true],
])('a request that is served is %s', async (_, given, isRecorded) => {
  const tracing = await start();
  let passedOn = '';
  await tracing.serve(
    given,
    () => ({ name: 'POST', attributes: { service: 'shirts' } }),
    (span) => {
      passedOn = span.traceparent ?? '';
      span.set({ 'http.response.status_code': 200 });
      return Promise.resolve();
    },
  );
  await tracing.shutdown();
  const [, traceId, spanId, flags] = passedOn.split('-');
  expect(flags).toBe(isRecorded ? '01' : '00');
  if (given !== undefined) expect(traceId).toBe(given.split('-')[1]);
  expect(receiver.spans).toHaveLength(isRecorded ? 1 : 0);
  if (!isRecorded) return;
  const attributes = { service: 'shirts', 'http.response.status_code': 200 };
  expect(receiver.spans[0]).toMatchObject({ name: 'POST', kind: 2, traceId, spanId, attributes });
  expect(receiver.spans[0]?.parentSpanId ?? '').toBe(given?.split('-')[2] ?? '');
});

test('errors are recorded, of the request and of the reconcile, and without secrets', async () => {
  const tracing = await start();
  const refused = refusal(403, 'Forbidden', 'no: Bearer abcdefghijklmnop is not enough');
  await reconcileOnce(tracing, [refused], (transport) => async () => {
    await transport.request({ method: 'POST', path: '/api/v1/namespaces/ml/pods', body: {} });
  });
  await tracing.shutdown();
  const [request, root] = receiver.spans;
  expect(request?.attributes).toMatchObject({ 'http.response.status_code': 403, 'error.type': 'ApiError' });
  expect(root?.attributes).toMatchObject({ result: 'error', 'error.type': 'ApiError' });
  for (const span of [request, root]) {
    expect(span?.status).toEqual({ code: 2, message: 'no: Bearer [redacted] is not enough' });
    expect(span?.events[0]).toMatchObject({
      name: 'exception',
      attributes: {
        'exception.type': 'ApiError',
        'exception.message': 'no: Bearer [redacted] is not enough',
      },
    });
  }
});

test('requests outside of a reconcile are not traced, nor are the events that one recorded', async () => {
  const tracing = await start();
  const posted = Promise.withResolvers<void>();
  const sentEvent: Answer = (response, request) => {
    posted.resolve();
    return json({})(response, request);
  };
  await reconcileOnce(tracing, [json({}), sentEvent], (transport) => {
    const events = createEventRecorder({
      transport,
      clock: realClock,
      logger: silentLogger,
      controller: 'x',
      instance: 'y',
    });
    return async () => {
      const metadata = { name: 'shirts', namespace: 'ml', uid: 'u' };
      await transport.request({ method: 'GET', path: '/api/v1/namespaces/ml/pods' });
      events.event({ apiVersion: 'v1', kind: 'X', metadata }, 'Normal', 'Seen', 'Seen.');
      await posted.promise;
    };
  });
  const server = await scriptedServer([json({})]);
  const transport = createTransport({ connection: server.connection, clock: realClock, tracing });
  await transport.request({ method: 'GET', path: '/api/v1/namespaces/ml/pods' });
  await transport.close();
  await server.close();
  await tracing.shutdown();
  expect(receiver.spans.map(({ name }) => name)).toEqual([
    'GET /api/v1/namespaces/{namespace}/pods',
    'reconcile sparsefinetune',
  ]);
});

describe('the environment', () => {
  const oneSpan = (tracing: Tracing) =>
    tracing.span(
      () => ({ name: 'x', attributes: {} }),
      () => Promise.resolve(),
    );

  test.each([
    ['always_off', {}],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }],
    ['parentbased_always_off', {}],
    ['parentbased_traceidratio', { OTEL_TRACES_SAMPLER_ARG: '0' }],
  ])('OTEL_TRACES_SAMPLER=%s %j records nothing', async (sampler, more) => {
    const tracing = await start({ OTEL_TRACES_SAMPLER: sampler, ...more });
    await oneSpan(tracing);
    await tracing.shutdown();
    expect(receiver.spans).toEqual([]);
  });

  test.each([
    ['always_on', {}],
    ['traceidratio', { OTEL_TRACES_SAMPLER_ARG: '1' }],
    ['parentbased_always_on', {}],
    ['parentbased_traceidratio', {}],
  ])('OTEL_TRACES_SAMPLER=%s %j records all', async (sampler, more) => {
    const tracing = await start({ OTEL_TRACES_SAMPLER: sampler, ...more });
    await oneSpan(tracing);
    await tracing.shutdown();
    expect(receiver.spans).toHaveLength(1);
  });

  test('names the service and adds attributes to it', async () => {
    const tracing = await start({
      OTEL_SERVICE_NAME: 'ours',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    await oneSpan(tracing);
    await tracing.shutdown();
    expect(receiver.spans[0]?.resource).toMatchObject({
      'service.name': 'ours',
      'deployment.environment.name': 'test',
    });
  });

  test('may name the endpoint of traces alone, whose path is taken as it is', async () => {
    const tracing = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/intake`,
    });
    await oneSpan(tracing);
    await tracing.shutdown();
    expect(receiver.requests.map((request) => request.path)).toEqual(['/intake']);
  });

  test('without a protocol, protobuf is sent', async () => {
    const tracing = await start({ OTEL_EXPORTER_OTLP_PROTOCOL: '' });
    await oneSpan(tracing);
    await tracing.shutdown();
    const [request] = receiver.requests;
    expect(request?.contentType).toBe('application/x-protobuf');
    expect(request?.body.includes('sparsedm-operator')).toBe(true);
  });

  test('without an endpoint there is nothing to do', async () => {
    expect(await start({ OTEL_EXPORTER_OTLP_ENDPOINT: '' })).toBe(noTracing);
  });
});

test('a collector that refuses costs one line of the log, and no work', async () => {
  receiver.status = 400;
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (message) => void lines.push(message),
    child: () => logger,
  };
  const tracing = await start({ OTEL_BSP_SCHEDULE_DELAY: '10' }, logger);
  for (let count = 1; count <= 3; count++) {
    const work = tracing.span(
      () => ({ name: 'x', attributes: {} }),
      () => Promise.resolve(count),
    );
    expect(await work).toBe(count);
    await vi.waitUntil(() => receiver.requests.length === count);
  }
  await vi.waitUntil(() => lines.length > 0);
  await tracing.shutdown();
  expect(lines).toEqual(['traces are not exported']);
});
