/** One measurement of one contender, on a cluster of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import path from 'node:path';
import type { Report } from '../cluster/binaries';
import { waitFor } from '../cluster/wait';
import { countRequests, totalRequests, type Requests } from './audit';
import { startContender, type Contender, type Started } from './contender';
import { createFinetune, createLoad, type LoadOptions } from './load';
import { observe, type Observer } from './observer';
import type { Program } from './programs';
import { median, quantile } from './statistics';
import { usageOf } from './usage';
import { startWorld, type World } from './world';

export type MeasureOptions = LoadOptions & {
  /** Restarts of the contender with all objects there. */
  restarts: number;
  /** Duration of the measurement at rest, in seconds. */
  restSeconds: number;
  /** Wait for what follows the last run's end (events), and before the measurement at rest, in seconds. */
  settleSeconds: number;
  /** Keep the control plane's folder with all logs. */
  keep: boolean;
};

export type Figures = {
  /** Milliseconds from the arrival of a SparseFinetune to that of its Job. */
  p50Ms: number;
  p99Ms: number;
  /** Every request of the contender from its start until all runs had ended. */
  requests: Requests;
  requestsPerObject: number;
  /** CPU time from the contender's start until all runs had ended. */
  cpuSeconds: number;
  /** Largest resident size of any of its processes. */
  peakMiB: number;
  /** Largest resident size until all runs had ended, and after a start with all objects there. */
  loadPeakMiB: number;
  restartPeakMiB: number;
  /** Median seconds from the start of a process with all objects there until the Job of a new object is seen. */
  resyncSeconds: number;
  readySeconds: number;
  /** CPU use with nothing to do, in per cent of one core. */
  restPercent: number;
  /** Seconds until all objects were created, and until all had ended. */
  createSeconds: number;
  totalSeconds: number;
};

/** A cluster in which no run ends for this time is broken. */
const stallMs = 120_000;

type Bench = {
  world: World;
  observer: Observer;
  contender: Contender;
  report: Report;
  /** Running processes of the contender, to be stopped in any case. */
  running: Set<Program>;
};

async function start(bench: Bench, phase: string): Promise<Started> {
  const { world, contender, running } = bench;
  const logFile = path.join(world.logs, `${contender.name}-${phase}.log`);
  const started = await startContender(contender, world.plane.kubeconfig, logFile, (program) =>
    running.add(program),
  );
  return started;
}

async function end({ running }: Bench, { program }: Started): Promise<void> {
  await program.stop();
  running.delete(program);
}

async function waitForEnd(
  { world, observer, report }: Bench,
  started: Started,
  objects: number,
): Promise<void> {
  const { finished } = observer.arrivals;
  let last = { count: -1, at: performance.now() };
  await waitFor(() => finished.size >= objects, {
    what: 'all runs to end',
    timeoutMs: 3_600_000,
    intervalMs: 200,
    abort: () => {
      world.check();
      observer.check();
      started.program.check();
      if (finished.size > last.count) last = { count: finished.size, at: performance.now() };
      if (performance.now() - last.at > stallMs) {
        throw new Error(`only ${finished.size} of ${objects} runs have ended; logs are in ${world.logs}`);
      }
    },
  });
  report(`${finished.size} of ${objects} runs have ended`);
}

/** Reports progress a few times a minute. */
function progress({ observer, report }: Bench, objects: number): () => void {
  const tell = () => {
    const { created, job, finished } = observer.arrivals;
    report(`${created.size} created, ${job.size} Jobs, ${finished.size} of ${objects} ended`);
  };
  const timer = setInterval(tell, 5_000);
  return () => clearInterval(timer);
}

