import { Agent, ProxyAgent, Socks5ProxyAgent, type Dispatcher } from 'undici';
import type { Clock } from '../clock';
import { sleep } from '../clock';
import { ApiError, LeadershipLostError, TransportError } from '../errors';
import { routeOf, type KubeObject } from '../objects';
import type { Metrics } from '../telemetry/metrics';
import { noTracing, type Span, type Tracing } from '../telemetry/tracing';
import type { Connection, Credentials, TlsMaterial } from './credentials';
import { checkTls, sameTls } from './credentials';
import { createLineSplitter } from './lines';
import { errorFromResponse, errorFromStatus, parseRetryAfter } from './status';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export type Request = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Query;
  body?: unknown;
  contentType?: string;
  /** Deadline for the whole request with all its retries; default 30 s. */
  deadlineMs?: number;
  signal?: AbortSignal | undefined;
  /** Called as late as possible before each attempt, including those after a wait; when it throws, the request ends. */
  guard?: (() => void) | undefined;
};

export type WatchRequest = {
  path: string;
  query?: Query;
  /** Time without any data, even a bookmark, after which the watch is given up. */
  idleMs: number;
  signal?: AbortSignal | undefined;
};

export type WatchEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: KubeObject };

/** HTTP to one API server over one pool of kept-alive connections; JSON in and out as it is. */
export type Transport = {
  /** Returns the parsed body. Throws ApiError for a refusal, TransportError where no answer came. */
  request<T>(request: Request): Promise<T>;
  /** Events as they arrive, in the server's portions; ends when the server ends the watch or the signal aborts. */
  watch(request: WatchRequest): AsyncGenerator<readonly WatchEvent[], void>;
  close(): Promise<void>;
};

export type TransportOptions = {
  connection: Connection;
  clock: Clock;
  metrics?: Metrics;
  tracing?: Tracing;
  userAgent?: string;
};

const defaultDeadlineMs = 30_000;
/** Largest number of retries after a server asks to wait, as in client-go. */
const longestRetry = 10;
/** Time after which credentials are looked up again; they also are after a 401. */
const credentialsMs = 10_000;
/** Delay before a failed lookup is retried. */
const credentialsRetryMs = 1_000;
/** Below the 90 s after which the API server closes an idle connection, so that we are the one to close it. */
const keepAliveMs = 75_000;

type Answer = { status: number; headers: Dispatcher.ResponseData['headers']; body: string };
/** A cancellable wait shared by a request and its retries. */
type Deadline = { signal: AbortSignal; remaining(): number; expired(): boolean; clear(): void };

