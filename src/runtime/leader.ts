import { sleep, type Clock } from './clock';
import { isAlreadyExists, isConflict, isNotFound, LeadershipLostError } from './errors';
import type { Transport } from './http/transport';
import { collectionPath, objectPath, type KubeObject, type Resource } from './objects';
import type { Logger } from './telemetry/logger';
import type { Metrics } from './telemetry/metrics';

export type LeaseSpec = {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
};
export type Lease = KubeObject & { spec?: LeaseSpec };

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

export type LeaderTiming = {
  /** Time without renewal after which a lease may be taken. */
  leaseMs: number;
  /**
   * Time without a successful renewal after which a leader stops; less than leaseMs, so that it stops before another
   * starts.
   */
  renewDeadlineMs: number;
  /** Time between attempts to renew or to acquire. */
  retryMs: number;
};

export type LeaderOptions = {
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics?: Metrics;
  random?: () => number;
  lease: { namespace: string; name: string };
  /** Unique per process. */
  identity: string;
  timing?: Partial<LeaderTiming>;
};

export type LeaderElector = {
  /** Waits until this process holds the lease; returns false when the signal aborted first. */
  acquire(signal: AbortSignal): Promise<boolean>;
  /** Renews until the signal aborts; rejects with LeadershipLostError when the lease is lost. */
  hold(signal: AbortSignal): Promise<void>;
  /** Gives the lease up, so that a standby takes over at once. Never throws. */
  release(): Promise<void>;
  isLeader(): boolean;
  /** Throws LeadershipLostError unless this process is sure to still lead: call it before each write. */
  assertLeader(): void;
  state(): LeaderState;
};

export const defaultTiming: LeaderTiming = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** Time after which the server ends a watch of the lease, and a new one is opened. */
const watchSeconds = 600;

/** For /debug: who leads, as far as this process knows. */
export type LeaderState = {
  leading: boolean;
  identity?: string;
  lease?: string;
  holder?: string;
  /** When this process last renewed the lease; absent while it does not lead. */
  renewedAt?: Date;
};

/** metav1.MicroTime. */
function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}

/**
 * Leader election on a Lease, with client-go's timing.
 *
 * Clocks of two machines are never compared: the holder's renewTime is only watched for change, and the lease has
 * expired when it has not changed for its duration on this process' own monotonic clock. Every write names the
 * resourceVersion it read, so that the server lets only one of two candidates win.
 *
 * Unlike client-go's, a standby watches the lease instead of polling it every retry period: it sees each renewal as it
 * happens, and so takes a dead holder's lease when it expires and a released one at once. Where it may not watch, it
 * polls.
 */
