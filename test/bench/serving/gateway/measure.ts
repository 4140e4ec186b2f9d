/** What the gateway's hop costs, and what it does with ten times the requests that it may hold. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { GATEWAY_DEFAULTS } from '../../../../src/gateway/settings';
import { quantile, rounded } from '../../statistics';
import { peakMiB, usageOf } from '../../usage';
import type { FromFlood, ToFlood } from './flood';
import type { FromFront, ToFront } from './front';
import { openLoop, type Answer } from './load';

const PER_SECOND = 200;
const WINDOWS = 12;
const WINDOW_SECONDS = 5;
const TIMES_HELD = 10;
const FLOOD_SECONDS = 5;
const WAVES = 3;
export const GOAL_MS = 2;

type Latency = { requests: number; p50Ms: number; p99Ms: number };

export type HopFigures = {
  perSecond: number;
  windows: number;
  direct: Latency;
  gateway: Latency;
  overheadP50Ms: number;
  overheadP99Ms: number;
  /** The median of the windows' own: one stall of the machine is in one window. */
  medianOverheadP99Ms: number;
  /** How late requests of both ways were sent: what of the latencies is the benchmark's own machine. */
  lateP99Ms: number;
  /** CPU time of the gateway for a request, which a busy machine changes little. */
  cpuMicroseconds: number;
};

export type WaveFigures = {
  sent: number;
  mostHeld: number;
  accepted: number;
  answered: number;
  refused: number;
  broken: number;
  retryAfterSeconds: { min: number; median: number; max: number };
  /** In use before the wave, after a collection of garbage. */
  heapBeforeMiB: number;
  rssBeforeMiB: number;
  rssPeakMiB: number;
  others: { direct: Latency; gateway: Latency; overheadP99Ms: number; failed: number };
};

export type GatewayFigures = {
  hop: HopFigures;
  heldRequests: number;
  waves: WaveFigures[];
  heapAfterMiB: number;
};

function start(program: string): ChildProcess {
  return fork(fileURLToPath(new URL(program, import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...process.execArgv, '--expose-gc'],
  });
}

/** The child's next message. Rejects when it ends. */
async function next<T>(child: ChildProcess): Promise<T> {
  const failed = new AbortController();
  const ended = once(child, 'exit', { signal: failed.signal }).then(([code]) => {
    throw new Error(`a process of the benchmark ended with ${code}`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message'), ended])) as [T];
    return message;
  } finally {
    failed.abort();
    ended.catch(() => undefined);
  }
}

async function ask<T>(child: ChildProcess, order: ToFront | ToFlood): Promise<T> {
  const answer = next<T>(child);
  child.send(order);
  return answer;
}

function latencyOf(answers: readonly Answer[]): Latency {
  const times = answers.map(({ ms }) => ms);
  return {
    requests: times.length,
    p50Ms: rounded(quantile(times, 0.5), 2),
    p99Ms: rounded(quantile(times, 0.99), 2),
  };
}

type Sides = { direct: Answer[]; gateway: Answer[] };

/** Of requests that went directly and through the gateway in turn. */
function sidesOf(answers: readonly Answer[]): Sides {
  return {
    direct: answers.filter((_, index) => index % 2 === 0),
    gateway: answers.filter((_, index) => index % 2 === 1),
  };
}

/** Both ways in the same seconds, request by request in turn, so that what else the machine does hits both. */
async function measureHop({ front, direct, gateway }: Parts): Promise<HopFigures> {
  const answers: Sides = { direct: [], gateway: [] };
  const overheads: number[] = [];
  const before = usageOf(front.pid!).cpuSeconds;
  for (let window = 0; window < WINDOWS; window++) {
    const found = await Promise.all(await openLoop([direct, gateway], 2 * PER_SECOND, WINDOW_SECONDS));
    const sides = sidesOf(found);
    overheads.push(latencyOf(sides.gateway).p99Ms - latencyOf(sides.direct).p99Ms);
    answers.direct.push(...sides.direct);
    answers.gateway.push(...sides.gateway);
  }
  const used = usageOf(front.pid!).cpuSeconds - before;
  const all = [...answers.direct, ...answers.gateway];
  const failed = all.filter(({ status }) => status !== 200);
  if (failed.length > 0) throw new Error(`${failed.length} requests were not answered with 200`);
  const [bare, hopped] = [latencyOf(answers.direct), latencyOf(answers.gateway)];
  const late = all.map(({ lateMs }) => lateMs);
  return {
    perSecond: PER_SECOND,
    windows: WINDOWS,
    direct: bare,
    gateway: hopped,
    overheadP50Ms: rounded(hopped.p50Ms - bare.p50Ms, 2),
    overheadP99Ms: rounded(hopped.p99Ms - bare.p99Ms, 2),
    medianOverheadP99Ms: rounded(quantile(overheads, 0.5), 2),
    lateP99Ms: rounded(quantile(late, 0.99), 2),
    cpuMicroseconds: rounded((used / answers.gateway.length) * 1e6, 0),
  };
}

const status = (pid: number) => readFileSync(`/proc/${pid}/status`, 'utf8');

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status(pid))?.[1]) / 1024;
}

