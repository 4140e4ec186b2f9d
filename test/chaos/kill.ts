/**
 * The operator is killed with SIGKILL again and again while runs live from their creation to their end. A run counts
 * when the operator was killed at least once during its life.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LeaderTiming } from '../../src/runtime/leader';
import { tally } from '../bench/statistics';
import { attempt, check, describeSpread, spreadOf, type Check, type Outcome } from './outcome';
import { startProcess, type OperatorProcess } from './process';
import type { Random } from './random';
import { openStage, type Stage } from './stage';
import type { World } from './world';

export type KillOptions = {
  /** Runs with at least one kill during their life. */
  runs: number;
  inFlight: number;
  random: Random;
  report: (line: string) => void;
};

/** Deadline for a new leader to settle everything, and the same in starts of an operator, for a machine under load. */
const convergenceMs = 5_000;
const convergenceStarts = 5;
/** Longest time that an operator works before it is killed, and longest time without one. */
const longestWorkMs = 1_500;
const longestOutageMs = 300;
/** Share of an operator's successors that are killed in turn while they start or settle. */
const killedEarly = 0.3;
const longestStartMs = 900;

type Tally = {
  kills: number;
  states: Record<string, number>;
  /** From leadership, and from the start of the process, until everything was settled; milliseconds. */
  fromLeadership: number[];
  fromStart: number[];
  /** From the start of a process until its caches were filled; milliseconds. */
  starts: number[];
};

function newTally(): Tally {
  return { kills: 0, states: {}, fromLeadership: [], fromStart: [], starts: [] };
}

async function kill(operator: OperatorProcess, stage: Stage, found: Tally): Promise<void> {
  await operator.kill();
  found.kills++;
  for (const life of stage.unfinished()) {
    life.kills++;
    tally(found.states, stage.stateOf(life));
  }
}

/** Runs that lived through a kill and have ended. */
function counted(stage: Stage): number {
  const unfinished = new Set(stage.unfinished());
  return stage.lives.filter((life) => life.kills > 0 && !unfinished.has(life)).length;
}

/** Evenly drawn moments miss the first milliseconds, so half of them are drawn from these. */
function workMs(random: Random): number {
  return random.chance(0.5) ? random.between(0, 200) : random.between(0, longestWorkMs);
}

/** Waits until every status agrees with the cluster, which stands still meanwhile. */
async function measure(stage: Stage, leadingAt: number, startedAt: number, found: Tally): Promise<void> {
  await stage.settled(60_000);
  const now = performance.now();
  found.fromLeadership.push(now - leadingAt);
  found.fromStart.push(now - startedAt);
}

/** A single operator: it leads as soon as its caches are filled. */
async function killAlone(world: World, stage: Stage, options: KillOptions, found: Tally): Promise<void> {
  const { random, runs } = options;
  const { kubeconfig } = world.server;
  const start = () => startProcess({ program: world.program, kubeconfig, namespace: stage.namespace });
  let operator = await start();
  await operator.ready();
  while (counted(stage) < runs) {
    await delay(workMs(random));
    await kill(operator, stage, found);
    await delay(random.between(0, longestOutageMs));
    operator = await start();
    while (random.chance(killedEarly)) {
      await delay(random.between(0, longestStartMs));
      await kill(operator, stage, found);
      operator = await start();
    }
    stage.pause();
    const readyAt = await operator.ready();
    found.starts.push(readyAt - operator.startedAt);
    await measure(stage, readyAt, operator.startedAt, found);
    stage.resume();
    if (found.kills % 25 === 0) options.report(`${counted(stage)} of ${runs} runs, ${found.kills} kills`);
  }
  await stage.finished(60_000);
  await operator.stop();
}

const timing: LeaderTiming = { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 400 };

/** Two operators and a lease: the leader is killed, the other takes over, and a third becomes standby. */
async function killElected(world: World, stage: Stage, options: KillOptions, found: Tally): Promise<void> {
  const { random, runs } = options;
  const { namespace } = stage;
  const election = { leaseNamespace: namespace, name: 'operator', timing };
  const { kubeconfig } = world.server;
  const start = () => startProcess({ program: world.program, kubeconfig, namespace, election });
  let leader = await start();
  await leader.logged('became leader');
  let standby = await start();
  while (counted(stage) < runs) {
    found.starts.push((await standby.ready()) - standby.startedAt);
    await delay(workMs(random));
    await kill(leader, stage, found);
    const leadingAt = await standby.logged('became leader');
    stage.pause();
    await measure(stage, leadingAt, leadingAt, found);
    stage.resume();
    leader = standby;
    standby = await start();
    options.report(`${counted(stage)} of ${runs} runs, ${found.kills} kills of a leader`);
  }
  await stage.finished(60_000);
  await Promise.all([leader.stop(), standby.stop()]);
}

type Way = typeof killAlone;

async function run(world: World, way: Way, options: KillOptions): Promise<{ checks: Check[]; found: Tally }> {
  const { random, runs, inFlight } = options;
  const stage = await openStage(world, { random: random.fork('stage'), waitMs: 700, runMs: 1_200 });
  const found = newTally();
  const busy = stage.keepBusy(inFlight, () => counted(stage) + stage.unfinished().length < runs);
  try {
    const done = await attempt('every run ends', async () => {
      await way(world, stage, options, found);
      await busy.stop();
      return `${counted(stage)} runs with a kill, ${stage.lives.length} in all, ${found.kills} kills`;
    });
    const spread = spreadOf(found.fromLeadership);
    const slowestStart = spreadOf(found.starts).max;
    const converged = check(
      'in order within 5 s of leadership, or 5 starts of an operator',
      spread.max <= Math.max(convergenceMs, convergenceStarts * slowestStart),
      `${describeSpread(spread)}; slowest start ${slowestStart} ms`,
    );
    return { checks: [done, ...(await stage.verify()), converged], found };
  } finally {
    await busy.stop().catch(() => undefined);
    await stage.close();
  }
}

function figuresOf(found: Tally) {
  return {
    kills: found.kills,
    statesAtKill: found.states,
    fromLeadershipMs: spreadOf(found.fromLeadership),
    fromStartMs: spreadOf(found.fromStart),
  };
}

export async function killScenario(world: World, options: KillOptions): Promise<Outcome> {
  const alone = await run(world, killAlone, options);
  return { checks: alone.checks, figures: { runs: options.runs, ...figuresOf(alone.found) } };
}

export async function electedScenario(world: World, options: KillOptions): Promise<Outcome> {
  const elected = await run(world, killElected, options);
  return { checks: elected.checks, figures: { runs: options.runs, timing, ...figuresOf(elected.found) } };
}
