/** A share of all requests fails for minutes: the operator still does its work, within a bound on its requests. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jobs } from '../../src/kube/resources';
import { attempt, check, type Check, type Outcome } from './outcome';
import { startProcess } from './process';
import { startProxy, type FaultProxy, type SeenRequest } from './proxy';
import type { Random } from './random';
import { openStage, type Stage } from './stage';
import type { World } from './world';

export type FaultOptions = {
  /** Duration of the faults. */
  seconds: number;
  /** Share of requests that fail. */
  rate: number;
  inFlight: number;
  /** Kinds of faults to leave out. */
  without: readonly string[];
  /** Time for the operator to settle everything once the faults have ended. */
  recoveryMs: number;
  random: Random;
  report: (line: string) => void;
};

/**
 * Requests for one run, as a multiple of those without faults. All of a pass's requests (at most three: read, write,
 * status) succeed with probability 0.9^3 = 0.73, so a pass is made 1.37 times on average; lost answers and conflicts at
 * most double that. A single run may have bad luck: no run in 10,000 should need eight times the most that any run
 * needs without faults.
 */
const meanFactor = 2;
const worstFactor = 8;
/**
 * A Job without a known pod is polled every two seconds, by its events. That depends on time, not on faults, and a
 * silent watch hides a pod for a long time. These polls are therefore counted apart.
 */
const pollSeconds = 2;
const meanPasses = 1.37;
const isPoll = ({ line }: SeenRequest) => line.startsWith('GET ') && line.endsWith('/events');

/**
 * Requests for one path in one second. The back-off of its object retries a path that always fails
 * 1 + log2(1 s / 5 ms) = 8 times in the first second, with up to three requests a pass.
 */
const mostPerSecond = 24;

/** Target of a request: method and path and, since all creations share a path, the run that it names. */
function aimOf({ line, text }: SeenRequest): string {
  return line.startsWith('POST ') ? `${line} for ${/\brun-\d{5}\b/.exec(text)?.[0] ?? '?'}` : line;
}

/** The most requests with one target in any second. */
export function busiestSecond(seen: readonly SeenRequest[]): { aim: string; count: number } {
  const recent = new Map<string, number[]>();
  let worst = { aim: '', count: 0 };
  for (const request of seen) {
    const aim = aimOf(request);
    const times = (recent.get(aim) ?? []).filter((time) => request.at - time < 1000);
    times.push(request.at);
    recent.set(aim, times);
    if (times.length > worst.count) worst = { aim, count: times.length };
  }
  return worst;
}

/** Requests for each run: those that name it, or the uid of its Job. */
export function requestsPerRun(
  seen: readonly SeenRequest[],
  uids: ReadonlyMap<string, string>,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { text } of seen) {
    const names = new Set(text.match(/\brun-\d{5}\b/g));
    for (const uid of text.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? []) {
      const name = uids.get(uid);
      if (name !== undefined) names.add(name);
    }
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

type Load = { mean: number; most: number; polls: number };

async function loadOf(
  world: World,
  stage: Stage,
  seen: readonly SeenRequest[],
  runs: readonly string[],
): Promise<Load> {
  const found = await world.server.client.list(jobs, { namespace: stage.namespace });
  const uids = new Map(
    found.map(({ metadata }) => [metadata.uid ?? '', metadata.name.replace(/-train$/, '')]),
  );
  const polls = seen.filter(isPoll).length;
  const counts = requestsPerRun(
    seen.filter((request) => !isPoll(request)),
    uids,
  );
  const values = runs.map((name) => counts.get(name) ?? 0);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, most: Math.max(...values), polls };
}

function boundChecks(
  calm: Load,
  faulty: Load,
  mostPolls: number,
  busiest: { aim: string; count: number },
): Check[] {
  const round = (value: number) => value.toFixed(1);
  return [
    check(
      'requests for each run are bounded',
      faulty.mean <= meanFactor * calm.mean && faulty.most <= worstFactor * calm.most,
      `mean ${round(faulty.mean)} (without faults ${round(calm.mean)}, bound ${round(meanFactor * calm.mean)}), ` +
        `most ${faulty.most} (without faults ${calm.most}, bound ${worstFactor * calm.most})`,
    ),
    check(
      'looks after Jobs without a pod are bounded',
      faulty.polls <= mostPolls,
      `${faulty.polls}, at most ${Math.round(mostPolls)} allowed`,
    ),
    check(
      'no hot loop',
      busiest.count <= mostPerSecond,
      `at most ${busiest.count} requests for one path in one second (bound ${mostPerSecond}): ${busiest.aim}`,
    ),
  ];
}

/** Runs without faults, for the comparison. */
async function calmLoad(world: World, stage: Stage, proxy: FaultProxy, inFlight: number): Promise<Load> {
  const busy = stage.keepBusy(inFlight, () => stage.lives.length < 2 * inFlight);
  await stage.created(2 * inFlight);
  await busy.stop();
  await stage.finished(60_000);
  const names = stage.lives.map(({ name }) => name);
  return loadOf(world, stage, proxy.seen, names);
}

export async function faultScenario(world: World, options: FaultOptions): Promise<Outcome> {
  const { random, seconds, rate, inFlight, report } = options;
  const proxy = await startProxy({
    kubeconfig: world.server.kubeconfig,
    file: path.join(world.folder, 'proxy.kubeconfig'),
    random: random.fork('proxy'),
    without: options.without,
  });
  const stage = await openStage(world, { random: random.fork('stage'), waitMs: 500, runMs: 1_000 });
  const operator = await startProcess({
    program: world.program,
    kubeconfig: proxy.kubeconfig,
    namespace: stage.namespace,
  });
  try {
    await operator.ready();
    const calm = await calmLoad(world, stage, proxy, inFlight);
    const before = { lives: stage.lives.length, seen: proxy.seen.length, at: performance.now() };
    report(
      `without faults ${calm.mean.toFixed(1)} requests a run; now ${rate * 100} % are spoilt for ${seconds} s`,
    );
    proxy.setRate(rate);
    const busy = stage.keepBusy(inFlight, () => true);
    await delay(seconds * 1000);
    await busy.stop();
    const unfinished = stage.unfinished().length;
    proxy.setRate(0);
    const calmAt = performance.now();
    const converged = await attempt('in order once the faults have ended', async () => {
      await stage.finished(options.recoveryMs);
      return `${unfinished} runs were unfinished, all ended after ${((performance.now() - calmAt) / 1000).toFixed(1)} s`;
    });
    const spoilt = proxy.seen.slice(before.seen);
    const names = stage.lives.slice(before.lives).map(({ name }) => name);
    const faulty = await loadOf(world, stage, spoilt, names);
    const busiest = busiestSecond(spoilt);
    // What each run needs without faults, and the polls for the time that all runs have spent.
    const lifetimes = (inFlight * (performance.now() - before.at)) / 1000;
    const mostPolls = meanPasses * ((calm.polls / before.lives) * names.length + lifetimes / pollSeconds);
    const restarts = check(
      'the operator lives on',
      await operator.isReady(),
      `${names.length} runs, ${spoilt.length} requests, of which ${total(proxy.faults)} spoilt`,
    );
    return {
      checks: [
        converged,
        restarts,
        ...boundChecks(calm, faulty, mostPolls, busiest),
        ...(await stage.verify()),
      ],
      figures: {
        seconds,
        rate,
        runs: names.length,
        requests: spoilt.length,
        calm,
        faulty,
        busiest,
        faults: proxy.faults,
      },
    };
  } finally {
    await operator.stop();
    await stage.close();
    await proxy.close();
  }
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