type Parts = {
  pod: string;
  front: ChildProcess;
  flood: ChildProcess;
  asleep: string;
  direct: Pool;
  gateway: Pool;
};

/** The others' requests go directly and through the gateway in turn, both beside the flood. */
async function measureWave({ pod, front, flood, asleep, direct, gateway }: Parts): Promise<WaveFigures> {
  await ask<FromFront>(front, { service: 'asleep' });
  const heapBeforeMiB = await heapMiB(front);
  const rssBeforeMiB = residentMiB(front.pid!);
  const perSecond = (TIMES_HELD * GATEWAY_DEFAULTS.heldRequests) / FLOOD_SECONDS;
  const sent = ask<FromFlood>(flood, { origin: asleep, perSecond, seconds: FLOOD_SECONDS });
  const others = await Promise.all(await openLoop([direct, gateway], PER_SECOND, FLOOD_SECONDS));
  await sent;
  const rest = next<FromFlood>(flood);
  const told = await ask<FromFront>(front, { service: 'asleep', origin: pod });
  const finished = await rest;
  if (!('answers' in finished) || !('mostHeld' in told)) throw new Error('the processes are out of step');
  return {
    ...figuresOf(finished.answers),
    mostHeld: told.mostHeld,
    heapBeforeMiB,
    rssBeforeMiB: rounded(rssBeforeMiB, 1),
    rssPeakMiB: rounded(peakMiB(status(front.pid!)), 1),
    others: othersOf(others),
  };
}

function figuresOf(answers: readonly Answer[]) {
  const refused = answers.filter(({ status }) => status === 429);
  const after = refused.map(({ retryAfter = NaN }) => retryAfter);
  return {
    sent: answers.length,
    accepted: answers.length - refused.length,
    answered: answers.filter(({ status }) => status === 200).length,
    refused: refused.length,
    broken: answers.filter(({ status }) => status === 0).length,
    retryAfterSeconds: { min: quantile(after, 0), median: quantile(after, 0.5), max: quantile(after, 1) },
  };
}

function othersOf(answers: readonly Answer[]): WaveFigures['others'] {
  const sides = sidesOf(answers);
  const [direct, gateway] = [latencyOf(sides.direct), latencyOf(sides.gateway)];
  return {
    direct,
    gateway,
    overheadP99Ms: rounded(gateway.p99Ms - direct.p99Ms, 2),
    failed: answers.filter(({ status }) => status !== 200).length,
  };
}

async function heapMiB(front: ChildProcess): Promise<number> {
  const counted = await ask<FromFront>(front, { isCounted: true });
  if (!('heapMiB' in counted)) throw new Error('the processes are out of step');
  return rounded(counted.heapMiB, 1);
}

export async function measureGateway(): Promise<GatewayFigures> {
  const [podProcess, front, flood] = [start('pod.ts'), start('front.ts'), start('flood.ts')];
  try {
    const [{ origin: pod }, begun] = await Promise.all([
      next<{ origin: string }>(podProcess),
      next<FromFront>(front),
    ]);
    if (!('ports' in begun)) throw new Error('the gateway did not say its ports');
    const { ports } = begun;
    await ask<FromFront>(front, { service: 'awake', origin: pod });
    const [direct, gateway] = [new Pool(pod), new Pool(`http://127.0.0.1:${ports.awake}`)];
    // Compiles what runs often, and opens the connections.
    await Promise.all(await openLoop([direct, gateway], PER_SECOND, WINDOW_SECONDS));
    const parts = { pod, front, flood, asleep: `http://127.0.0.1:${ports.asleep}`, direct, gateway };
    const hop = await measureHop(parts);
    const waves: WaveFigures[] = [];
    for (let wave = 0; wave < WAVES; wave++) waves.push(await measureWave(parts));
    const heapAfterMiB = await heapMiB(front);
    await Promise.all([direct.close(), gateway.close()]);
    return { hop, heldRequests: GATEWAY_DEFAULTS.heldRequests, waves, heapAfterMiB };
  } finally {
    for (const child of [podProcess, front, flood]) child.kill();
  }
}
