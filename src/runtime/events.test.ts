import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { silentLogger } from '../../test/support/silent-logger';
import { ApiError, TransportError } from './errors';
import { createEventRecorder } from './events';
import type { Request, Transport } from './http/transport';
import type { KubeObject } from './objects';
import { createMetrics } from './telemetry/metrics';

const object: KubeObject = {
  apiVersion: 'sparsedm.io/v1alpha1',
  kind: 'SparseFinetune',
  metadata: { name: 'clothes', namespace: 'ml', uid: 'u1', resourceVersion: '7' },
};

type Body = { metadata: { name: string }; note: string; series?: { count: number } };

function recorder(
  answers: (request: Request, count: number) => void = () => undefined,
  eventWait: (ageMs: number) => number = () => 0,
) {
  const clock = new FakeClock('2026-01-01T00:00:00Z');
  const metrics = createMetrics();
  const requests: Request[] = [];
  const transport: Transport = {
    request<T>(request: Request): Promise<T> {
      requests.push(structuredClone(request));
      return new Promise((resolve) => {
        answers(request, requests.length);
        resolve({} as T);
      });
    },
    watch: () => {
      throw new Error('not here');
    },
    close: () => Promise.resolve(),
  };
  const events = createEventRecorder({
    transport,
    clock,
    logger: silentLogger,
    metrics,
    random: () => 0.5,
    controller: 'sparsedm.io/operator',
    instance: 'operator-0',
    pace: { eventWait },
  });
  return { clock, events, requests, metrics };
}

const methods = (requests: readonly Request[]) => requests.map((request) => request.method);

test('the first event is created as events.k8s.io/v1 wants it', async () => {
  const { events, requests } = recorder();
  events.event(object, 'Normal', 'Started', 'Training began.');
  expect(requests).toEqual([]);
  await events.flush();
  expect(requests).toEqual([
    {
      method: 'POST',
      path: '/apis/events.k8s.io/v1/namespaces/ml/events',
      body: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: 'clothes.800000000000', namespace: 'ml' },
        eventTime: '2026-01-01T00:00:00.000000Z',
        reportingController: 'sparsedm.io/operator',
        reportingInstance: 'operator-0',
        action: 'Started',
        type: 'Normal',
        reason: 'Started',
        note: 'Training began.',
        regarding: {
          apiVersion: 'sparsedm.io/v1alpha1',
          kind: 'SparseFinetune',
          name: 'clothes',
          namespace: 'ml',
          uid: 'u1',
          resourceVersion: '7',
        },
      },
    },
  ]);
});

test('repeats become one series, written at most every ten seconds', async () => {
  const { clock, events, requests } = recorder();
  for (let count = 0; count < 5; count++) {
    events.event(object, 'Warning', 'PullFailed', 'no such image');
    await events.flush();
    await clock.advanceAsync(1000);
  }
  expect(methods(requests)).toEqual(['POST']);
  await clock.advanceAsync(5000);
  await events.flush();
  expect(methods(requests)).toEqual(['POST', 'PATCH']);
  expect(requests[1]).toMatchObject({
    path: '/apis/events.k8s.io/v1/namespaces/ml/events/clothes.800000000000',
    contentType: 'application/merge-patch+json',
    body: { series: { count: 5, lastObservedTime: '2026-01-01T00:00:04.000000Z' } },
  });
});

test('another reason, message, type or object is another event', async () => {
  const { events, requests } = recorder();
  events.event(object, 'Normal', 'A', 'x');
  events.event(object, 'Normal', 'B', 'x');
  events.event(object, 'Normal', 'A', 'y');
  events.event(object, 'Warning', 'A', 'x');
  events.event({ ...object, metadata: { ...object.metadata, uid: 'u2' } }, 'Normal', 'A', 'x');
  await events.flush();
  expect(methods(requests)).toEqual(['POST', 'POST', 'POST', 'POST', 'POST']);
});

test('after six quiet minutes a series ends and a new event begins', async () => {
  const { clock, events, requests } = recorder();
  events.event(object, 'Normal', 'A', 'x');
  await events.flush();
  await clock.advanceAsync(6 * 60_000 + 1);
  events.event(object, 'Normal', 'A', 'x');
  await events.flush();
  expect(methods(requests)).toEqual(['POST', 'POST']);
});

test('a series whose event has expired on the server is created again with its count', async () => {
  const { clock, events, requests } = recorder((request) => {
    if (request.method === 'PATCH') throw new ApiError({ status: 404, reason: 'NotFound', message: 'gone' });
  });
  events.event(object, 'Normal', 'A', 'x');
  await events.flush();
  await clock.advanceAsync(60_000);
  events.event(object, 'Normal', 'A', 'x');
  await events.flush();
  expect(methods(requests)).toEqual(['POST', 'PATCH', 'POST']);
  expect((requests[2]?.body as Body).series?.count).toBe(2);
});

