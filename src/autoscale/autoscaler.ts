/**
 * Keeps what decisions need between them: each pod's newest report with its age, and the state of each service's
 * decisions. All of it is lost with the process, and the next one starts from the replicas that are there.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../runtime/clock';
import type { ScalingConfig } from './config';
import { createDemands, type Told } from './demands';
import {
  decide,
  initialState,
  sortOut,
  type Decision,
  type GatewayLoad,
  type Sample,
  type ScalingState,
} from './decide';
import { isIdle, type Load } from './load';
import type { Heard } from './need';

/** Shortest time between two decisions on one service. */
export const DECIDE_MS = 2_000;
/** Time after which a decision is looked at again although no report came. */
export const LOOK_AGAIN_MS = 15_000;
/** Time for the first report of pods that serve. */
const PATIENCE_MS = 60_000;

/** The pods of a service that are neither ending nor over. */
export type LivePod = { uid: string; serves: boolean };

export type Evaluation = {
  replicas: number;
  decision: Decision;
  /** Whether pods report; `waiting` where the first reports are not due yet. */
  reports: 'arrive' | 'waiting' | 'missing';
  /** When to evaluate again at the latest. */
  againMs: number;
};

/** What is known of the load without a decision on it. */
export type Fresh = Omit<Heard, 'held'> & {
  /** Pods have served for long enough to have reported, and none has. */
  isMissing: boolean;
};

export type Autoscaler = {
  /** Keeps a pod's report; returns the milliseconds until the service should be evaluated. */
  hear(key: string, uid: string, pod: string, load: Load): number;
  /** Keeps what a gateway told of a service's requests; returns as `hear`, and 0 where it wakes the service. */
  hearDemand(key: string, uid: string, told: Told): number;
  /** The requests in the gateways. */
  demandOf(key: string): GatewayLoad;
  /**
   * Decides, at most once in DECIDE_MS, except to wake a service; between, the last decision stands. `found`: the
   * replicas that are set now.
   */
  evaluate(
    key: string,
    uid: string,
    config: ScalingConfig,
    found: number,
    pods: readonly LivePod[],
    maySleep?: boolean,
  ): Evaluation;
  /** The newest loads of the pods, for an autoscaler outside of the operator. */
  heard(key: string, uid: string, pods: readonly LivePod[]): Fresh;
  /** While another autoscaler decides: drops the decision, so that the next one begins anew, but keeps the reports. */
  rest(key: string): void;
  forget(key: string): void;
  /** The service is gone. */
  forgetDemand(key: string): void;
  /** The last decision on each service. */
  decisions(): IterableIterator<[key: string, decision: Decision]>;
};

export type AutoscalerOptions = {
  clock: Pick<Clock, 'monotonic'>;
  /** Called for each decision. */
  onDecision?: (decision: Decision, before: number) => void;
};

type Decided = { at: number; config: ScalingConfig; decision: Decision };

type Entry = {
  /** Of the service: a later one of its name inherits nothing. */
  uid: string;
  reports: Map<string, { at: number; load: Load }>;
  decided: Decided | undefined;
  /** Since when pods serve, and when one last reported. */
  servesSince: number | undefined;
  heardAt: number;
  /** When a pod or a gateway last told of a request; at first, since when this process knows the service. */
  activeAt: number;
};

