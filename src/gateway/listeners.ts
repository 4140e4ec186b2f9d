/** One HTTP server for each service, on the service's own port, with the limits of all of them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { GatewaySettings } from './settings';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export type Listeners = {
  /** Rejects when the port can't be listened on. */
  open(port: number, handler: Handler): Promise<void>;
  close(port: number): void;
  isOpen(port: number): boolean;
  /** Takes no new connections and requests; resolves when the last request has ended. */
  drain(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
  readonly connections: number;
  /** That have come so far. */
  readonly requests: number;
};

export function createListeners(settings: GatewaySettings): Listeners {
  const servers = new Map<number, Server>();
  let connections = 0;
  let requests = 0;

  function serverFor(handler: Handler): Server {
    const server = createServer(
      {
        maxHeaderSize: settings.headBytes,
        headersTimeout: settings.receiveMs,
        // Of the whole request, which may flow to the pod only after it has waited for one.
        requestTimeout: settings.holdMs + settings.silenceMs,
        keepAliveTimeout: settings.idleMs,
        connectionsCheckingInterval: Math.min(5_000, settings.receiveMs),
        insecureHTTPParser: false,
        requireHostHeader: true,
        noDelay: true,
      },
      handler,
    );
    server.maxRequestsPerSocket = 0;
    server.on('connection', (socket) => {
      if (connections >= settings.connections) return void socket.destroy();
      connections++;
      socket.once('close', () => connections--);
    });
    server.on('request', () => requests++);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseRaw(error, socket as Socket));
    return server;
  }

  return {
    async open(port, handler) {
      const server = serverFor(handler);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, () => {
          server.off('error', reject);
          resolve();
        });
      });
      servers.set(port, server);
    },
    close(port) {
      const server = servers.get(port);
      servers.delete(port);
      server?.close();
      server?.closeIdleConnections();
    },
    isOpen: (port) => servers.has(port),
    async drain() {
      await Promise.all(
        [...servers.values()].map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeIdleConnections();
            }),
        ),
      );
    },
    destroy() {
      for (const server of servers.values()) server.closeAllConnections();
    },
    get connections() {
      return connections;
    },
    get requests() {
      return requests;
    },
  };
}

const ANSWERS: Readonly<Record<string, [status: string, code: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'headers_too_large',
    'The target and headers of the request are too large.',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    '408 Request Timeout',
    'request_timeout',
    'The request was not complete in time.',
  ],
};

/** Answers what is no request and closes the connection: what follows in it can't be told apart. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const unreadable: [string, string, string] = [
    '400 Bad Request',
    'bad_request',
    'This is not a valid HTTP request.',
  ];
  const [status, code, message] = ANSWERS[error.code ?? ''] ?? unreadable;
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code } });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
