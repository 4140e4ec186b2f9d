/** Plays a trace of requests against a rule, faster than time. */
import type { Random } from '../../chaos/random';
import { quantile } from '../statistics';
import { Replica, type EngineModel, type Request } from './engine';
import { Timeline } from './events';
import type { Rule } from './rules';
import type { Trace } from './traces';

export type Result = {
  rule: string;
  trace: string;
  requests: number;
  /** Sum over the replicas of the seconds for which each existed. */
  replicaSeconds: number;
  p50Seconds: number;
  p95Seconds: number;
  p99Seconds: number;
  /** Answered with 429, or found no replica, in per cent of all. */
  failedPercent: number;
  /** Answered later than the limit, in per cent of all. */
  latePercent: number;
  /** Changes of the number of replicas. */
  changes: number;
};

export type Setting = { engine: EngineModel; limitSeconds: number };

type Run = { timeline: Timeline; replicas: Replica[]; latencies: number[]; failed: number; changes: number };

export function simulate(trace: Trace, rule: Rule, setting: Setting, random: Random): Result {
  const run: Run = { timeline: new Timeline(), replicas: [], latencies: [], failed: 0, changes: 0 };
  for (let i = 0; i < rule.startReplicas; i++) addReplica(run, { ...setting.engine, startSeconds: 0 });
  for (const { at, images } of trace.arrivals) run.timeline.at(at, () => arrive(run, at, images, random));
  let present = rule.startReplicas;
  const endMs = trace.seconds * 1000;
  for (let at = rule.everySeconds * 1000; at <= endMs; at += rule.everySeconds * 1000) {
    run.timeline.at(at, () => {
      const wanted = rule.decide(living(run), present, at);
      if (wanted === present) return;
      run.changes++;
      resize(run, wanted, setting.engine);
      present = wanted;
    });
  }
  run.timeline.runUntil(endMs + DRAIN_MS);
  return resultOf(run, trace, rule, setting);
}

/** Time after a trace's end in which its last requests are answered. */
const DRAIN_MS = 3_600_000;

function living({ replicas }: Run): Replica[] {
  return replicas.filter(({ leaving }) => !leaving);
}

function arrive(run: Run, at: number, images: number, random: Random): void {
  const [first, ...others] = run.replicas.filter(({ ready }) => ready);
  // A Service sends each connection to a replica at random.
  const replica = first && random.pick([first, ...others]);
  if (replica?.submit({ arrived: at, images, left: images }) !== true) run.failed++;
}

function addReplica(run: Run, engine: EngineModel): void {
  const { timeline } = run;
  const answered = (request: Request) => void run.latencies.push((timeline.now - request.arrived) / 1000);
  const replica = new Replica(timeline.now, engine, timeline, answered);
  run.replicas.push(replica);
  timeline.at(timeline.now + engine.startSeconds * 1000, () => {
    replica.readyAt = timeline.now;
  });
}

/** Takes those that start before those that serve, and the youngest first, as a ReplicaSet does. */
function resize(run: Run, wanted: number, engine: EngineModel): void {
  const order = living(run).sort((a, b) => Number(b.ready) - Number(a.ready) || a.created - b.created);
  for (const replica of order.slice(wanted)) replica.leave();
  for (let count = order.length; count < wanted; count++) addReplica(run, engine);
}

function resultOf(run: Run, trace: Trace, rule: Rule, { limitSeconds }: Setting): Result {
  const { latencies, failed, replicas, changes } = run;
  const requests = trace.arrivals.length;
  const endMs = trace.seconds * 1000;
  const lived = replicas.map(({ created, ended = endMs }) => Math.max(0, ended - created) / 1000);
  return {
    rule: rule.name,
    trace: trace.name,
    requests,
    replicaSeconds: lived.reduce((sum, each) => sum + each, 0),
    p50Seconds: quantile(latencies, 0.5),
    p95Seconds: quantile(latencies, 0.95),
    p99Seconds: quantile(latencies, 0.99),
    failedPercent: (100 * failed) / requests,
    latePercent: (100 * latencies.filter((seconds) => seconds > limitSeconds).length) / requests,
    changes,
  };
}
