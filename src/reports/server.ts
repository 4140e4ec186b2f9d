import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../runtime/clock';
import { keyText, type ObjectKey } from '../runtime/objects';
import type { Logger } from '../runtime/telemetry/logger';
import { reportedObject } from './address';
import type { Receipt } from './coalesce';
import { createRateLimit } from './limit';
import { WrongReportError, type Account, type Answer, type Box, type Mailbox } from './mailbox';
import type { Figure } from './figure';
import type { OwnerLookup } from './owner';
import { TooManyReviewsError, type Reporter, type TokenReviewer } from './review';

export const BODY_LIMIT = 64 * 1024;

/**
 * Limit on the reports of one pod, and of one object: a burst, then two a second. The trainer sends one every two
 * seconds.
 */
const REPORT_RATE = { burst: 10, perSecond: 2 };

export type ReportServerDependencies = {
  reviewer: TokenReviewer;
  owners: OwnerLookup;
  mailboxes: readonly Mailbox[];
  /** Numbers to be read with GET. */
  figures?: readonly Figure[];
  clock: Clock;
  logger: Logger;
  /** Called for each answer; the kind is `unknown` where the path names none. */
  onAnswer?: (kind: string, status: number) => void;
};

type Route = { mailbox: Mailbox; key: ObjectKey };

/** An answer other than 200, 202 and 204. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

function bearerToken(request: IncomingMessage): string {
  const token = /^Bearer ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) {
    throw new Refusal(
      401,
      'Unauthorized',
      'Send the header Authorization: Bearer TOKEN, with the token mounted in the pod.',
    );
  }
  return token;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const tooLarge = new Refusal(413, 'PayloadTooLarge', `A report has at most ${BODY_LIMIT} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw tooLarge;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new Refusal(400, 'BadRequest', 'The body must be JSON.');
  }
}

/**
 * 204: the report is written. 202: it will be, unless this process ends first; a run's final report repeats everything.
 * 200: it is taken, and the body says what follows.
 */
function accept(response: ServerResponse, receipt: Receipt | Answer): number {
  if (typeof receipt !== 'string') {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(receipt.answer));
    return 200;
  }
  const status = receipt === 'written' ? 204 : 202;
  response.writeHead(status).end();
  return status;
}

function send(response: ServerResponse, { status, code, message, retryAfterSeconds }: Refusal): void {
  const body = JSON.stringify({ code, message });
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': retryAfterSeconds }),
    // The unread rest of a body must not be taken for the next request, and another replica needs another connection.
    ...(status === 413 || status === 421 ? { Connection: 'close' } : {}),
  });
  response.end(body);
}

/**
 * The report endpoint of trainer and server pods. Any replica answers; a report reaches only the object that owns the
 * reporting pod.
 */