export function createLeaderElector(options: LeaderOptions): LeaderElector {
  const { transport, clock, metrics, lease, identity } = options;
  const timing = { ...defaultTiming, ...options.timing };
  const random = options.random ?? Math.random;
  const logger = options.logger.child({ lease: `${lease.namespace}/${lease.name}`, identity });
  const path = objectPath(leases, lease);
  /** The lease as last seen, and when it was first seen in this state. */
  let observed: { lease: Lease; at: number } | undefined;
  let leading = false;
  let renewedAt = 0;

  function setLeading(value: boolean): void {
    leading = value;
    metrics?.leader.set({ name: lease.name }, value ? 1 : 0);
  }
  setLeading(false);

  /** `at` is when the request began: the state is at least that old. */
  function observe(seen: Lease, at: number): void {
    const same = observed?.lease.metadata.resourceVersion === seen.metadata.resourceVersion;
    if (observed === undefined || !same) observed = { lease: seen, at };
  }

  async function send(method: 'GET' | 'POST' | 'PUT', body: Lease | undefined, signal: AbortSignal) {
    const at = clock.monotonic();
    const answer = await transport.request<Lease>({
      method,
      path: method === 'POST' ? collectionPath(leases, lease.namespace) : path,
      ...(body === undefined ? {} : { body }),
      deadlineMs: timing.renewDeadlineMs / 2,
      signal,
    });
    observe(answer, at);
    return { answer, at };
  }

  function claim(current: LeaseSpec | undefined): LeaseSpec {
    const now = microTime(clock.now());
    const mine = current?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(timing.leaseMs / 1000),
      acquireTime: mine ? (current.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (current?.leaseTransitions ?? 0) + (mine || current === undefined ? 0 : 1),
    };
  }

  async function createLease(signal: AbortSignal): Promise<number> {
    const { at } = await send(
      'POST',
      { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { ...lease }, spec: claim(undefined) },
      signal,
    );
    return at;
  }

  /** Milliseconds until the lease as last seen may be taken; 0 when no other process holds it. */
  function untilFree(): number {
    if (observed === undefined) return 0;
    const { holderIdentity: holder = '', leaseDurationSeconds = 0 } = observed.lease.spec ?? {};
    if (holder === '' || holder === identity) return 0;
    return Math.max(0, observed.at + leaseDurationSeconds * 1000 - clock.monotonic());
  }

  /** One attempt: returns the time from which the lease counts as ours, or undefined when another process holds it. */
  async function tryAcquire(signal: AbortSignal): Promise<number | undefined> {
    try {
      const { answer } = await send('GET', undefined, signal);
      if (untilFree() > 0) return undefined;
      const { at } = await send('PUT', { ...answer, spec: claim(answer.spec) }, signal);
      return at;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // Its holder does not know yet that the lease was deleted, and leads until it would have expired.
      return untilFree() > 0 ? undefined : createLease(signal);
    }
  }

  /**
   * Watches a lease that another process holds: returns true once it may be taken, false when the watch ended before.
   * The holder renews it each retry period, so a watch without an event for two of them is broken.
   */
  async function standBy(signal: AbortSignal): Promise<boolean> {
    const free = new AbortController();
    let cancelTimer = () => {};
    const wakeWhenFree = () => {
      cancelTimer();
      // A timer may run a fraction of a millisecond early.
      cancelTimer = clock.setTimeout(() => free.abort(), untilFree() + 1);
    };
    wakeWhenFree();
    try {
      const events = transport.watch({
        path: collectionPath(leases, lease.namespace),
        query: { fieldSelector: `metadata.name=${lease.name}`, timeoutSeconds: watchSeconds },
        idleMs: 2 * timing.retryMs,
        signal: AbortSignal.any([signal, free.signal]),
      });
      for await (const portion of events) {
        for (const { object } of portion) observe(object, clock.monotonic());
        if (untilFree() === 0) return true;
        wakeWhenFree();
      }
    } catch (error) {
      logger.debug('cannot watch the lease, looking at it instead', { error });
    } finally {
      cancelTimer();
    }
    return untilFree() === 0;
  }

  async function renew(signal: AbortSignal): Promise<void> {
    const held = observed?.lease;
    if (held !== undefined && held.spec?.holderIdentity === identity) {
      try {
        renewedAt = (await send('PUT', { ...held, spec: claim(held.spec) }, signal)).at;
        return;
      } catch (error) {
        // The lease was changed (a label, or another holder): read it again below.
        if (!isConflict(error) && !isNotFound(error)) throw error;
      }
    }
    renewedAt = await renewAfterReading(signal);
  }

  /** As tryAcquire, but a lease that another process holds is lost for good, even when it has expired. */
  async function renewAfterReading(signal: AbortSignal): Promise<number> {
    try {
      const { answer } = await send('GET', undefined, signal);
      if (answer.spec?.holderIdentity !== identity) {
        throw new LeadershipLostError(
          `the lease is held by "${answer.spec?.holderIdentity ?? ''}", not by "${identity}"`,
        );
      }
      return (await send('PUT', { ...answer, spec: claim(answer.spec) }, signal)).at;
    } catch (error) {
      if (isNotFound(error)) return createLease(signal);
      throw error;
    }
  }

  async function acquire(signal: AbortSignal): Promise<boolean> {
    logger.debug('waiting for the lease');
    while (!signal.aborted) {
      try {
        const at = await tryAcquire(signal);
        if (at !== undefined) {
          renewedAt = at;
          setLeading(true);
          logger.info('became leader');
          return true;
        }
        if (await standBy(signal)) continue;
      } catch (error) {
        if (!isConflict(error) && !isAlreadyExists(error) && !signal.aborted) {
          logger.warn('cannot reach the lease, trying again', { error });
        }
      }
      // Never zero, to avoid a hot loop against a server that refuses.
      const rest = untilFree() || Infinity;
      await sleep(clock, Math.min(rest, timing.retryMs * (0.6 + 0.3 * random())), signal);
    }
    return false;
  }

  /** Keeps renewing; ends when the signal aborts, throws only LeadershipLostError. */
  async function renewUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(clock, timing.retryMs, signal);
      if (signal.aborted) return;
      try {
        await renew(signal);
      } catch (error) {
        if (error instanceof LeadershipLostError) throw error;
        if (!signal.aborted) logger.warn('could not renew the lease', { error });
      }
    }
  }

  async function hold(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const follow = () => stop.abort();
    if (signal.aborted) return;
    signal.addEventListener('abort', follow, { once: true });
    const deadline = watchDeadline(stop.signal);
    try {
      await Promise.race([renewUntil(stop.signal), deadline.expired]);
    } catch (error) {
      setLeading(false);
      throw error;
    } finally {
      stop.abort();
      deadline.cancel();
      signal.removeEventListener('abort', follow);
    }
  }

  /**
   * Rejects once the last renewal is older than the deadline, even while a request hangs. A process that stalled (a
   * long parse, a paused machine) could not renew: it gets the time for an attempt after it resumes, and assertLeader
   * allows no write until a renewal has succeeded, which the server refuses if another process leads by now. So
   * renewals need no thread of their own: a process that stalls for longer than the lease should be replaced.
   */
  function watchDeadline(signal: AbortSignal): { expired: Promise<never>; cancel: () => void } {
    const { promise, reject } = Promise.withResolvers<never>();
    let cancelTimer = () => {};
    let tryUntil = 0;
    const check = (due: number) => {
      if (signal.aborted) return;
      const now = clock.monotonic();
      if (now - due >= timing.retryMs) tryUntil = now + timing.renewDeadlineMs / 2;
      const rest = Math.max(renewedAt + timing.renewDeadlineMs, tryUntil) - now;
      if (rest <= 0) return reject(new LeadershipLostError('the lease could not be renewed in time'));
      // Checks often, so that a stall is noticed at any time.
      const waitMs = Math.min(rest, timing.retryMs);
      cancelTimer = clock.setTimeout(() => check(now + waitMs), waitMs);
    };
    check(clock.monotonic());
    return { expired: promise, cancel: () => cancelTimer() };
  }

  async function release(): Promise<void> {
    const held = observed?.lease;
    if (!leading || held === undefined) return;
    setLeading(false);
    const now = microTime(clock.now());
    const spec: LeaseSpec = {
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: held.spec?.leaseTransitions ?? 0,
    };
    try {
      await putReleased(held, spec);
      logger.info('released the lease');
    } catch (error) {
      logger.warn('could not release the lease; it will expire', { error });
    }
  }

  /** A renewal that the stop cut off may still have arrived: then the lease is read once more. */
  async function putReleased(held: Lease, spec: LeaseSpec): Promise<void> {
    const { signal } = new AbortController();
    try {
      await send('PUT', { ...held, spec }, signal);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const { answer } = await send('GET', undefined, signal);
      if (answer.spec?.holderIdentity === identity) await send('PUT', { ...answer, spec }, signal);
    }
  }

  /** After a long stall the timer that ends leadership may not have run yet, so this asks the clock. */
  function assertLeader(): void {
    if (leading && clock.monotonic() - renewedAt < timing.renewDeadlineMs) return;
    throw new LeadershipLostError('this process does not hold the lease');
  }

  function state(): LeaderState {
    const age = clock.monotonic() - renewedAt;
    const holder = observed?.lease.spec?.holderIdentity;
    return {
      leading,
      identity,
      lease: `${lease.namespace}/${lease.name}`,
      ...(holder === undefined ? {} : { holder }),
      ...(leading ? { renewedAt: new Date(clock.now().getTime() - age) } : {}),
    };
  }

  return { acquire, hold, release, isLeader: () => leading, assertLeader, state };
}
