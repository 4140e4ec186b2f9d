/** What the operator tells where the API server is slow: all of one run, and of many first what has to be done. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sparseFinetunes, type SparseFinetuneStatus } from '../../src/api/types';
import { realClock, sleep } from '../../src/runtime/clock';
import type { Request, Transport } from '../../src/runtime/http/transport';
import type { KubeObject, Resource } from '../../src/runtime/objects';
import { eventually, openApiServer, type ApiServer } from './harness';
import {
  completeJob,
  createAccount,
  createPodOf,
  endPod,
  findJob,
  finetuneWhere,
  isFinished,
  results,
  runPod,
  startOperator,
} from './operator';
import { finetune } from './specs';

let server: ApiServer;
const atEnd: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  server = await openApiServer();
  await createAccount(server, server.namespace);
});
afterEach(async () => {
  for (const end of atEnd.splice(0).reverse()) await end();
});
afterAll(() => server.close());

const events: Resource<KubeObject & { reason: string; regarding: { name: string } }> = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

/** Every write takes a while; every request is noted as it is sent. */
function slowWrites(ms: number) {
  const sent: Request[] = [];
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async request(request) {
      sent.push(request);
      if (request.method === 'GET') return transport.request(request);
      await sleep(realClock, ms);
      return transport.request(request);
    },
  });
  return { wrap, sent };
}

const isStatus = ({ method, path }: Request) =>
  method === 'PATCH' && path.includes('/sparsefinetunes/') && path.endsWith('/status');
const isJob = ({ method, path }: Request) => method === 'POST' && path.endsWith('/jobs');
const phaseIn = ({ body }: Request) => (body as { status: SparseFinetuneStatus }).status.phase;

test('of a run alone every state is told', async () => {
  const { wrap, sent } = slowWrites(100);
  const operator = await startOperator(server, { wrap });
  atEnd.push(() => operator.stop());
  await server.client.create(sparseFinetunes, finetune('alone', server.namespace));
  const job = await findJob(server, 'alone');
  await finetuneWhere(server, 'alone', ({ status }) => status?.phase === 'Pending');
  const pod = await createPodOf(server, job, 'a');
  await runPod(server, pod);
  await finetuneWhere(server, 'alone', ({ status }) => status?.phase === 'Running');
  await endPod(server, pod, 0, results);
  await completeJob(server, job);
  await finetuneWhere(server, 'alone', isFinished);
  // A name that is new has no pods to look for.
  expect(sent.filter(({ method, path }) => method === 'GET' && path.endsWith('/pods'))).toEqual([]);
  expect(sent.filter(isStatus).map(phaseIn).filter(Boolean)).toEqual(['Pending', 'Running', 'Succeeded']);
});

test('of many runs the Jobs are made first, and all that is final is told', async () => {
  const { wrap, sent } = slowWrites(100);
  const operator = await startOperator(server, { wrap });
  atEnd.push(() => operator.stop());
  const names = Array.from({ length: 24 }, (_, index) => `many-${index}`);
  await Promise.all(
    names.map((name) => server.client.create(sparseFinetunes, finetune(name, server.namespace))),
  );
  await eventually(() => sent.filter(isJob).length === names.length);
  const toldBefore = sent.slice(0, sent.findLastIndex(isJob)).filter(isStatus);
  expect(toldBefore.length).toBeLessThan(names.length / 2);
  // Nobody waits for his first status for long, although nothing overtakes it.
  await Promise.all(
    names.map((name) => finetuneWhere(server, name, ({ status }) => status?.phase === 'Pending')),
  );
  await Promise.all(
    names.map(async (name) => {
      const job = await findJob(server, name);
      const pod = await createPodOf(server, job, 'a');
      await runPod(server, pod);
      await endPod(server, pod, 0, results);
      await completeJob(server, job);
      const { status } = await finetuneWhere(server, name, isFinished, 30_000);
      expect(status).toMatchObject({ phase: 'Succeeded', attempts: { number: 1 } });
    }),
  );
  expect(sent.filter(isStatus).length).toBeLessThan(3 * names.length);
  const ends = await eventually(
    async () => {
      const all = await server.client.list(events, { namespace: server.namespace });
      const told = all.filter(({ reason }) => reason === 'Succeeded').map(({ regarding }) => regarding.name);
      return names.every((name) => told.includes(name)) && told;
    },
    { timeoutMs: 30_000 },
  );
  expect(ends.filter((name) => name.startsWith('many-')).length).toBe(names.length);
});