test.each([
  ['ASCII', 'x'.repeat(5000), `${'x'.repeat(1021)}…`],
  ['characters of several bytes', 'ü'.repeat(600), `${'ü'.repeat(510)}…`],
])('a long message is cut to what the API takes: %s', async (_, message, want) => {
  const { events, requests } = recorder();
  events.event(object, 'Normal', 'A', message);
  await events.flush();
  expect((requests[0]?.body as Body).note).toBe(want);
});

test('one object may not flood: 25 at once, then one in five minutes', async () => {
  const { clock, events, requests, metrics } = recorder();
  for (let count = 0; count < 40; count++) events.event(object, 'Normal', 'A', `message ${count}`);
  await events.flush();
  expect(requests).toHaveLength(25);
  expect(await metrics.registry.metrics()).toContain('sparsedm_events_dropped_total{cause="rate"} 15');
  await clock.advanceAsync(300_000);
  events.event(object, 'Normal', 'A', 'later');
  await events.flush();
  expect(requests).toHaveLength(26);
});

test.each([
  ['no answer', new TransportError('refused'), 4],
  ['an internal error', new ApiError({ status: 500, reason: 'InternalError', message: '' }), 4],
  ['a refusal', new ApiError({ status: 403, reason: 'Forbidden', message: 'namespace ends' }), 1],
])('%s is survived, after %#', async (_, error, want) => {
  const { clock, events, requests, metrics } = recorder(() => {
    throw error;
  });
  events.event(object, 'Normal', 'A', 'x');
  await clock.advanceAsync(60_000);
  await events.flush();
  expect(requests).toHaveLength(want);
  expect(await metrics.registry.metrics()).toContain('sparsedm_events_dropped_total{cause="error"} 1');
});

test('flush ends when its signal aborts', async () => {
  const { events } = recorder(() => {
    throw new TransportError('refused');
  });
  events.event(object, 'Normal', 'A', 'x');
  const stop = new AbortController();
  const flushed = events.flush(stop.signal);
  stop.abort();
  await flushed;
});

test('an object without anything does not make it throw', async () => {
  const { events } = recorder();
  events.event({} as KubeObject, 'Normal', 'A', 'x');
  await events.flush();
});

/** While others have to go first; ends when `calm` is set. */
function busyRecorder() {
  const state = { calm: false };
  const sut = recorder(undefined, (ageMs) => (state.calm ? 0 : Math.max(0, 5_000 - ageMs)));
  const reasons = () => sut.requests.map(({ body }) => (body as { reason: string }).reason);
  return { ...sut, state, reasons };
}

const later: KubeObject = { ...object, metadata: { ...object.metadata, resourceVersion: '8' } };

describe('while the API server is behind', () => {
  test('an event waits, but no longer than it may', async () => {
    const { clock, events, reasons } = busyRecorder();
    events.event(object, 'Normal', 'A', 'x');
    await clock.advanceAsync(4_999);
    expect(reasons()).toEqual([]);
    await clock.advanceAsync(1);
    expect(reasons()).toEqual(['A']);
  });

  test('and goes as soon as it has caught up', async () => {
    const { clock, events, reasons, state } = busyRecorder();
    events.event(object, 'Normal', 'A', 'x');
    await clock.advanceAsync(1_000);
    state.calm = true;
    await clock.advanceAsync(250);
    expect(reasons()).toEqual(['A']);
  });

  test('a beginning is left out when the end waits behind it, and the end and warnings are not', async () => {
    const { clock, events, metrics, reasons } = busyRecorder();
    events.event(object, 'Normal', 'TrainingStarted', 'x');
    events.event(object, 'Warning', 'NoReports', 'x');
    await clock.advanceAsync(2_000);
    events.event(later, 'Normal', 'Succeeded', 'x');
    events.event(later, 'Warning', 'GateFailed', 'x');
    await clock.advanceAsync(60_000);
    expect(reasons()).toEqual(['NoReports', 'Succeeded', 'GateFailed']);
    expect(await metrics.registry.metrics()).toContain('dropped_total{cause="overtaken"} 1');
  });

  test('the ends of thousands of runs are kept', async () => {
    const { clock, events, requests } = busyRecorder();
    for (let index = 0; index < 10_000; index++) {
      const one = { ...object, metadata: { ...object.metadata, name: `run-${index}`, uid: `u${index}` } };
      events.event(one, 'Normal', 'Succeeded', 'x');
    }
    await clock.advanceAsync(10_000);
    await events.flush();
    expect(requests).toHaveLength(10_000);
  });

  test('a flush waits for nothing but the API server', async () => {
    const { events, reasons } = busyRecorder();
    events.event(object, 'Normal', 'A', 'x');
    events.event(object, 'Normal', 'B', 'x');
    await events.flush();
    expect(reasons()).toEqual(['A', 'B']);
  });
});

test('when the API server keeps up, each event is written, also a beginning right before its end', async () => {
  const { events, requests } = recorder();
  events.event(object, 'Normal', 'TrainingStarted', 'x');
  events.event(later, 'Normal', 'Succeeded', 'x');
  await events.flush();
  expect(requests).toHaveLength(2);
});
