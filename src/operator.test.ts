import { expect, it, vi } from 'vitest';
import { aFinetune } from '../test/support/finetune';
import { silentLogger } from '../test/support/silent-logger';
import { sparseFinetunes, type SparseFinetune } from './api/types';
import type { Config } from './config';
import { createOperator } from './operator';
import { realClock } from './runtime/clock';
import { ApiError, LeadershipLostError } from './runtime/errors';
import type { Request, Transport, WatchRequest } from './runtime/http/transport';
import type { Lease } from './runtime/leader';
import { collectionPath, type KubeObject } from './runtime/objects';
import { createMetrics } from './runtime/telemetry/metrics';
import { POD_DEFAULTS } from './workload/pod';

const config: Config = {
  gateway: undefined,
  namespaces: [],
  leaderElection: {
    enabled: true,
    leaseName: 'operator',
    leaseNamespace: 'system',
    identity: 'one',
    timing: { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 50 },
  },
  ports: { metrics: 0, health: 0, reports: 0 },
  reportsUrl: 'http://operator.system.svc:8082',
  images: { trainer: 'trainer:1', server: 'server:1' },
  podDefaults: POD_DEFAULTS,
  logLevel: 'info',
  kubeconfig: undefined,
  context: undefined,
  concurrency: 1,
  keda: false,
  debugEndpoints: false,
};

/** An API of one suspended SparseFinetune that takes every write, and keeps an event waiting for its answer. */
function slowEvents(finetune: SparseFinetune) {
  let lease: Lease | undefined;
  let version = 100;
  const eventSent = Promise.withResolvers<void>();
  const eventAnswered = Promise.withResolvers<void>();
  const store = (body: unknown): KubeObject => {
    const object = structuredClone(body) as KubeObject;
    object.metadata = { ...object.metadata, uid: 'uid', resourceVersion: String(++version) };
    return object;
  };
  async function answer({ method, path, body }: Request): Promise<unknown> {
    if (path.startsWith('/apis/events.k8s.io/')) {
      eventSent.resolve();
      return eventAnswered.promise;
    }
    if (!path.includes('/leases')) return store({ ...finetune, ...(body as object) });
    if (method === 'GET' && lease === undefined) {
      throw new ApiError({ status: 404, reason: 'NotFound', message: 'no lease' });
    }
    if (method !== 'GET' && lease?.spec?.holderIdentity === 'another') {
      throw new ApiError({ status: 409, reason: 'Conflict', message: 'changed' });
    }
    return (lease = method === 'GET' ? lease : store(body));
  }
  const transport: Transport = {
    request: <T>(request: Request) => answer(request) as Promise<T>,
    async *watch({ path, signal }: WatchRequest) {
      if (path === collectionPath(sparseFinetunes)) {
        yield [{ type: 'ADDED', object: structuredClone(finetune) }];
      }
      const annotations = { 'k8s.io/initial-events-end': 'true' };
      const metadata = { name: '', resourceVersion: '50', annotations };
      yield [{ type: 'BOOKMARK', object: { apiVersion: 'v1', kind: 'Any', metadata } }];
      await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
    },
    close: () => Promise.resolve(),
  };
  return {
    transport,
    eventSent: eventSent.promise,
    answerEvent: () => eventAnswered.resolve(),
    holder: () => lease?.spec?.holderIdentity,
    loseLease: () => (lease = { ...lease!, spec: { holderIdentity: 'another' } }),
  };
}

async function runningOperator() {
  const api = slowEvents(aFinetune({ suspend: true }));
  const { transport } = api;
  const metrics = createMetrics();
  const operator = createOperator({ config, transport, clock: realClock, logger: silentLogger, metrics });
  const stop = new AbortController();
  let ended = false;
  const running = operator.run(stop.signal).finally(() => (ended = true));
  running.catch(() => undefined);
  await api.eventSent;
  return { ...api, stop, running, ended: () => ended };
}

it('ends at once when the lease is lost, whatever events wait to be written', async () => {
  const { running, loseLease } = await runningOperator();
  const lost = performance.now();
  loseLease();
  await expect(running).rejects.toBeInstanceOf(LeadershipLostError);
  expect(performance.now() - lost).toBeLessThan(2_000);
});

it('writes its events before it ends when it is told to stop', async () => {
  const { running, stop, ended, answerEvent, holder } = await runningOperator();
  stop.abort();
  // The lease goes back last of all but the events.
  await vi.waitUntil(() => holder() === '');
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended()).toBe(false);
  answerEvent();
  await running;
  expect(ended()).toBe(true);
});
