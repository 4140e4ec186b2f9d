/** Steady state is silent, in the log and in the API. */
import { Writable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  sparseFinetunes,
  sparseInferenceServices,
  sparseStudies,
  type SparseFinetune,
} from '../../src/api/types';
import { deployments, jobs } from '../../src/kube/resources';
import { ApiError } from '../../src/runtime/errors';
import type { Resource } from '../../src/runtime/objects';
import type { Transport, WatchRequest } from '../../src/runtime/http/transport';
import { createLogger } from '../../src/runtime/telemetry/logger';
import { eventually, openApiServer, versions, type ApiServer } from './harness';
import { startOperator, writesOf } from './operator';
import { finetune, service } from './specs';

let server: ApiServer;
const atEnd: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await openApiServer();
  // A kind can be read a moment after its definition is established.
  const list = (resource: Resource) => server.client.list(resource, { namespace: server.namespace });
  const kinds: readonly Resource[] = [sparseFinetunes, sparseInferenceServices, sparseStudies];
  await eventually(() => Promise.all(kinds.map(list)));
});
afterEach(async () => {
  for (const end of atEnd.splice(0).reverse()) await end();
});
afterAll(() => server.close());

/** Ends every open watch as expired on demand, so that everything is listed again. */
function expiringWatches() {
  const open = new Set<(error: Error) => void>();
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async *watch(request: WatchRequest) {
      const expired = Promise.withResolvers<never>();
      expired.promise.catch(() => undefined);
      open.add(expired.reject);
      const inner = transport.watch(request);
      try {
        for (;;) {
          const { value, done } = await Promise.race([inner.next(), expired.promise]);
          if (done === true) return;
          yield value;
        }
      } finally {
        open.delete(expired.reject);
        // Not awaited: it ends with its request, which waits for the next event.
        void inner.return();
      }
    },
  });
  const expire = () => {
    for (const reject of open) reject(new ApiError({ status: 410, reason: 'Expired', message: 'too old' }));
  };
  return { wrap, expire };
}

function infoLog() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push((JSON.parse(chunk.toString()) as { message: string }).message);
      done();
    },
  });
  return { logger: createLogger({ level: 'info', stream }), lines };
}

function annotated(object: SparseFinetune): SparseFinetune {
  return { ...object, metadata: { ...object.metadata, annotations: { touched: 'yes' } } };
}

test('reading all again logs nothing and writes nothing while nothing has changed', async () => {
  const { wrap, expire } = expiringWatches();
  const { logger, lines } = infoLog();
  const userAgent = 'sparsedm-operator/quiet';
  const operator = await startOperator(server, { wrap, logger, userAgent });
  atEnd.push(() => operator.stop());
  const names = ['a', 'b', 'c'];
  for (const name of names) await server.client.create(sparseFinetunes, finetune(name, server.namespace));
  await server.client.create(sparseInferenceServices, service('s', server.namespace));
  const state = async () => ({
    finetunes: await versions(server.client, sparseFinetunes, server.namespace),
    services: await versions(server.client, sparseInferenceServices, server.namespace),
    jobs: await versions(server.client, jobs, server.namespace),
    deployments: await versions(server.client, deployments, server.namespace),
    writes: (await writesOf(userAgent, server.namespace)).length,
  });
  // The status about the Job is written last.
  await eventually(async () => {
    const all = await server.client.list(sparseFinetunes, { namespace: server.namespace });
    expect(all.map(({ status }) => status?.phase)).toEqual(names.map(() => 'Pending'));
    expect(Object.keys((await state()).jobs)).toHaveLength(names.length);
    expect(Object.keys((await state()).deployments)).toHaveLength(1);
  });
  const listed = async () =>
    (await operator.metrics.client.lists.get()).values.reduce((sum, { value }) => sum + value, 0);
  const passed = async () =>
    (await operator.metrics.controller.reconciles.get()).values.reduce((sum, { value }) => sum + value, 0);
  let before = await state();
  await eventually(
    async () => {
      const now = await state();
      const settled = JSON.stringify(now) === JSON.stringify(before);
      before = now;
      return settled;
    },
    { intervalMs: 500 },
  );
  const known = ['report endpoint is listening', ...names.map(() => 'Job created')];
  expect(lines).toEqual(known);
  const lists = await listed();
  const caches = (await operator.metrics.client.lists.get()).values.length;
  expire();
  await eventually(async () => expect(await listed()).toBe(lists + caches));
  // Somebody else's annotation leads to a pass and to nothing more.
  const passes = await passed();
  await server.client.apply(sparseFinetunes, annotated(finetune('a', server.namespace)), {
    fieldManager: 'somebody',
  });
  await eventually(async () => (await passed()) > passes);
  before.finetunes.a = (await state()).finetunes.a;
  expect(lines).toEqual(known);
  expect(await state()).toEqual(before);
});
