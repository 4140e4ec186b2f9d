/** A gateway on the real API server, and HTTP servers that stand for the pods, each on an address of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import type { DemandReport } from '../../src/reports/demand';
import { createGateway } from '../../src/gateway/gateway';
import type { Post } from '../../src/gateway/reporter';
import { GATEWAY_DEFAULTS, type GatewaySettings } from '../../src/gateway/settings';
import { labels, serverPort } from '../../src/kube/names';
import { pods } from '../../src/kube/resources';
import { realClock } from '../../src/runtime/clock';
import { keyText } from '../../src/runtime/objects';
import { createMetrics } from '../../src/runtime/telemetry/metrics';
import { noTracing, type Tracing } from '../../src/runtime/telemetry/tracing';
import { silentLogger } from '../support/silent-logger';
import { eventually, operatorTransport, type ApiServer } from './harness';
import { service } from './specs';
import { writeStatus } from './stand-ins';

export type RunningGateway = {
  /** What the operator was told last of a service. */
  told(name: string): DemandReport | undefined;
  readonly isReady: boolean;
  /** A gauge's value for a service now. */
  gauge(metric: string, service: string): Promise<number>;
  stop(): Promise<void>;
};

export async function startGateway(
  server: ApiServer,
  settings: Partial<GatewaySettings> = {},
  { post, tracing = noTracing }: { post?: Post; tracing?: Tracing } = {},
): Promise<RunningGateway> {
  const metrics = createMetrics();
  const told = new Map<string, DemandReport>();
  const gateway = createGateway({
    settings: { ...GATEWAY_DEFAULTS, drainDelayMs: 0, ...settings },
    namespaces: [server.namespace],
    transport: operatorTransport(server.kubeconfig, metrics),
    clock: realClock,
    logger: silentLogger,
    metrics,
    tracing,
    post: post ?? ((key, report) => Promise.resolve(void told.set(keyText(key), report))),
  });
  const stopping = new AbortController();
  const running = gateway.run(stopping.signal);
  running.catch(() => undefined);
  await Promise.race([running, eventually(() => gateway.readiness().ready)]);
  return {
    told: (name) => told.get(keyText({ namespace: server.namespace, name })),
    get isReady() {
      return gateway.readiness().ready;
    },
    async gauge(metric, service) {
      const { values } = await metrics.registry.getSingleMetric(metric)!.get();
      return values.find(({ labels }) => labels.service === service)?.value ?? 0;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** A port that nobody uses now. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export type Traffic = NonNullable<NonNullable<SparseInferenceService['status']>['traffic']>;

/** A service to whose port requests can be sent, once a gateway runs. */
export async function createService(server: ApiServer, name: string, traffic: Traffic = {}): Promise<number> {
  const gatewayPort = await freePort();
  const created = await server.client.create(sparseInferenceServices, service(name, server.namespace), {
    fieldManager: 'test',
  });
  await writeStatus(server, sparseInferenceServices, created, {
    ...created.status,
    traffic: { mode: 'Gateway', gatewayPort, ...traffic },
    conditions: [
      {
        type: 'DeploymentReady',
        status: 'False',
        reason: 'Unschedulable',
        message: 'No node has a free GPU.',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  });
  return gatewayPort;
}

/** Changes where the requests go. */
export async function writeTraffic(server: ApiServer, name: string, traffic: Traffic): Promise<void> {
  const key = { namespace: server.namespace, name };
  const found = (await server.client.get(sparseInferenceServices, key))!;
  await writeStatus(server, sparseInferenceServices, found, {
    ...found.status,
    traffic: { ...found.status?.traffic, ...traffic },
  });
}

export type Replica = {
  /** Requests that have reached it. */
  readonly requests: readonly IncomingMessage[];
  /** As its kubelet tells, and it too. */
  setReady(isReady: boolean): Promise<void>;
  /** Before its kubelet knows. */
  sayReady(): void;
  /** Ends the pod, and cuts its connections. */
  kill(): Promise<void>;
};

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export const sayName =
  (name: string): Answer =>
  (request, response) => {
    request.resume();
    request.on('end', () => response.end(name));
  };

/** Makes replicas on 127.0.9.1, 127.0.9.2 and so on, at the port of servers. */
export function createReplicas(server: ApiServer) {
  const servers: Server[] = [];
  let count = 0;

  async function start(name: string, answer: Answer, options: { revision?: string; isReady?: boolean } = {}) {
    let saysReady = options.isReady ?? true;
    const number = ++count;
    const address = `127.0.9.${number}`;
    const requests: IncomingMessage[] = [];
    const http = createServer((request, response) => {
      if (request.url === '/v2/health/ready') {
        response.writeHead(saysReady ? 200 : 503).end();
        return;
      }
      requests.push(request);
      answer(request, response);
    });
    servers.push(http);
    await new Promise<void>((resolve) => http.listen(serverPort, address, resolve));
    const { revision } = options;
    const pod = await server.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${number}`,
        namespace: server.namespace,
        labels: {
          [labels.service]: name,
          ...(revision === undefined ? {} : { [labels.revision]: revision }),
        },
      },
      spec: { containers: [{ name: 'server', image: 'x' }] },
    });
    const setReady = async (isReady: boolean) => {
      saysReady = isReady;
      const live = (await server.client.get(pods, { namespace: server.namespace, name: pod.metadata.name }))!;
      await writeStatus(server, pods, live, {
        phase: 'Running',
        podIP: address,
        podIPs: [{ ip: address }],
        conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      });
    };
    await setReady(options.isReady ?? true);
    const replica: Replica = {
      requests,
      setReady,
      sayReady: () => void (saysReady = true),
      async kill() {
        http.closeAllConnections();
        http.close();
        const key = { namespace: server.namespace, name: pod.metadata.name };
        await server.client.delete(pods, key, { gracePeriodSeconds: 0 });
      },
    };
    return replica;
  }

  return {
    start,
    close() {
      for (const http of servers) {
        http.closeAllConnections();
        http.close();
      }
    },
  };
}

/** What comes back over a connection of its own when these bytes are sent. Resolves when the connection is closed. */
export function exchangeRaw(port: number, bytes: string, { half = false } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => void (half ? socket.end(bytes) : socket.write(bytes)));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('close', () => resolve(text));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(text);
      else reject(error);
    });
  });
}

/** An open connection that has sent these bytes. */
export function openSocket(port: number, bytes = ''): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      if (bytes !== '') socket.write(bytes);
      resolve(socket);
    });
    socket.on('error', reject);
  });
}

/** Opens connections, of which each gets one answer, and then says so. */
const IDLE_CLIENTS = `
const [, port, many] = process.argv;
let open = 0;
const next = () => {
  const socket = require('node:net').connect(Number(port), '127.0.0.1');
  socket.write('GET /v2 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n');
  socket.once('data', () => {
    open++;
    if (open === Number(many)) console.log('open');
    else if (open + 50 <= Number(many)) next();
  });
};
for (let index = 0; index < 50; index++) next();
`;

/** Kept-alive connections of a process of its own, which has files of its own; resolves when all are idle. */
export async function openIdle(port: number, many: number): Promise<{ end(): void }> {
  const clients = spawn(process.execPath, ['-e', IDLE_CLIENTS, String(port), String(many)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const failed = once(clients, 'exit').then(([code]) => {
    throw new Error(`the idle clients ended with ${code}`);
  });
  await Promise.race([once(clients.stdout, 'data'), failed]);
  failed.catch(() => undefined);
  return { end: () => void clients.kill() };
}
