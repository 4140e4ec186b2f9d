/** A scripted API server for tests: a real HTTP server that answers, and misbehaves, on cue. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Connection } from '../../src/runtime/http/credentials';

export type SeenRequest = {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
};

export type Answer = (response: ServerResponse, request: SeenRequest) => void | Promise<void>;

export type ScriptedServer = {
  url: string;
  /** What came, in order. */
  seen: SeenRequest[];
  connection: Connection;
  /** Resolves once this many requests have come. */
  received: (count: number) => Promise<void>;
  close: () => Promise<void>;
};

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

export function refusal(
  code: number,
  reason: string,
  message = reason,
  headers: Record<string, string> = {},
): Answer {
  return json({ kind: 'Status', status: 'Failure', code, reason, message }, code, headers);
}

/** Closes the connection without an answer. */
export const hangUp: Answer = (response) => void response.socket?.destroy();

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Answers the n-th request with the n-th answer; the last answer serves all further requests. */
export async function scriptedServer(answers: readonly Answer[]): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://test');
    const answer = answers[Math.min(seen.length, answers.length - 1)];
    const record: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: '',
    };
    seen.push(record);
    record.body = await read(request);
    await answer?.(response, record);
    for (const { count, resolve } of waiting) if (seen.length >= count) resolve();
  };
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.socket?.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    seen,
    connection: { server: url, credentials: () => Promise.resolve({ headers: {}, tls: {} }) },
    received: (count) =>
      new Promise((resolve) => {
        if (seen.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
