/** Which headers pass through the gateway, and those that it adds. */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Names and values in turn, as node:http gives them and undici takes them. */
export type RawHeaders = readonly string[];

/** Of one connection and not of the message (RFC 9110, section 7.6.1), and those of old proxies. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers between gateway and pods, which nobody outside sends or sees. */
const INTERNAL = 'x-sparsedm-';

/** A pod's answer with this header is to a request that it has not accepted: another pod may get it. */
export const NOT_ACCEPTED = 'x-sparsedm-not-accepted';
/** On each answer of a pod: seconds in which it draws what it has accepted. */
export const QUEUED_SECONDS = 'x-sparsedm-queued-seconds';
/** On a pod's answer with images: seconds of its time that they took. */
export const DENOISING_SECONDS = 'x-sparsedm-denoising-seconds';
/** On each request to a pod, which then keeps the connection: clients that come without the gateway have to follow it. */
const BY_GATEWAY = 'x-sparsedm-by-gateway';
/** Names the version that a request must reach. */
export const PINNED_REVISION = 'x-sparsedm-revision';

/** Seconds that the client waits for an answer, as OpenAI's clients tell: the one of Python, and that of Node. */
const PATIENCE_SECONDS = 'x-stainless-read-timeout';
const PATIENCE_OF_NODE = 'x-stainless-timeout';
/** Least patience that a pod is told: 0 would mean that nothing is known. */
const LEAST_PATIENCE_MS = 1;

const FORWARDED_FOR = 'x-forwarded-for';
const FORWARDED_HOST = 'x-forwarded-host';
const FORWARDED_PROTO = 'x-forwarded-proto';
const REQUEST_ID = 'x-request-id';
const TRACEPARENT = 'traceparent';

export type Hop = { id: string; traceparent: string; client: string; host: string };

/** What the gateway says of a request, to the pod and in its log. `recorded`: the gateway's own span. */
export function hopOf(headers: IncomingHttpHeaders, client = '', recorded?: string): Hop {
  return {
    id: requestId(headers),
    traceparent: recorded ?? givenTrace(headers) ?? newTrace(),
    client,
    host: headers.host ?? '',
  };
}

/** Safe in a log and in a header. */
const SAFE_ID = /^[\w.~+/=:-]{1,128}$/;

function requestId({ [REQUEST_ID]: given }: IncomingHttpHeaders): string {
  return typeof given === 'string' && SAFE_ID.test(given) ? given : `req_${randomUUID()}`;
}

const TRACE = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/;

/** The client's trace context (W3C), if it is valid. */
export function givenTrace({ [TRACEPARENT]: given }: IncomingHttpHeaders): string | undefined {
  return typeof given === 'string' && TRACE.test(given) ? given : undefined;
}

/** One that is not sampled. From UUIDs, whose random bytes Node draws for many at a time. */
function newTrace(): string {
  const hex = () => randomUUID().replaceAll('-', '');
  return `00-${hex()}-${hex().slice(16)}-00`;
}

/** Names that a Connection header lists belong to the connection as well; undefined where it lists none. */
function namedByConnection(raw: RawHeaders): Set<string> | undefined {
  const listed = valueOf(raw, 'connection')?.toLowerCase();
  if (listed === undefined || listed === 'keep-alive' || listed === 'close') return undefined;
  const named = new Set(listed.split(',').map((each) => each.trim()));
  // Frames a body that is passed on.
  named.delete('content-length');
  return named;
}

/** This runs for each request and each answer, and allocates nothing but the result. */
function passing(raw: RawHeaders, dropped: ReadonlySet<string>): string[] {
  const named = namedByConnection(raw);
  const kept: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const lower = raw[index]!.toLowerCase();
    if (HOP_BY_HOP.has(lower) || dropped.has(lower) || lower.startsWith(INTERNAL)) continue;
    if (named?.has(lower) !== true) kept.push(raw[index]!, raw[index + 1]!);
  }
  return kept;
}

/** Headers of a request that the gateway writes itself, or that undici does for a body of a known length. */
const OWN: ReadonlySet<string> = new Set([
  FORWARDED_FOR,
  REQUEST_ID,
  TRACEPARENT,
  PATIENCE_SECONDS,
  PATIENCE_OF_NODE,
  'expect',
]);
const OWN_OF_BUFFERED: ReadonlySet<string> = new Set([...OWN, 'content-length']);
const OWN_OF_ANSWER: ReadonlySet<string> = new Set([REQUEST_ID]);

/**
 * The headers for the pod. `isBuffered`: the body's length is known from what was read. `elapsedMs`: how long the
 * client has waited already, by which the pod has less time.
 */
export function toPod(raw: RawHeaders, hop: Hop, isBuffered: boolean, elapsedMs = 0): string[] {
  const kept = passing(raw, isBuffered ? OWN_OF_BUFFERED : OWN);
  const before = valueOf(raw, FORWARDED_FOR);
  const patience = patienceMs(valueOf(raw, PATIENCE_SECONDS) ?? valueOf(raw, PATIENCE_OF_NODE));
  const add = (name: string, value: string) => void kept.push(name, value);
  if (patience !== undefined) {
    const left = Math.max(LEAST_PATIENCE_MS, patience - elapsedMs);
    add(PATIENCE_SECONDS, (left / 1000).toFixed(3));
  }
  add(FORWARDED_FOR, before === undefined ? hop.client : `${before}, ${hop.client}`);
  if (valueOf(raw, FORWARDED_PROTO) === undefined) add(FORWARDED_PROTO, 'http');
  if (valueOf(raw, FORWARDED_HOST) === undefined && hop.host !== '') add(FORWARDED_HOST, hop.host);
  add(REQUEST_ID, hop.id);
  add(TRACEPARENT, hop.traceparent);
  add(BY_GATEWAY, 'true');
  return kept;
}

/** The headers for the client. */
export function toClient(raw: RawHeaders, { id }: Hop): string[] {
  const kept = passing(raw, OWN_OF_ANSWER);
  kept.push(REQUEST_ID, id);
  return kept;
}

/** All values of a header, joined as RFC 9110 allows. */
export function valueOf(raw: RawHeaders, name: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (raw[index]!.length !== name.length || raw[index]!.toLowerCase() !== name) continue;
    found = found === undefined ? raw[index + 1] : `${found}, ${raw[index + 1]}`;
  }
  return found;
}

/** Undefined where the header is missing or no sensible number. */
export function secondsOf(raw: RawHeaders, name: string): number | undefined {
  const text = valueOf(raw, name);
  if (text === undefined || !/^\d{1,9}(\.\d{1,9})?$/.test(text)) return undefined;
  return Number(text);
}

/** Undefined where the client does not say how long it waits. */
export function clientDeadlineMs(headers: IncomingHttpHeaders): number | undefined {
  const given = headers[PATIENCE_SECONDS] ?? headers[PATIENCE_OF_NODE];
  return patienceMs(typeof given === 'string' ? given : undefined);
}

function patienceMs(given: string | undefined): number | undefined {
  const seconds = Number(given ?? NaN);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}
