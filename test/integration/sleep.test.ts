/**
 * Services that sleep and that go through the gateway: an operator and a gateway that talk to each other, against the
 * real API server. The tests play the pods, and the operator's writes are recorded in their order.
 */
import { createServer, type Server } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { httpPost } from '../../src/gateway/reporter';
import { PROPAGATION_MS } from '../../src/inference/traffic';
import { serverPort } from '../../src/kube/names';
import { deployments, endpointSlices, pods, services, type Pod } from '../../src/kube/resources';
import { reportUrl } from '../../src/reports/address';
import { demandAddress, type DemandReport } from '../../src/reports/demand';
import type { Request, Transport } from '../../src/runtime/http/transport';
import { startGateway, type RunningGateway } from './gateway';
import { eventually, openApiServer, waitForObject, type ApiServer } from './harness';
import { conditionOf, createAccount, mergeSpec, startOperator, writeStatus } from './operator';
import type { RunningOperator } from './operator';
import { followReplicas, podToken, reportLoad } from './serving';
import { service, type Changes } from './specs';

const POD_ADDRESS = '127.0.10.1';
/** Of the gateway's pod, as EndpointSlices take it; the gateway itself listens on every address of this machine. */
const GATEWAY_ADDRESS = '192.0.2.10';

type Write = { what: string; body: { spec?: { replicas?: number; selector?: object } }; at: number };

let server: ApiServer;
let operator: RunningOperator;
let gateway: RunningGateway;
let gatewayPod: Pod;
let gatewayToken: string;
let backend: Server;
let folder: string;
const system = { namespace: '', name: 'gateway', selector: 'test.sparsedm.io/is=gateway' };
/** What the operator wrote, in order; a write is listed when the API server has taken it. */
const written: Write[] = [];

const recorded = (transport: Transport): Transport => ({
  ...transport,
  async request<T>(request: Request) {
    const answer = await transport.request<T>(request);
    const [, plural = '', name = ''] = /namespaces\/[^/]+\/([^/]+)(?:\/([^/]+))?/.exec(request.path) ?? [];
    const { method, body } = request;
    if (method !== 'GET') {
      written.push({
        what: `${method} ${plural}/${name}`,
        body: body as Write['body'],
        at: performance.now(),
      });
    }
    return answer;
  },
});

beforeAll(async () => {
  server = await openApiServer();
  await createAccount(server, server.namespace);
  system.namespace = await server.createNamespace();
  await createAccount(server, system.namespace, system.name);
  gatewayPod = await createGatewayPod('gateway-a', GATEWAY_ADDRESS);
  gatewayToken = await podToken(server, gatewayPod, 'sparsedm.io', system.namespace, system.name);
  operator = await startOperator(server, { gateway: system, wrap: recorded });
  folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-gateway-'));
  await writeFile(path.join(folder, 'token'), gatewayToken);
  gateway = await startGateway(
    server,
    {},
    {
      post: httpPost(operator.reportsUrl, path.join(folder, 'token')),
    },
  );
  backend = createServer((request, response) => {
    request.resume().on('end', () => response.end('an image'));
  });
  await new Promise<void>((resolve) => backend.listen(serverPort, POD_ADDRESS, resolve));
});
afterAll(async () => {
  backend.closeAllConnections();
  backend.close();
  await gateway.stop();
  await operator.stop();
  await server.close();
  await rm(folder, { recursive: true });
});

async function createGatewayPod(name: string, ip: string): Promise<Pod> {
  const pod = await server.client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: system.namespace, labels: { 'test.sparsedm.io/is': 'gateway' } },
    spec: { serviceAccountName: system.name, containers: [{ name: 'gateway', image: 'x' }] },
  });
  await writeStatus(server, pods, pod, {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: 'True' }],
  });
  return pod;
}

const keyOf = (name: string) => ({ namespace: server.namespace, name });
const sliceOf = (name: string) => server.client.get(endpointSlices, keyOf(`${name}-gateway-ipv4`));
const deploymentOf = (name: string) => server.client.get(deployments, keyOf(`${name}-server`));
const selectorOf = async (name: string) => (await server.client.get(services, keyOf(name)))?.spec?.selector;
const reasonOf = (one: SparseInferenceService) => conditionOf(one, 'Ready')?.reason;
const serviceWhere = (name: string, meets: (one: SparseInferenceService) => boolean) =>
  waitForObject(server, sparseInferenceServices, keyOf(name), meets);

