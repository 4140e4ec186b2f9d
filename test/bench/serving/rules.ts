/** The rules that are compared. Each sees the replicas when it is due, and says how many there should be. */
import type { ScalingConfig } from '../../../src/autoscale/config';
import { decide, initialState } from '../../../src/autoscale/decide';
import type { Load } from '../../../src/autoscale/load';
import { newMemory, type Replica, type ReplicaMemory } from './engine';

export type Rule = {
  name: string;
  everySeconds: number;
  startReplicas: number;
  /** Replicas to run, given those that live and how many are set. */
  decide(replicas: readonly Replica[], present: number, now: number): number;
};

export type Bounds = { minReplicas: number; maxReplicas: number };

/** This operator's: reports and decisions every two seconds. */
export function builtin(name: string, config: ScalingConfig): Rule {
  const reports = new Map<Replica, { at: number; load: Load; memory: ReplicaMemory }>();
  let state = initialState(config.minReplicas, 0);
  return {
    name,
    everySeconds: 2,
    startReplicas: config.minReplicas,
    decide(replicas, present, now) {
      for (const replica of replicas.filter(({ ready }) => ready)) {
        const memory = reports.get(replica)?.memory ?? newMemory(replica);
        reports.set(replica, { at: now, ...replica.report(memory) });
      }
      const pods = replicas.map((replica) => ({ serves: replica.ready, report: reports.get(replica) }));
      const decision = decide(
        config,
        state,
        { present, pods, gateways: { held: 0, requests: 0 }, maySleep: true },
        now,
      );
      state = decision.state;
      return decision.replicas;
    },
  };
}

/** Mean of the requests in all replicas since the last call. */
function createMeter(): (replicas: readonly Replica[], now: number) => number {
  const before = new Map<Replica, { at: number; requestMs: number }>();
  return (replicas, now) => {
    let sum = 0;
    for (const replica of replicas.filter(({ ready }) => ready)) {
      const last = before.get(replica) ?? newMemory(replica);
      sum += (replica.requestMs - last.requestMs) / Math.max(1, now - last.at);
      before.set(replica, { at: now, requestMs: replica.requestMs });
    }
    return sum;
  };
}

/**
 * Knative's KPA with its defaults (pkg/autoscaler/scaling/autoscaler.go, v1.22): mean concurrency over 60 s and over
 * 6 s, panic at 200 % of the ready pods, in panic never fewer, otherwise at most halved in one decision. Scraped every
 * second; a decision every two.
 */
export function knative(target: number, { minReplicas, maxReplicas }: Bounds): Rule {
  const meter = createMeter();
  const seconds: number[] = [];
  let panicSince: number | undefined;
  let panicPods = 0;
  let ticks = 0;
  const mean = (count: number) => {
    const last = seconds.slice(-count);
    return last.reduce((sum, value) => sum + value, 0) / Math.max(1, last.length);
  };
  return {
    name: 'Knative KPA',
    everySeconds: 1,
    startReplicas: minReplicas,
    decide(replicas, present, now) {
      seconds.push(meter(replicas, now));
      if (seconds.length > 60) seconds.shift();
      if (++ticks % 2 === 1) return present;
      const ready = Math.max(1, replicas.filter((replica) => replica.ready).length);
      const stable = Math.max(Math.ceil(mean(60) / target), Math.floor(ready / 2));
      const burst = Math.max(Math.ceil(mean(6) / target), Math.floor(ready / 2));
      const over = Math.ceil(mean(6) / target) / ready >= 2;
      if (over) {
        if (panicSince === undefined) panicPods = 0;
        panicSince = now;
      } else if (panicSince !== undefined && now - panicSince > 60_000) panicSince = undefined;
      if (panicSince !== undefined) panicPods = Math.max(panicPods, ready, burst);
      const wanted = panicSince === undefined ? stable : panicPods;
      return Math.min(maxReplicas, Math.max(minReplicas, wanted));
    },
  };
}

/**
 * The HorizontalPodAutoscaler with its defaults (pkg/controller/podautoscaler, v1.36) on the mean requests in a pod:
 * every 15 s, tolerance 10 %, at most 4 pods or twice as many in a decision, down to the highest of 300 s. A pod that is
 * not ready counts as empty where more are needed.
 */
export function hpa(target: number, { minReplicas, maxReplicas }: Bounds): Rule {
  const meter = createMeter();
  let recommended: { at: number; replicas: number }[] | undefined;
  return {
    name: 'HPA',
    everySeconds: 15,
    startReplicas: minReplicas,
    decide(replicas, present, now) {
      const total = meter(replicas, now);
      const ready = replicas.filter((replica) => replica.ready).length;
      const wanted = ready === 0 ? present : hpaReplicas(total / target, ready, present);
      recommended ??= [{ at: now, replicas: present }];
      recommended = [...recommended.filter(({ at }) => at > now - 300_000), { at: now, replicas: wanted }];
      const highest = Math.max(...recommended.map((each) => each.replicas));
      const most = Math.max(present + 4, present * 2);
      const next = wanted > present ? Math.min(wanted, most) : Math.min(present, highest);
      return Math.min(maxReplicas, Math.max(minReplicas, next));
    },
  };
}

function hpaReplicas(needed: number, ready: number, present: number): number {
  const ratio = needed / ready;
  if (Math.abs(ratio - 1) <= 0.1) return present;
  if (ratio < 1 || ready === present) return Math.ceil(needed);
  const counted = needed / present;
  return counted <= 1.1 ? present : Math.ceil(needed);
}

export function fixed(replicas: number): Rule {
  return { name: `fixed at ${replicas}`, everySeconds: 60, startReplicas: replicas, decide: () => replicas };
}