export function createAutoscaler({ clock, onDecision }: AutoscalerOptions): Autoscaler {
  const entries = new Map<string, Entry>();
  const demands = createDemands(clock);

  function entryOf(key: string, uid: string): Entry {
    const known = entries.get(key);
    if (known?.uid === uid) return known;
    const entry: Entry = {
      uid,
      reports: new Map(),
      decided: undefined,
      servesSince: undefined,
      heardAt: -Infinity,
      activeAt: clock.monotonic(),
    };
    entries.set(key, entry);
    return entry;
  }

  /** A pod that is gone reports no more. */
  function look(entry: Entry, pods: readonly LivePod[]): void {
    const live = new Set(pods.map(({ uid }) => uid));
    for (const pod of entry.reports.keys()) if (!live.has(pod)) entry.reports.delete(pod);
    if (!pods.some(({ serves }) => serves)) entry.servesSince = undefined;
    else entry.servesSince ??= clock.monotonic();
  }

  type Seen = { found: number; pods: readonly LivePod[]; gateways: GatewayLoad; maySleep: boolean };

  function reportsFrom({ reports }: Entry, pods: readonly LivePod[]): Sample['pods'] {
    return pods.map(({ uid, serves }) => ({ serves, report: reports.get(uid) }));
  }

  function decideAnew(entry: Entry, config: ScalingConfig, { found, pods, ...seen }: Seen): Decided {
    const now = clock.monotonic();
    const last = entry.decided?.decision;
    const present = last?.replicas ?? found;
    const state: ScalingState = last?.state ?? initialState(present, now, entry.activeAt);
    const decision = decide(config, state, { present, pods: reportsFrom(entry, pods), ...seen }, now);
    onDecision?.(decision, present);
    return { at: now, config, decision };
  }

  function reportsOf(entry: Entry, { outcome }: Decision): Evaluation['reports'] {
    if (outcome !== 'noReports') return 'arrive';
    return isMissing(entry) ? 'missing' : 'waiting';
  }

  function isMissing({ servesSince, heardAt }: Entry): boolean {
    return servesSince !== undefined && clock.monotonic() - Math.max(servesSince, heardAt) > PATIENCE_MS;
  }

  function stands({ decided }: Entry, config: ScalingConfig, { held }: GatewayLoad): boolean {
    if (decided === undefined || clock.monotonic() - decided.at >= DECIDE_MS) return false;
    const wakes = decided.decision.replicas === 0 && held > 0;
    return !wakes && isDeepStrictEqual(decided.config, config);
  }

  function againAt({ at, decision }: Decided): number {
    return at + (decision.outcome === 'fallingAsleep' ? DECIDE_MS : LOOK_AGAIN_MS);
  }

  function dueMs({ decided }: Entry): number {
    return decided === undefined ? 0 : Math.max(0, decided.at + DECIDE_MS - clock.monotonic());
  }

  return {
    hear(key, uid, pod, load) {
      const entry = entryOf(key, uid);
      const now = clock.monotonic();
      entry.reports.set(pod, { at: now, load });
      entry.heardAt = now;
      if (!isIdle(load)) entry.activeAt = now;
      return dueMs(entry);
    },

    hearDemand(key, uid, told) {
      const entry = entryOf(key, uid);
      demands.hear(key, uid, told);
      if (told.requests > 0) entry.activeAt = clock.monotonic();
      const wakes = told.held > 0 && entry.decided?.decision.replicas === 0;
      return wakes ? 0 : dueMs(entry);
    },

    demandOf: (key) => demands.of(key),

    evaluate(key, uid, config, found, pods, maySleep = false) {
      const entry = entryOf(key, uid);
      look(entry, pods);
      const gateways = demands.of(key);
      if (!stands(entry, config, gateways)) {
        entry.decided = decideAnew(entry, config, { found, pods, gateways, maySleep });
      }
      const decided = entry.decided!;
      const { decision } = decided;
      return {
        replicas: decision.replicas,
        decision,
        reports: reportsOf(entry, decision),
        againMs: Math.max(0, againAt(decided) - clock.monotonic()),
      };
    },

    heard(key, uid, pods) {
      const entry = entryOf(key, uid);
      look(entry, pods);
      const { fresh, ...others } = sortOut(reportsFrom(entry, pods), clock.monotonic());
      return { loads: fresh, ...others, isMissing: fresh.length === 0 && isMissing(entry) };
    },

    rest(key) {
      const entry = entries.get(key);
      if (entry !== undefined) entry.decided = undefined;
    },

    forget: (key) => void entries.delete(key),
    forgetDemand: (key) => demands.forget(key),

    *decisions() {
      for (const [key, { decided }] of entries) if (decided !== undefined) yield [key, decided.decision];
    },
  };
}