export function createTransport(options: TransportOptions): Transport {
  const { connection, clock, metrics, tracing = noTracing } = options;
  const origin = new URL(connection.server);
  const basePath = origin.pathname.replace(/\/+$/, '');
  const userAgent = options.userAgent ?? 'sparsedm-operator/0.0.0';
  let held: { credentials: Credentials; at: number } | undefined;
  let pending: Promise<Credentials> | undefined;
  let dispatcher: Dispatcher | undefined;
  let closed = false;

  async function lookUp(force: boolean): Promise<Credentials> {
    const credentials = await connection.credentials(force);
    if (closed) throw new TransportError('the transport is closed');
    if (dispatcher === undefined || !sameTls(held?.credentials.tls, credentials.tls)) {
      checkTls(credentials.tls);
      const previous = dispatcher;
      dispatcher = createDispatcher(connection.proxyUrl, credentials.tls);
      // Running requests and watches keep their connection; close() waits for them.
      previous?.close().catch(() => undefined);
    }
    held = { credentials, at: clock.monotonic() };
    return credentials;
  }

  /** A source that is briefly unusable (files being replaced) does no harm while the old credentials work. */
  async function lookUpOrKeep(): Promise<Credentials> {
    try {
      return await lookUp(held === undefined);
    } catch (error) {
      if (held === undefined) throw error;
      held = { ...held, at: clock.monotonic() - credentialsMs + credentialsRetryMs };
      return held.credentials;
    }
  }

  /** One lookup at a time: an exec plugin must not be started a hundred times in parallel. */
  function credentialsNow(): Promise<Credentials> {
    if (held !== undefined && clock.monotonic() - held.at < credentialsMs) {
      return Promise.resolve(held.credentials);
    }
    pending ??= lookUpOrKeep().finally(() => (pending = undefined));
    return pending;
  }

  /**
   * Called after a 401. A burst of them leads to one lookup: a request that failed with older credentials takes the
   * newer ones.
   */
  function renewCredentials(failed: Credentials): Promise<Credentials> {
    if (held !== undefined && held.credentials !== failed) return Promise.resolve(held.credentials);
    pending ??= lookUp(true).finally(() => (pending = undefined));
    return pending;
  }

  function target(path: string, query: Query | undefined): string {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) parameters.set(name, String(value));
    }
    const text = parameters.toString();
    return `${basePath}${path}${text === '' ? '' : `?${text}`}`;
  }

  function count(method: string, code: string, started: number): void {
    metrics?.client.requests.inc({ code, method, host: origin.host });
    metrics?.client.requestSeconds.observe(
      { verb: method, host: origin.host },
      (clock.monotonic() - started) / 1000,
    );
  }

  async function send(
    request: Pick<Request, 'method' | 'path' | 'query' | 'body' | 'contentType' | 'guard'>,
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    if (dispatcher === undefined) throw new TransportError('the transport is closed');
    request.guard?.();
    const started = clock.monotonic();
    try {
      const response = await dispatcher.request({
        origin: origin.origin,
        path: target(request.path, request.query),
        method: request.method,
        headers: {
          accept: 'application/json',
          'user-agent': userAgent,
          ...(request.body === undefined
            ? {}
            : { 'content-type': request.contentType ?? 'application/json' }),
          ...credentials.headers,
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      count(request.method, String(response.statusCode), started);
      return response;
    } catch (error) {
      count(request.method, '<error>', started);
      throw error;
    }
  }

  async function attempt(request: Request, deadline: Deadline): Promise<Answer> {
    const credentials = await credentialsNow();
    let response = await send(request, credentials, deadline.signal);
    if (response.statusCode === 401) {
      await response.body.dump();
      response = await send(request, await renewCredentials(credentials), deadline.signal);
    }
    return { status: response.statusCode, headers: response.headers, body: await response.body.text() };
  }

  /** A read whose kept-alive connection broke is sent once more; a write is not, because it may have happened. */
  async function attemptTwice(request: Request, deadline: Deadline): Promise<Answer> {
    try {
      return await attempt(request, deadline);
    } catch (error) {
      if (request.method !== 'GET' || deadline.signal.aborted || !isBrokenConnection(error)) throw error;
      return attempt(request, deadline);
    }
  }

  /** Waits as the server asks if the deadline allows it; otherwise returns the last answer. */
  async function attemptPatiently(request: Request, deadline: Deadline): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const answer = await attemptTwice(request, deadline);
      const retryAfterMs = 1000 * (retryAfterSeconds(answer, clock) ?? Infinity);
      if (tries > longestRetry || retryAfterMs >= deadline.remaining()) return answer;
      await sleep(clock, retryAfterMs, deadline.signal);
      if (deadline.signal.aborted) return answer;
    }
  }

  function request<T>(request: Request): Promise<T> {
    const { method, path } = request;
    const describe = () => {
      const route = routeOf(path);
      const attributes = {
        'http.request.method': method,
        'url.template': route,
        'url.path': path,
        'server.address': origin.hostname,
      };
      return { name: `${method} ${route}`, attributes };
    };
    return tracing.request(describe, (span) => perform<T>(request, span));
  }

  async function perform<T>(request: Request, span: Span): Promise<T> {
    const deadline = startDeadline(clock, request.deadlineMs ?? defaultDeadlineMs, request.signal);
    try {
      const answer = await attemptPatiently(request, deadline);
      span.set({ 'http.response.status_code': answer.status });
      if (answer.status >= 300) {
        throw errorFromResponse(answer.status, answer.body, retryAfterSeconds(answer, clock));
      }
      return (answer.body === '' ? undefined : JSON.parse(answer.body)) as T;
    } catch (error) {
      throw explain(error, `${request.method} ${request.path}`, deadline.expired());
    } finally {
      deadline.clear();
    }
  }

  async function* watch(request: WatchRequest): AsyncGenerator<readonly WatchEvent[], void> {
    // The idle limit is a deadline that each portion of bytes resets.
    let idle = startDeadline(clock, request.idleMs, undefined);
    const abort = new AbortController();
    const stop = () => abort.abort();
    const restart = () => {
      idle.clear();
      idle.signal.removeEventListener('abort', stop);
      idle = startDeadline(clock, request.idleMs, undefined);
      idle.signal.addEventListener('abort', stop);
    };
    idle.signal.addEventListener('abort', stop);
    request.signal?.addEventListener('abort', stop);
    try {
      if (request.signal?.aborted) return;
      const response = await openWatch(request, abort.signal);
      const splitter = createLineSplitter();
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        restart();
        const events = splitter.push(chunk).map(parseEvent);
        if (events.length > 0) yield events;
      }
    } catch (error) {
      if (request.signal?.aborted) return;
      throw explain(error, `watch ${request.path}`, idle.expired());
    } finally {
      idle.clear();
      request.signal?.removeEventListener('abort', stop);
      abort.abort();
    }
  }

  async function openWatch(request: WatchRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const get = { method: 'GET' as const, path: request.path, query: { ...request.query, watch: true } };
    const credentials = await credentialsNow();
    let response = await send(get, credentials, signal);
    if (response.statusCode === 401) {
      await response.body.dump();
      response = await send(get, await renewCredentials(credentials), signal);
    }
    if (response.statusCode === 200) return response;
    const answer = {
      status: response.statusCode,
      headers: response.headers,
      body: await response.body.text(),
    };
    throw errorFromResponse(answer.status, answer.body, retryAfterSeconds(answer, clock));
  }

  return {
    request,
    watch,
    async close() {
      closed = true;
      const open = dispatcher;
      dispatcher = undefined;
      held = undefined;
      await open?.destroy();
    },
  };
}