async function start(name: string, spec: Changes): Promise<void> {
  await server.client.create(sparseInferenceServices, service(name, server.namespace, spec), {
    fieldManager: 'test',
  });
  await eventually(async () => (await deploymentOf(name)) !== undefined);
}

/** Plays the controllers and idle pods until the service is as expected. */
async function playUntil(
  name: string,
  meets: (one: SparseInferenceService) => boolean | Promise<boolean>,
): Promise<SparseInferenceService> {
  return eventually(
    async () => {
      const live = await followReplicas(server, (await deploymentOf(name))!, POD_ADDRESS);
      for (const pod of live) await reportLoad(server, operator.reportsUrl, name, pod, {});
      const found = (await server.client.get(sparseInferenceServices, keyOf(name)))!;
      return (await meets(found)) ? found : false;
    },
    { timeoutMs: 60_000, intervalMs: 700 },
  );
}

const sleepy = { scaling: { minReplicas: 0, maxReplicas: 2, idleSeconds: 10 } };
const asleep = (one: SparseInferenceService) =>
  reasonOf(one) === 'Asleep' && one.status?.traffic?.mode === 'Gateway';

/** The first write of this kind since another one. */
function writeAfter(from: number, what: RegExp, meets: (write: Write) => boolean = () => true): Write {
  const found = written.slice(from).find((write) => what.test(write.what) && meets(write));
  if (found === undefined) throw new Error(`the operator wrote no ${what.source}`);
  return found;
}

const replicasAre = (replicas: number) => (write: Write) => write.body?.spec?.replicas === replicas;

describe('a service that sleeps', () => {
  it('has its gateway before its last pod goes, and keeps it until a pod has been there for a while', async () => {
    await start('bags', sleepy);
    const begin = written.length;
    const slept = await playUntil('bags', asleep);
    const port = slept.status!.traffic!.gatewayPort!;
    expect((await deploymentOf('bags'))?.spec?.replicas).toBe(0);
    const slice = (await sliceOf('bags'))!;
    expect(slice).toMatchObject({
      addressType: 'IPv4',
      endpoints: [{ addresses: [GATEWAY_ADDRESS], conditions: { ready: true } }],
      ports: [{ name: 'http', port, protocol: 'TCP' }],
      metadata: { labels: { 'kubernetes.io/service-name': 'bags' } },
    });
    const added = writeAfter(begin, /endpointslices\/bags-gateway-ipv4$/);
    const emptied = writeAfter(begin, /deployments\/bags-server$/, replicasAre(0));
    expect(emptied.at - added.at).toBeGreaterThanOrEqual(PROPAGATION_MS - 50);
    // The way to the pods stays as it is, for the pods to come.
    expect(await selectorOf('bags')).toEqual({
      'app.kubernetes.io/managed-by': 'sparsedm-operator',
      'app.kubernetes.io/name': 'sparsedm-server',
      'sparsedm.io/service': 'bags',
    });

    // The gateway hears of the pod's end a moment later.
    await eventually(async () => (await gateway.gauge('sparsedm_gateway_replicas', 'bags')) === 0);
    const before = written.length;
    const askedAt = performance.now();
    const asked = fetch(`http://127.0.0.1:${port}/v1/images/generations`, { method: 'POST', body: '{}' });
    await serviceWhere('bags', (one) => reasonOf(one) === 'Waking');
    await eventually(async () => (await deploymentOf('bags'))?.spec?.replicas === 1);
    expect((await sliceOf('bags'))?.endpoints).toHaveLength(1);
    const readyAt = performance.now();
    const awake = playUntil('bags', async () => (await sliceOf('bags')) === undefined);
    const answer = await asked;
    expect(await answer.text()).toBe('an image');
    expect(Number(answer.headers.get('x-sparsedm-held-seconds'))).toBeGreaterThan(0);
    expect((await awake).status?.traffic).toMatchObject({ mode: 'Direct', gatewayPort: port });
    const removed = writeAfter(before, /^DELETE endpointslices\/bags-gateway-ipv4$/);
    expect(removed.at - readyAt).toBeGreaterThanOrEqual(PROPAGATION_MS - 50);
    const { status } = await serviceWhere('bags', (one) => one.status?.traffic?.wakeSeconds !== undefined);
    // A pod that is played is ready at once.
    expect(status?.traffic?.wakeSeconds).toMatch(/^\d+\.\d$/);
    expect(Number(status?.traffic?.wakeSeconds)).toBeLessThan((performance.now() - askedAt) / 1000);
  }, 120_000);
});

