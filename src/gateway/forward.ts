/** One attempt to have a request answered by one replica. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { errors, type Dispatcher } from 'undici';
import { GatewayError } from './answer';
import { bodyForPod, type Body } from './body';
import { NOT_ACCEPTED, toClient, toPod, valueOf, type Hop, type RawHeaders } from './headers';
import type { Member } from './pool';
import type { GatewaySettings } from './settings';

export type Attempt = {
  request: IncomingMessage;
  response: ServerResponse;
  body: Body;
  hop: Hop;
  member: Member;
  settings: GatewaySettings;
  /** How long the client has waited already. */
  elapsedMs: number;
  /** Aborts when the client has gone. */
  signal: AbortSignal;
  /** Called with the headers of the pod's answer, whatever it is. */
  heard: (headers: RawHeaders) => void;
  /** More headers of the answer. */
  extra: () => string[];
  /** Whether an answer by which the pod has not accepted the request may be dropped for another attempt. */
  mayRefuse: (status: number) => boolean;
};

export type Outcome =
  /** The client has the whole answer. */
  | { kind: 'answered'; status: number }
  /** The pod never had the request, or has said that it does not take it. */
  | { kind: 'unaccepted'; status: number | undefined; why: string }
  /** The connection broke, or nothing came in time, before any byte of an answer. */
  | { kind: 'lost'; why: string; isSilent: boolean }
  /** The connection broke within the answer, of which the client has a part. */
  | { kind: 'broken'; why: string }
  | { kind: 'clientGone' };

/** Errors that come before a connection is there. */
const NO_CONNECTION = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Rejects only with a GatewayError about the client's own request. */
export async function forward(attempt: Attempt): Promise<Outcome> {
  const { request, response, body, hop, member, settings, elapsedMs, signal, heard, extra, mayRefuse } =
    attempt;
  /** Of the pod's answer, once it has begun. */
  let status: number | undefined;
  let isRefused = false;
  const begin = ({ statusCode, headers }: Dispatcher.StreamFactoryData): Writable => {
    const raw = headers as unknown as string[];
    heard(raw);
    status = statusCode;
    isRefused = valueOf(raw, NOT_ACCEPTED) !== undefined && mayRefuse(status);
    if (isRefused) return nowhere();
    return response.writeHead(status, [...toClient(raw, hop), ...extra()]);
  };
  try {
    await member.pool.stream(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: request.url ?? '/',
        headers: toPod(request.rawHeaders, hop, body.kind !== 'flowing', elapsedMs),
        body: bodyForPod(body, settings) as Dispatcher.DispatchOptions['body'] & object,
        signal,
        responseHeaders: 'raw',
      },
      begin,
    );
  } catch (error) {
    if (status === undefined) {
      if (error instanceof GatewayError) throw error;
      return failed(error, signal);
    }
    if (!isRefused) {
      // The client must see that its answer is not whole: its connection is cut.
      response.destroy();
      return signal.aborted ? { kind: 'clientGone' } : { kind: 'broken', why: (error as Error).message };
    }
  }
  return isRefused
    ? { kind: 'unaccepted', status, why: `status ${status}` }
    : { kind: 'answered', status: status! };
}

/** Takes the body of an answer that nobody gets. */
function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function failed(error: unknown, signal: AbortSignal): Outcome {
  if (signal.aborted) return { kind: 'clientGone' };
  const { code = '', message } = error as Error & { code?: string };
  if (NO_CONNECTION.has(code)) return { kind: 'unaccepted', status: undefined, why: message };
  return { kind: 'lost', why: message, isSilent: error instanceof errors.HeadersTimeoutError };
}