async function underLoad(bench: Bench, options: MeasureOptions) {
  const { world, observer } = bench;
  const started = await start(bench, 'load');
  const stopProgress = progress(bench, options.objects);
  const from = performance.now();
  const [createSeconds] = await Promise.all([
    createLoad(world.transport, options),
    waitForEnd(bench, started, options.objects),
  ]).finally(stopProgress);
  const totalSeconds = (performance.now() - from) / 1000;
  await delay(options.settleSeconds * 1000);
  const usage = usageOf(started.program.pid);
  const until = Date.now();
  await end(bench, started);
  const latencies = observer.arrivals.untilJob();
  if (observer.arrivals.failed.size > 0) {
    throw new Error(`${observer.arrivals.failed.size} runs failed; logs are in ${world.logs}`);
  }
  return { createSeconds, totalSeconds, usage, until, latencies };
}

/** Starts the contender with all objects there, and creates a new one as soon as it is ready. */
async function restart(bench: Bench, probe: string): Promise<{ started: Started; resyncMs: number }> {
  const { world, observer } = bench;
  const started = await start(bench, 'restart');
  await createFinetune(world.transport, probe);
  const seen = await waitFor(() => observer.arrivals.job.get(probe), {
    what: `the Job of ${probe}`,
    timeoutMs: 120_000,
    intervalMs: 10,
    abort: () => {
      observer.check();
      started.program.check();
    },
  });
  return { started, resyncMs: seen - started.startedAt };
}

async function restarts(bench: Bench, options: MeasureOptions) {
  const { restarts: times } = options;
  const resyncs: number[] = [];
  const readies: number[] = [];
  const peaks: number[] = [];
  let restPercent = 0;
  for (let round = 1; round <= times; round++) {
    const probe = `probe-${round}`;
    const { started, resyncMs } = await restart(bench, probe);
    bench.report(
      `restart ${round}: ready after ${seconds(started.readyMs)}, synced after ${seconds(resyncMs)}`,
    );
    resyncs.push(resyncMs / 1000);
    readies.push(started.readyMs / 1000);
    await waitFor(() => bench.observer.arrivals.finished.has(probe), {
      what: `${probe} to end`,
      timeoutMs: 60_000,
    });
    if (round === times) restPercent = await atRest(bench, started, options);
    peaks.push(usageOf(started.program.pid).peakMiB);
    await end(bench, started);
  }
  return {
    resyncSeconds: median(resyncs),
    readySeconds: median(readies),
    restartPeakMiB: Math.max(...peaks),
    restPercent,
  };
}

async function atRest(
  { report }: Bench,
  { program }: Started,
  { restSeconds, settleSeconds }: MeasureOptions,
): Promise<number> {
  report(`watching its rest for ${restSeconds} s`);
  await delay(settleSeconds * 1000);
  const before = usageOf(program.pid).cpuSeconds;
  const from = performance.now();
  await delay(restSeconds * 1000);
  const used = usageOf(program.pid).cpuSeconds - before;
  return (100_000 * used) / (performance.now() - from);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

export async function measure(
  contender: Contender,
  options: MeasureOptions,
  report: Report,
): Promise<Figures> {
  report('starting a control plane');
  const world = await startWorld(options.keep);
  const running = new Set<Program>();
  try {
    const observer = await observe(world.transport);
    const bench = { world, observer, contender, report, running };
    const load = await underLoad(bench, options);
    const again = await restarts(bench, options);
    await observer.stop();
    report('reading the audit log');
    const { userAgent } = contender;
    const requests = await countRequests(world.plane.auditLog, { userAgent, until: load.until });
    return {
      p50Ms: quantile(load.latencies, 0.5),
      p99Ms: quantile(load.latencies, 0.99),
      requests,
      requestsPerObject: totalRequests(requests) / options.objects,
      cpuSeconds: load.usage.cpuSeconds,
      peakMiB: Math.max(load.usage.peakMiB, again.restartPeakMiB),
      loadPeakMiB: load.usage.peakMiB,
      ...again,
      createSeconds: load.createSeconds,
      totalSeconds: load.totalSeconds,
    };
  } finally {
    await Promise.all([...running].map((program) => program.stop()));
    await world.stop();
  }
}