export function createReportServer(dependencies: ReportServerDependencies): Server {
  const { reviewer, owners, mailboxes, figures = [], clock, logger, onAnswer } = dependencies;
  const limit = createRateLimit(clock, REPORT_RATE);

  function routeOf(url = ''): Route | undefined {
    const path = url.split('?')[0] ?? '';
    for (const mailbox of mailboxes) {
      const key = reportedObject(mailbox.kind.address, path);
      if (key !== undefined) return { mailbox, key };
    }
    return undefined;
  }

  async function authenticate(request: IncomingMessage, { mailbox, key }: Route): Promise<Reporter> {
    const reporter = await reviewer.review(bearerToken(request)).catch(refuseForNow);
    if (reporter === undefined) {
      throw new Refusal(
        401,
        'Unauthorized',
        'The token is not valid here: it must belong to a pod and have the audience sparsedm.io.',
      );
    }
    if (mailbox.account === undefined) {
      if (reporter.namespace !== key.namespace) throw foreignPod();
      // Checked before its owners are looked up, which may ask the API server.
      checkRate(`pod ${reporter.podUid}`);
    } else {
      if (!isOf(mailbox.account, reporter)) throw foreignAccount(mailbox.account);
      // One pod speaks for many objects.
      checkRate(`pod ${reporter.podUid} ${keyText(key)}`);
    }
    return reporter;
  }

  async function isHeard({ kind, account }: Mailbox, { object }: Box, reporter: Reporter): Promise<boolean> {
    return account !== undefined || owners.owns(object, kind.controllers, reporter);
  }

  function refuseForNow(error: unknown): never {
    if (!(error instanceof TooManyReviewsError)) throw error;
    throw tooMany('Too many tokens to check', error.retryAfterMs);
  }

  function checkRate(key: string): void {
    const waitMs = limit.take(key);
    if (waitMs > 0) throw tooMany('Too many reports', waitMs);
  }

  async function take(request: IncomingMessage, route: Route | undefined): Promise<Receipt | Answer> {
    if (route === undefined) throw new Refusal(404, 'NotFound', 'There is nothing at this path.');
    if (request.method !== 'POST') throw new Refusal(405, 'MethodNotAllowed', 'Send reports with POST.');
    const { mailbox, key } = route;
    if (!mailbox.isHere()) throw elsewhere();
    const reporter = await authenticate(request, route);
    const box = mailbox.find(key);
    if (box === undefined) throw notFound(route);
    if (!(await isHeard(mailbox, box, reporter))) throw foreignPod();
    if (mailbox.writes) checkRate(`${mailbox.kind.name} ${keyText(key)}`);
    return box.put(await readJson(request), reporter);
  }

  /** The number that the request asks for; undefined where it asks for none. */
  function figureOf(url = ''): { figure: Figure; key: ObjectKey } | undefined {
    const path = url.split('?')[0] ?? '';
    for (const figure of figures) {
      const key = reportedObject(figure.address, path);
      if (key !== undefined) return { figure, key };
    }
    return undefined;
  }

  /** Needs no review, only what is in the cache. */
  function readFigure(request: IncomingMessage, figure: Figure, key: ObjectKey): { value: number } {
    if (request.method !== 'GET') throw new Refusal(405, 'MethodNotAllowed', 'Read the number with GET.');
    if (!figure.mayRead(key, bearerToken(request))) throw new Refusal(401, 'Unauthorized', WRONG_TOKEN);
    if (!figure.isHere()) throw elsewhere();
    const read = figure.read(key);
    if ('unknown' in read) throw new Refusal(503, 'Unknown', read.unknown);
    return read;
  }

  function answerFigure(request: IncomingMessage, response: ServerResponse): boolean {
    const found = figureOf(request.url);
    if (found === undefined) return false;
    let status = 200;
    try {
      const body = JSON.stringify(readFigure(request, found.figure, found.key));
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(body);
    } catch (error) {
      const refusal = refusalOf(error);
      status = refusal.status;
      send(response, refusal);
    }
    onAnswer?.(found.figure.name, status);
    return true;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (answerFigure(request, response)) return;
    const route = routeOf(request.url);
    let status: number;
    try {
      status = accept(response, await take(request, route));
    } catch (error) {
      const refusal = refusalOf(error);
      status = refusal.status;
      if (!response.headersSent) send(response, refusal);
    }
    onAnswer?.(route?.mailbox.kind.name ?? 'unknown', status);
  }

  function refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    if (error instanceof WrongReportError) return new Refusal(400, 'BadRequest', error.message);
    logger.warn('A report could not be stored', { error });
    return new Refusal(503, 'Unavailable', 'The report could not be stored: send it again later.', 5);
  }

  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    void answer(request, response);
  });
  server.keepAliveTimeout = 90_000;
  server.maxRequestsPerSocket = 0;
  return server;
}

const WRONG_TOKEN =
  'The token is not the one of this service, or there is no such service: KEDA reads it from the ConfigMap that its TriggerAuthentication names.';

function tooMany(what: string, waitMs: number): Refusal {
  const seconds = Math.ceil(waitMs / 1000);
  return new Refusal(429, 'TooManyRequests', `${what}: send the report again in ${seconds} s.`, seconds);
}

/** A Service sends each connection to any replica. */
function elsewhere(): Refusal {
  const message = 'This replica of the operator does not lead: send the report again over a new connection.';
  return new Refusal(421, 'NotLeader', message);
}

function foreignPod(): Refusal {
  return new Refusal(403, 'Forbidden', 'A pod can report only for the object that owns it.');
}

function isOf({ namespace, name }: Account, reporter: Reporter): boolean {
  return reporter.namespace === namespace && reporter.account === name;
}

function foreignAccount({ namespace, name }: Account): Refusal {
  const message = `Only pods of the ServiceAccount ${namespace}/${name} can report here.`;
  return new Refusal(403, 'Forbidden', message);
}

function notFound({ mailbox, key }: Route): Refusal {
  return new Refusal(404, 'NotFound', `There is no ${mailbox.kind.resource.kind} ${keyText(key)}.`);
}
