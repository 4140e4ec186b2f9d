import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export type Served = {
  /** The port listened on, which the system chooses when the setting is 0. */
  port: number;
  close(): Promise<void>;
};

type Handler = (response: ServerResponse) => void | Promise<void>;

function text(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function json(response: ServerResponse, body: unknown): void {
  text(response, 200, `${JSON.stringify(body, null, 2)}\n`, 'application/json');
}

async function answer(
  routes: Readonly<Record<string, Handler>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(response, 405, 'only GET\n');
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const handler = routes[path];
  if (handler === undefined) return text(response, 404, 'not found\n');
  try {
    await handler(response);
  } catch {
    if (!response.headersSent) text(response, 500, 'internal error\n');
  }
}

/** Serves fixed GET paths. Rejects when it cannot listen on the port. */
export async function serve(routes: Readonly<Record<string, Handler>>, port: number): Promise<Served> {
  const server = createServer((request, response) => void answer(routes, request, response));
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * /healthz: the event loop runs. /readyz: the caches are filled; standby replicas are ready too. /debug, if enabled:
 * the internal state as JSON.
 */
export function serveHealth(options: {
  port: number;
  readiness: () => { ready: boolean; waitingFor: readonly string[] };
  debug?: (() => unknown) | undefined;
}): Promise<Served> {
  const { debug } = options;
  return serve(
    {
      '/healthz': (response) => text(response, 200, 'ok\n'),
      '/readyz': (response) => {
        const { ready, waitingFor } = options.readiness();
        if (ready) text(response, 200, 'ok\n');
        else text(response, 503, `not ready, waiting for: ${waitingFor.join(', ') || 'start'}\n`);
      },
      ...(debug === undefined ? {} : { '/debug': (response) => json(response, debug()) }),
    },
    options.port,
  );
}

export function serveMetrics(options: { port: number; registry: Registry }): Promise<Served> {
  const { registry } = options;
  return serve(
    { '/metrics': async (response) => text(response, 200, await registry.metrics(), registry.contentType) },
    options.port,
  );
}
