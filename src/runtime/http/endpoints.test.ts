import { afterEach, expect, test } from 'vitest';
import { createMetrics } from '../telemetry/metrics';
import { serve, serveHealth, serveMetrics, type Served } from './endpoints';

const open: Served[] = [];
afterEach(async () => {
  for (const served of open.splice(0)) await served.close();
});

async function get(
  served: Served,
  path: string,
  init?: RequestInit,
): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${served.port}${path}`, init);
  return { status: response.status, body: await response.text() };
}

test('health: alive at once, ready when the caches are filled', async () => {
  let ready = false;
  const served = await serveHealth({
    port: 0,
    readiness: () => ({ ready, waitingFor: ready ? [] : ['jobs.batch', 'pods'] }),
  });
  open.push(served);
  expect(await get(served, '/healthz')).toEqual({ status: 200, body: 'ok\n' });
  expect(await get(served, '/readyz')).toEqual({
    status: 503,
    body: 'not ready, waiting for: jobs.batch, pods\n',
  });
  ready = true;
  expect(await get(served, '/readyz?verbose')).toEqual({ status: 200, body: 'ok\n' });
});

test('debug: JSON where it is asked for, nothing otherwise', async () => {
  const readiness = () => ({ ready: true, waitingFor: [] });
  const debug = () => ({ since: new Date(0), absent: undefined });
  const [on, off] = [
    await serveHealth({ port: 0, readiness, debug }),
    await serveHealth({ port: 0, readiness }),
  ];
  open.push(on, off);
  const { status, body } = await get(on, '/debug');
  expect([status, JSON.parse(body)]).toEqual([200, { since: '1970-01-01T00:00:00.000Z' }]);
  expect((await get(off, '/debug')).status).toBe(404);
});

test('metrics in the Prometheus text format', async () => {
  const metrics = createMetrics();
  metrics.collectProcess();
  metrics.leader.set({ name: 'operator' }, 1);
  const served = await serveMetrics({ port: 0, registry: metrics.registry });
  open.push(served);
  const { status, body } = await get(served, '/metrics');
  expect(status).toBe(200);
  expect(body).toContain('leader_election_master_status{name="operator"} 1');
  expect(body).toContain('process_cpu_seconds_total');
});

test.each([
  ['an unknown path', '/secrets', 'GET', 404],
  ['another method', '/x', 'POST', 405],
  ['a handler that throws', '/broken', 'GET', 500],
])('%s is refused', async (_, path, method, want) => {
  const served = await serve(
    {
      '/broken': () => {
        throw new Error('secret detail');
      },
    },
    0,
  );
  open.push(served);
  const { status, body } = await get(served, path, { method });
  expect(status).toBe(want);
  expect(body).not.toContain('secret');
});

test('a port that is taken is an error', async () => {
  const first = await serve({}, 0);
  open.push(first);
  await expect(serve({}, first.port)).rejects.toThrow('EADDRINUSE');
});
