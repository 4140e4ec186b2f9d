/** The replicas of one service as this gateway sees them: connections, load, failures. */
import { Pool } from 'undici';
import { choose, ejectionMs, sideOf, type Candidate } from './balance';
import { DENOISING_SECONDS, QUEUED_SECONDS, secondsOf, type RawHeaders } from './headers';
import type { Replica, Route } from './route';
import type { GatewaySettings } from './settings';

export type Member = Candidate & {
  uid: string;
  pool: Pool;
  /** Failures since the last success. */
  failures: number;
};

export type Members = {
  /** Takes over which replicas there are. */
  update(route: Route): void;
  /** A replica for a request: among those of the pinned version, or by chance; undefined while there is none. */
  choose(options: { pinned: string | undefined; tried: ReadonlySet<Member> }): Member | undefined;
  /** Whether another replica could get the request, which has not been there. */
  hasOther(options: { pinned: string | undefined; tried: ReadonlySet<Member> }, than: Member): boolean;
  /** Whether any ready replica is of this version. */
  has(revision: string): boolean;
  /** How many replicas are ready. */
  readonly size: number;
  failed(member: Member): void;
  succeeded(member: Member): void;
  /** Keeps what an answer says of its replica's queue. */
  heard(member: Member, headers: RawHeaders): void;
  close(): void;
};

export type MembersOptions = {
  settings: GatewaySettings;
  monotonic: () => number;
  random: () => number;
  onEjected: () => void;
};

/** Weight of the past in the running mean. */
const MEMORY = 0.9;

export function createMembers({ settings, monotonic, random, onEjected }: MembersOptions): Members {
  const ready = new Map<string, Member>();
  /** No longer ready, with requests that may still be answered. */
  const leaving = new Map<string, Member>();
  let canary: Route['canary'];
  /** What a request takes of a replica's time: a running mean, in seconds. */
  let requestSeconds = 0;

  function join({ uid, origin, revision }: Replica): Member {
    const pool = new Pool(origin, {
      connections: settings.podConnections,
      pipelining: 1,
      connect: { timeout: settings.connectMs },
      headersTimeout: settings.silenceMs,
      bodyTimeout: settings.silenceMs,
      // Shorter than a server's, so that no request meets a connection that is being closed.
      keepAliveTimeout: 2_000,
    });
    return { uid, pool, revision, load: 0, failures: 0, ejectedUntil: 0 };
  }

  /** Breaks what still runs in it. */
  function end(member: Member): void {
    void member.pool.destroy();
  }

  function update({ replicas, alive, canary: split }: Route): void {
    canary = split;
    const present = new Set(replicas.map(({ uid }) => uid));
    for (const [uid, member] of ready) {
      if (present.has(uid)) continue;
      ready.delete(uid);
      leaving.set(uid, member);
    }
    for (const replica of replicas) {
      if (ready.has(replica.uid)) continue;
      ready.set(replica.uid, leaving.get(replica.uid) ?? join(replica));
      leaving.delete(replica.uid);
    }
    for (const [uid, member] of leaving) {
      if (alive.has(uid)) continue;
      leaving.delete(uid);
      end(member);
    }
  }

  return {
    update,
    choose({ pinned, tried }) {
      const all = [...ready.values()];
      const side =
        pinned === undefined
          ? sideOf(all, canary, random)
          : all.filter(({ revision }) => revision === pinned);
      const fresh = side.filter((member) => !tried.has(member));
      const now = monotonic();
      const chosen = choose(fresh.length > 0 ? fresh : side, { now, requestSeconds, random });
      if (chosen?.queue !== undefined) chosen.queue.since++;
      return chosen;
    },
    hasOther: ({ pinned, tried }, than) =>
      [...ready.values()].some(
        (member) =>
          member !== than && !tried.has(member) && (pinned === undefined || member.revision === pinned),
      ),
    has: (revision) => [...ready.values()].some((member) => member.revision === revision),
    get size() {
      return ready.size;
    },
    failed(member) {
      member.failures++;
      member.ejectedUntil = monotonic() + ejectionMs(member.failures);
      onEjected();
    },
    succeeded(member) {
      member.failures = 0;
      member.ejectedUntil = 0;
    },
    heard(member, headers) {
      const seconds = secondsOf(headers, QUEUED_SECONDS);
      if (seconds !== undefined) member.queue = { seconds, at: monotonic(), since: 0 };
      const taken = secondsOf(headers, DENOISING_SECONDS);
      if (taken === undefined) return;
      requestSeconds = requestSeconds === 0 ? taken : MEMORY * requestSeconds + (1 - MEMORY) * taken;
    },
    close() {
      for (const member of [...ready.values(), ...leaving.values()]) end(member);
      ready.clear();
      leaving.clear();
    },
  };
}
