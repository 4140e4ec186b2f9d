/**
 * The requests for one service: each waits until there is a replica, goes to one, and goes to another where that one
 * has not taken it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sleep, type Clock } from '../runtime/clock';
import type { ObjectKey } from '../runtime/objects';
import type { Logger } from '../runtime/telemetry/logger';
import type { Span, Tracing } from '../runtime/telemetry/tracing';
import { GatewayError, writeError } from './answer';
import { canRepeat, sizeOf, takeBody, type Body } from './body';
import type { RevisionFigures } from '../reports/demand';
import { forward, type Outcome } from './forward';
import { clientDeadlineMs, givenTrace, hopOf, PINNED_REVISION, type Hop } from './headers';
import { createHold } from './hold';
import type { GatewayMetrics } from './metrics';
import { createMembers, type Member } from './pool';
import { createProber } from './prober';
import type { Route } from './route';
import { LONGEST_RETRY_SECONDS, type GatewaySettings } from './settings';

/** What all services of a gateway share. */
export type Shared = {
  settings: GatewaySettings;
  clock: Clock;
  random: () => number;
  logger: Logger;
  metrics: GatewayMetrics;
  tracing: Tracing;
  /** Bytes of waiting bodies, of all services. */
  heldBytes: { sum: number };
  /** Whether this gateway ends, so that clients should leave. */
  isDraining: () => boolean;
  /** Called when the operator should hear of this service now. */
  onDemand: (key: ObjectKey, isHeld: boolean) => void;
};

export type Desk = {
  update(route: Route): void;
  /** Answers the request, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  readonly route: Route;
  /** Those that are ready. */
  readonly replicas: number;
  readonly held: number;
  readonly requests: number;
  readonly revisions: Record<string, RevisionFigures>;
  close(): void;
};

/** Attempts for a request to find a replica that is not full. */
const ATTEMPTS = 4;
/** Replicas that one request may have broken: it may be what breaks them. */
const MOST_LOST = 2;
/** Mean time between two attempts where no replica takes a request. */
const PAUSE_MS = 500;
/** Time for which a replica that dies may still take connections, to break them: until the kernel closes its port. */
const DYING_MS = 2_000;
/** Part of the client's own deadline by which an answer of ours must come. */
const MARGIN_MS = 1_000;
/** In the place of a status, as nginx has it. */
const CLIENT_GONE = 499;
/** Expected time of a wake that has never been measured. */
const UNKNOWN_WAKE_SECONDS = 30;

/** One request on its way. */
type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  hop: Hop;
  body: Body;
  pinned: string | undefined;
  startedAt: number;
  /** When a waiting request is given up. */
  deadline: number;
  heldMs: number;
  attempts: number;
  tried: Set<Member>;
  /** When each replica was lost with it, and how often any was. */
  lostAt: Map<Member, number>;
  lost: number;
  signal: AbortSignal;
};