describe('a service with gateway: Always', () => {
  it('goes to the gateway by a slice first, then by a selector, and back in the other order', async () => {
    const begin = written.length;
    await start('always', { replicas: 1, gateway: 'Always' });
    await playUntil('always', (one) => one.status?.traffic?.mode === 'Gateway');
    expect((await sliceOf('always'))?.endpoints).toHaveLength(1);
    expect(await selectorOf('always')).toMatchObject({ 'sparsedm.io/traffic': 'gateway' });
    const added = writeAfter(begin, /endpointslices\/always-gateway-ipv4$/);
    const left = writeAfter(
      begin,
      /services\/always$/,
      ({ body }) => body.spec?.selector !== undefined && 'sparsedm.io/traffic' in body.spec.selector,
    );
    expect(left.at - added.at).toBeGreaterThanOrEqual(PROPAGATION_MS - 50);

    const before = written.length;
    await mergeSpec(server, sparseInferenceServices, 'always', { gateway: null });
    await playUntil('always', async () => (await sliceOf('always')) === undefined);
    expect(await selectorOf('always')).not.toHaveProperty('sparsedm.io/traffic');
    const back = writeAfter(before, /services\/always$/);
    const removed = writeAfter(before, /^DELETE endpointslices\/always-gateway-ipv4$/);
    expect(removed.at - back.at).toBeGreaterThanOrEqual(PROPAGATION_MS - 50);
  }, 120_000);
});

describe('a gateway’s report', () => {
  const held: DemandReport = { gateway: 'g', held: 1, requests: 1, revisions: {} };

  async function tell(name: string, token: string | undefined, body: unknown = held) {
    const response = await fetch(reportUrl(operator.reportsUrl, demandAddress, keyOf(name)), {
      method: 'POST',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as { message?: string } };
  }

  it('wakes a service, and nobody else’s does', async () => {
    await start('fenced', sleepy);
    const [own] = await followReplicas(server, (await deploymentOf('fenced'))!, POD_ADDRESS);
    const ownToken = await podToken(server, own);
    await playUntil('fenced', asleep);
    const onlyGateways = {
      status: 403,
      body: {
        code: 'Forbidden',
        message: `Only pods of the ServiceAccount ${system.namespace}/gateway can report here.`,
      },
    };
    expect(await tell('fenced', undefined)).toMatchObject({ status: 401 });
    expect(await tell('fenced', 'nonsense')).toMatchObject({ status: 401 });
    const wide = await podToken(
      server,
      gatewayPod,
      'https://kubernetes.default.svc',
      system.namespace,
      system.name,
    );
    expect(await tell('fenced', wide)).toMatchObject({ status: 401 });
    const unbound = await podToken(server, undefined, 'sparsedm.io', system.namespace, system.name);
    expect(await tell('fenced', unbound)).toMatchObject({ status: 401 });

    // A server's pod, which has ended but whose token the operator may still remember.
    expect([401, 403]).toContain((await tell('fenced', ownToken)).status);
    await createAccount(server, server.namespace, system.name);
    const namesake = await server.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...keyOf('namesake'), labels: { 'test.sparsedm.io/is': 'gateway' } },
      spec: { serviceAccountName: system.name, containers: [{ name: 'gateway', image: 'x' }] },
    });
    const namesakes = await podToken(server, namesake, 'sparsedm.io', server.namespace, system.name);
    expect(await tell('fenced', namesakes)).toMatchObject(onlyGateways);
    await createAccount(server, system.namespace);
    const neighbour = await server.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'neighbour',
        namespace: system.namespace,
        labels: { 'test.sparsedm.io/is': 'gateway' },
      },
      spec: { containers: [{ name: 'gateway', image: 'x' }] },
    });
    const neighbours = await podToken(server, neighbour, 'sparsedm.io', system.namespace);
    expect(await tell('fenced', neighbours)).toMatchObject(onlyGateways);

    const wrong = await tell('fenced', gatewayToken, { ...held, held: -1 });
    expect(wrong).toMatchObject({ status: 400 });
    expect(wrong.body.message).toContain('demand.held must be a whole number');
    expect(await tell('nobody', gatewayToken)).toMatchObject({ status: 404 });
    expect((await deploymentOf('fenced'))?.spec?.replicas).toBe(0);
    expect(asleep((await server.client.get(sparseInferenceServices, keyOf('fenced')))!)).toBe(true);

    expect(await tell('fenced', gatewayToken)).toMatchObject({ status: 200 });
    await eventually(async () => (await deploymentOf('fenced'))?.spec?.replicas === 1);
  }, 120_000);
});
