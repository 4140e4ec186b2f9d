/**
 * A reverse proxy between the operator and the API server that makes a share of all requests fail: it refuses, resets,
 * loses answers, delays, falls silent, and cuts watches in the middle of a line. The operator speaks HTTP to it; it
 * talks to the API server as administrator.
 */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConnection } from '../../src/runtime/http/credentials';
import { tally } from '../bench/statistics';
import type { Random } from './random';

export type SeenRequest = {
  /** performance.now() of its arrival. */
  at: number;
  /** Method and path without the query; a watch has the method WATCH. */
  line: string;
  /** Path, query and body, to look for names in. */
  text: string;
};

export type FaultProxy = {
  /** Path of a kubeconfig that points to the proxy. */
  kubeconfig: string;
  /** Share of requests that fail, 0 to 1. */
  setRate(rate: number): void;
  seen: readonly SeenRequest[];
  /** Faults caused so far, by kind. */
  faults: Readonly<Record<string, number>>;
  close(): Promise<void>;
};

type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  /** Forwards the request; resolves with the API server's answer once its headers have come. */
  forward: () => Promise<IncomingMessage>;
  /** Called before each chunk of the answer: a way to cut it, or undefined. */
  breaks: () => (() => void) | undefined;
  random: Random;
};

type Fault = (exchange: Exchange) => Promise<void>;

function refusal(code: number, reason: string, headers: Record<string, string> = {}): Fault {
  return ({ response }) => {
    const body = {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code,
      reason,
      message: `chaos: ${reason}`,
    };
    response.writeHead(code, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
    return Promise.resolve();
  };
}

const reset: Fault = ({ response }) => Promise.resolve(void response.socket?.resetAndDestroy());

/** The API server handles the request, and its answer is lost. */
const loseAnswer: Fault = async (exchange) => {
  const answer = await exchange.forward();
  for await (const _ of answer);
  await reset(exchange);
};

const delayAnswer: Fault = async (exchange) => {
  await delay(exchange.random.between(100, 2_000));
  await pass(exchange);
};

/** Neither an answer nor an end, until the other side gives up. */
const beSilent: Fault = async ({ response }) => {
  if (!response.closed) await once(response, 'close');
};

const refusals = {
  'too many requests': refusal(429, 'TooManyRequests'),
  'too many requests, Retry-After': refusal(429, 'TooManyRequests', { 'retry-after': '1' }),
  'internal error': refusal(500, 'InternalError'),
  unavailable: refusal(503, 'ServiceUnavailable'),
  'unavailable, Retry-After': refusal(503, 'ServiceUnavailable', { 'retry-after': '1' }),
  gone: refusal(410, 'Expired'),
  reset,
} satisfies Record<string, Fault>;

const requestFaults: Record<string, Fault> = {
  ...refusals,
  conflict: refusal(409, 'Conflict'),
  'lost answer': loseAnswer,
  delay: delayAnswer,
  silence: beSilent,
};

/** Share of a watch's chunks after which it falls silent, over the share after which it is cut. */
const silencePerCut = 1 / 50;

function headersOf(answer: IncomingMessage): Record<string, string> {
  const names = ['content-type', 'retry-after', 'warning'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = answer.headers[name];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

async function pass({ response, forward, breaks }: Exchange): Promise<void> {
  const answer = await forward();
  response.writeHead(answer.statusCode ?? 502, headersOf(answer));
  response.flushHeaders();
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const end = breaks();
    if (end === undefined) response.write(chunk);
    else {
      // The first half of the chunk, which ends in the middle of a line.
      response.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), () => void end());
      return;
    }
  }
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export type ProxyOptions = {
  /** The administrator's kubeconfig. */
  kubeconfig: string;
  /** Where the operator's kubeconfig is written. */
  file: string;
  random: Random;
  /** Kinds of faults to leave out. */
  without?: readonly string[];
};

export async function startProxy(options: ProxyOptions): Promise<FaultProxy> {
  const { random, without = [] } = options;
  const connection = loadConnection({ kubeconfig: options.kubeconfig });
  const { headers, tls } = await connection.credentials(true);
  const agent = new https.Agent({ keepAlive: true });
  const seen: SeenRequest[] = [];
  const faults: Record<string, number> = {};
  let rate = 0;

  function draw(watch: boolean): Fault {
    if (!random.chance(rate)) return pass;
    const kinds = Object.entries(watch ? refusals : requestFaults).filter(
      ([kind]) => !without.includes(kind),
    );
    const [kind, fault] = random.pick(kinds as [[string, Fault]]);
    tally(faults, kind);
    return fault;
  }

  /** Running watches are cut in the middle of a line, or fall silent for good. */
  function breakWatch(response: ServerResponse): (() => void) | undefined {
    const silent = !without.includes('silent watch') && random.chance(rate * silencePerCut);
    const cut = random.chance(rate);
    if (!silent && !cut) return undefined;
    tally(faults, silent ? 'silent watch' : 'cut watch');
    return silent ? () => undefined : () => void response.destroy();
  }

  function forwarder(request: IncomingMessage, response: ServerResponse, body: Buffer): Exchange['forward'] {
    return async () => {
      const { host: _, connection: __, ...own } = request.headers;
      const outgoing = https.request(new URL(request.url ?? '/', connection.server), {
        method: request.method ?? 'GET',
        headers: { ...own, ...headers },
        agent,
        ...tls,
      });
      // The client has gone: its watch must not stay open.
      response.once('close', () => outgoing.destroy());
      outgoing.end(body);
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      return answer;
    };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://proxy');
    const body = await bodyOf(request);
    const watch = url.searchParams.get('watch') === 'true';
    const line = `${watch ? 'WATCH' : (request.method ?? '')} ${url.pathname}`;
    seen.push({ at: performance.now(), line, text: `${url.pathname}${url.search} ${body.toString()}` });
    const breaks = watch ? () => breakWatch(response) : () => undefined;
    await draw(watch)({ request, response, forward: forwarder(request, response, body), breaks, random });
  }

  const server = createServer((request, response) => {
    // The API server is away or the client has gone: this exchange can't be completed.
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await writeFile(options.file, kubeconfigFor(url));
  return {
    kubeconfig: options.file,
    setRate: (value) => void (rate = value),
    seen,
    faults,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}

export function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'proxy', cluster: { server } }],
    users: [{ name: 'nobody', user: {} }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'nobody' } }],
    'current-context': 'proxy',
  });
}