export function createDesk(first: Route, shared: Shared): Desk {
  const { settings, clock, logger, metrics, heldBytes } = shared;
  const labels = { namespace: first.key.namespace, service: first.key.name };
  const hold = createHold(clock);
  const revisions: Record<string, RevisionFigures> = {};
  const members = createMembers({
    settings,
    monotonic: () => clock.monotonic(),
    random: shared.random,
    onEjected: () => metrics.ejections.inc(labels),
  });
  let route = first;
  let requests = 0;
  let closed = false;
  const prober = createProber({ clock, isAwaited: () => hold.size > 0, onReady: look });
  prober.update(first.starting);
  look();

  /** Takes over which replicas there are, and those that said so themselves. */
  function look(): void {
    members.update({ ...route, replicas: [...route.replicas, ...prober.early] });
    if (members.size > 0) hold.release();
  }

  /** One of which nobody else has said that it is ready has to say so again. */
  function fail(member: Member): void {
    members.failed(member);
    prober.forget(member.uid);
    look();
  }

  function figuresOf(revision = ''): RevisionFigures {
    return (revisions[revision] ??= { requests: 0, failed: 0, latency: { count: 0, sumSeconds: 0 } });
  }

  /** The wake that a waiting request can expect, in seconds. */
  const wakeSeconds = () => route.wakeSeconds ?? UNKNOWN_WAKE_SECONDS;

  /** Spread, so that those who were refused together do not come back together. */
  function retryAfter(leastSeconds: number): number {
    const seconds = leastSeconds + shared.random() * Math.max(2, leastSeconds);
    return Math.max(1, Math.min(LONGEST_RETRY_SECONDS, Math.round(seconds)));
  }

  function isAbsent(pinned: string | undefined): boolean {
    return pinned === undefined ? members.size === 0 : !members.has(pinned);
  }

  /** Waits until there is a replica. Throws a GatewayError when none comes in time. */
  async function admit(exchange: Exchange): Promise<void> {
    if (!isAbsent(exchange.pinned)) return;
    if (exchange.pinned !== undefined && members.size > 0) throw unknownRevision(exchange.pinned);
    const size = sizeOf(exchange.body);
    if (hold.size >= settings.heldRequests || heldBytes.sum + size > settings.heldBytes) throw tooManyWait();
    const since = clock.monotonic();
    heldBytes.sum += size;
    try {
      while (isAbsent(exchange.pinned)) {
        const waiting = hold.wait(exchange.deadline, exchange.signal);
        prober.begin();
        shared.onDemand(route.key, true);
        if (!(await waiting) || closed) throw noReplica(exchange);
      }
    } finally {
      heldBytes.sum -= size;
      exchange.heldMs += clock.monotonic() - since;
    }
  }

  function unknownRevision(revision: string): GatewayError {
    const message = `No ready replica serves the version "${revision}" that ${PINNED_REVISION} asks for: leave the header out, or take a name from status.rollout or status.revisions.`;
    return new GatewayError(400, 'unknown_revision', message);
  }

  function tooManyWait(): GatewayError {
    const message = `${hold.size} requests wait for a replica of ${route.key.name} already: send this one again later.`;
    return new GatewayError(429, 'queue_full', message, retryAfter(wakeSeconds()));
  }

  function noReplica({ startedAt }: Exchange): GatewayError {
    if (closed) return new GatewayError(503, 'service_deleted', `The service ${route.key.name} was deleted.`);
    const waited = Math.round((clock.monotonic() - startedAt) / 1000);
    const message = `No replica of ${route.key.name} was ready within ${waited} s: ${route.reason}`;
    return new GatewayError(503, 'no_replica', message, retryAfter(wakeSeconds()));
  }

  /** Headers by which a client learns that it waited, and how long a wake takes. */
  function told({ heldMs, response }: Exchange): string[] {
    const held = heldMs === 0 ? [] : ['X-SparseDM-Held-Seconds', (heldMs / 1000).toFixed(3)];
    const wake =
      heldMs === 0 || route.wakeSeconds === undefined
        ? []
        : ['X-SparseDM-Wake-Expected-Seconds', String(route.wakeSeconds)];
    return [...held, ...wake, ...(leaves(response) ? ['Connection', 'close'] : [])];
  }

  function leaves({ shouldKeepAlive }: ServerResponse): boolean {
    return !shouldKeepAlive || route.isDirect || shared.isDraining() || closed;
  }

  async function attempt(exchange: Exchange, member: Member): Promise<Outcome> {
    const figures = figuresOf(member.revision);
    const started = clock.monotonic();
    member.load++;
    try {
      exchange.attempts++;
      const outcome = await forward({
        ...exchange,
        member,
        settings,
        elapsedMs: started - exchange.startedAt,
        heard: (headers) => members.heard(member, headers),
        extra: () => told(exchange),
        mayRefuse: (status) => mayRefuse(exchange, member, status),
      });
      count(figures, outcome, (clock.monotonic() - started) / 1000);
      return outcome;
    } finally {
      member.load--;
    }
  }

  function count(figures: RevisionFigures, outcome: Outcome, seconds: number): void {
    if (outcome.kind === 'clientGone' || outcome.kind === 'unaccepted') return;
    figures.requests++;
    const isFailed = outcome.kind !== 'answered' || outcome.status >= 500;
    if (isFailed) figures.failed++;
    if (outcome.kind !== 'answered') return;
    figures.latency.count++;
    figures.latency.sumSeconds += seconds;
  }

  function isOver({ deadline }: Exchange): boolean {
    return clock.monotonic() >= deadline;
  }

  /** Whether the request goes on to another replica. Throws a GatewayError where it ends here. */
  async function goesOn(exchange: Exchange, member: Member, outcome: Outcome): Promise<boolean> {
    switch (outcome.kind) {
      case 'answered':
        members.succeeded(member);
        return false;
      case 'clientGone':
        return false;
      case 'broken':
        fail(member);
        logger.warn('an answer broke off', { ...labels, request: exchange.hop.id, why: outcome.why });
        return false;
      case 'unaccepted':
        return again(exchange, member, outcome);
      case 'lost':
        return lose(exchange, member, outcome);
    }
  }

  type Of<Kind extends Outcome['kind']> = Extract<Outcome, { kind: Kind }>;

  /** A replica that can't be reached is about to leave the list, and one that is full about to have room. */
  async function again(
    exchange: Exchange,
    member: Member,
    { status, why }: Of<'unaccepted'>,
  ): Promise<boolean> {
    if (status === undefined) fail(member);
    const isKnown = exchange.tried.has(member) || status !== undefined;
    exchange.tried.add(member);
    if (isOver(exchange) || !canRepeat(exchange.body)) {
      throw new GatewayError(503, 'no_replica', `No replica takes the request: ${why}.`, retryAfter(1));
    }
    if (isKnown) await pause(exchange);
    return true;
  }

  async function pause(exchange: Exchange): Promise<void> {
    const since = clock.monotonic();
    await sleep(clock, PAUSE_MS * (0.5 + shared.random()), exchange.signal);
    exchange.heldMs += clock.monotonic() - since;
  }

  /**
   * Whether the request goes on looking after such an answer. A request that has waited was accepted by this gateway,
   * and waits on where all replicas are full; any other one gets a replica's own 429 once it has been to a few.
   */
  function mayRefuse(exchange: Exchange, member: Member, status: number): boolean {
    if (!canRepeat(exchange.body) || isOver(exchange)) return false;
    if (status !== 429 || exchange.heldMs > 0) return true;
    return exchange.attempts < ATTEMPTS && members.hasOther(exchange, member);
  }

  /** A replica that breaks several attempts while it dies is lost once. */
  function countLoss(exchange: Exchange, member: Member): void {
    const now = clock.monotonic();
    if (now - (exchange.lostAt.get(member) ?? -Infinity) < DYING_MS) return;
    exchange.lostAt.set(member, now);
    exchange.lost++;
  }

  async function lose(exchange: Exchange, member: Member, { why, isSilent }: Of<'lost'>): Promise<boolean> {
    fail(member);
    exchange.tried.add(member);
    countLoss(exchange, member);
    logger.warn('a replica was lost with a request', { ...labels, request: exchange.hop.id, why });
    // Drawing an image once more does no harm, but a request that breaks replicas must not go through all of them.
    if (!isSilent && exchange.lost < MOST_LOST && canRepeat(exchange.body)) {
      if (!members.hasOther(exchange, member)) await pause(exchange);
      return true;
    }
    throw isSilent
      ? new GatewayError(504, 'timeout', `The replica gave no answer within ${settings.silenceMs / 1000} s.`)
      : new GatewayError(
          502,
          'replica_lost',
          'The replica ended before it had answered: send the request again.',
          retryAfter(1),
        );
  }

  async function exchangeAll(exchange: Exchange): Promise<Member | undefined> {
    for (let isFirst = true; ; isFirst = false) {
      await admit(exchange);
      const member = members.choose(exchange);
      if (member === undefined) continue;
      if (!isFirst) metrics.retries.inc(labels);
      const outcome = await attempt(exchange, member);
      if (!(await goesOn(exchange, member, outcome))) return member;
      if (exchange.signal.aborted) return undefined;
    }
  }

  function refuse(exchange: Pick<Exchange, 'request' | 'response' | 'hop'>, error: unknown): void {
    const { request, response, hop } = exchange;
    if (response.headersSent || response.destroyed) return void response.destroy();
    const known = error instanceof GatewayError ? error : undefined;
    if (known === undefined) logger.error('a request failed in the gateway', { ...labels, error });
    const said = known ?? new GatewayError(500, 'internal_error', 'The gateway failed at this request.');
    response.setHeader('X-Request-Id', hop.id);
    // What is unread of the body must not be taken for the next request.
    writeError(response, request.url ?? '/', said, !request.complete || leaves(response));
  }

  function deadlineOf(request: IncomingMessage, startedAt: number): number {
    const given = clientDeadlineMs(request.headers) ?? Infinity;
    return startedAt + Math.min(settings.holdMs, Math.max(0, given - MARGIN_MS));
  }

  function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const describe = () => ({
      name: request.method ?? '',
      attributes: { 'http.request.method': request.method ?? '', ...labels },
    });
    return shared.tracing.serve(givenTrace(request.headers), describe, (span) =>
      answer(request, response, span),
    );
  }

  async function answer(request: IncomingMessage, response: ServerResponse, span: Span): Promise<void> {
    const startedAt = clock.monotonic();
    const leaving = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) leaving.abort();
    });
    // An error of the client's connection ends the request by way of the signal.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const hop = hopOf(request.headers, request.socket.remoteAddress, span.traceparent);
    requests++;
    shared.onDemand(route.key, false);
    let member: Member | undefined;
    let heldMs = 0;
    try {
      const body = await takeBody(request, settings, clock);
      const pinned = request.headers[PINNED_REVISION];
      const exchange: Exchange = {
        ...{ request, response, hop, body, startedAt },
        pinned: typeof pinned === 'string' && pinned !== '' ? pinned : undefined,
        deadline: deadlineOf(request, startedAt),
        heldMs: 0,
        attempts: 0,
        tried: new Set(),
        lostAt: new Map(),
        lost: 0,
        signal: leaving.signal,
      };
      try {
        member = await exchangeAll(exchange);
      } finally {
        heldMs = exchange.heldMs;
      }
    } catch (error) {
      if (!leaving.signal.aborted) refuse({ request, response, hop }, error);
    } finally {
      requests--;
      const status = leaving.signal.aborted ? CLIENT_GONE : response.statusCode;
      record({ status, revision: member?.revision ?? '', startedAt, heldMs });
      span.set({ 'http.response.status_code': status, 'request.id': hop.id, held_seconds: heldMs / 1000 });
    }
  }

  type Ended = { status: number; revision: string; startedAt: number; heldMs: number };

  function record({ status, revision, startedAt, heldMs }: Ended): void {
    metrics.requests.inc({ ...labels, revision, code: String(status) });
    metrics.seconds.observe(labels, (clock.monotonic() - startedAt) / 1000);
    if (heldMs > 0) metrics.heldSeconds.observe(labels, heldMs / 1000);
  }

  return {
    update(next) {
      route = next;
      prober.update(next.starting);
      look();
    },
    handle,
    get route() {
      return route;
    },
    get replicas() {
      return members.size;
    },
    get held() {
      return hold.size;
    },
    get requests() {
      return requests;
    },
    revisions,
    close() {
      closed = true;
      prober.close();
      hold.release();
      members.close();
    },
  };
}