function createDispatcher(proxyUrl: string | undefined, tls: TlsMaterial): Dispatcher {
  const pool = {
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    pipelining: 1,
    allowH2: false,
  };
  // TCP keep-alive detects a peer that vanished silently.
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 };
  if (proxyUrl === undefined) return new Agent({ ...pool, connect });
  if (proxyUrl.startsWith('socks')) return new Socks5ProxyAgent(proxyUrl, { ...pool, requestTls: connect });
  return new ProxyAgent({ ...pool, uri: proxyUrl, requestTls: connect });
}

function startDeadline(clock: Clock, ms: number, outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const end = clock.monotonic() + ms;
  let expired = false;
  const cancel = clock.setTimeout(() => {
    expired = true;
    controller.abort();
  }, ms);
  const follow = () => controller.abort();
  if (outer?.aborted) controller.abort();
  outer?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    remaining: () => end - clock.monotonic(),
    expired: () => expired,
    clear: () => {
      cancel();
      outer?.removeEventListener('abort', follow);
    },
  };
}

/** Seconds the server asks to wait, for the answers that may be repeated: 429 always, 5xx where it says so. */
function retryAfterSeconds(answer: Answer, clock: Clock): number | undefined {
  if (answer.status !== 429 && answer.status < 500) return undefined;
  const header = answer.headers['retry-after'];
  return parseRetryAfter(Array.isArray(header) ? header[0] : header, clock.now());
}

const brokenCodes = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function isBrokenConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && brokenCodes.has(String(error.code));
}

function parseEvent(line: string): WatchEvent {
  const event = JSON.parse(line) as { type: string; object: KubeObject };
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type: event.type, object: event.object };
    case 'ERROR':
      throw errorFromStatus(event.object);
    default:
      throw new Error(`unknown watch event "${event.type}"`);
  }
}

/** Turns every error but the server's refusal into a TransportError that names the request. */
function explain(error: unknown, what: string, expired: boolean): unknown {
  if (error instanceof ApiError || error instanceof TransportError || error instanceof LeadershipLostError) {
    return error;
  }
  if (expired) return new TransportError(`${what}: no answer within the deadline`, { cause: error });
  const detail = error instanceof Error ? error.message : String(error);
  return new TransportError(`${what}: ${detail}`, { cause: error });
}
