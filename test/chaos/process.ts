/** The operator as users run it: one bundle in a process of its own, so that signals are real. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { LeaderTiming } from '../../src/runtime/leader';
import { freePorts } from '../cluster/control-plane';
import { exec } from '../cluster/exec';
import { answers, request } from '../cluster/http';
import { waitFor } from '../cluster/wait';

export type Program = { file: string; remove(): Promise<void> };

/** Builds the operator's bundle into a folder of its own. */
export async function buildProgram(): Promise<Program> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-chaos-'));
  // Without a package.json beside the bundle, Node would not take it for a module.
  const file = path.join(folder, 'main.mjs');
  await exec(process.execPath, ['scripts/build.mjs', file], { cwd: root });
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}

export type ProcessOptions = {
  program: string;
  kubeconfig: string;
  /** Namespaces to handle. */
  namespace: string;
  /** Absent: the process leads as soon as its caches are filled. */
  election?: { leaseNamespace: string; name: string; timing: LeaderTiming };
  /** Node's own flags. */
  nodeFlags?: readonly string[];
  env?: Readonly<Record<string, string>>;
};

export type LogLine = { message: string; level?: string; [field: string]: unknown };
type Heard = { line: LogLine; at: number };

export type Ended = { code: number | null; signal: NodeJS.Signals | null; at: number };

export type OperatorProcess = {
  pid: number;
  /** performance.now() of its start. */
  startedAt: number;
  /** Resolves with the time of the line (performance.now()); rejects when the process ends first. */
  logged(message: string): Promise<number>;
  /** As logged(), for the next such line from now on. */
  loggedNext(message: string): Promise<LogLine>;
  /** Resolves when its caches are filled, with the time of the line that says so. */
  ready(): Promise<number>;
  isReady(): Promise<boolean>;
  /** Sum of a metric over its labels that contain the text. */
  metric(name: string, labels?: string): Promise<number>;
  signal(name: NodeJS.Signals): void;
  kill(): Promise<void>;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<Ended>;
  ended: Promise<Ended>;
};

const stopMs = 40_000;

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { message: text };
  }
}

function argumentsOf(options: ProcessOptions, ports: readonly number[]): string[] {
  const [metrics, health] = ports;
  const { election } = options;
  const timing = election && {
    '--lease-namespace': election.leaseNamespace,
    '--lease-name': election.name,
    '--leader-elect-lease-duration': `${election.timing.leaseMs}ms`,
    '--leader-elect-renew-deadline': `${election.timing.renewDeadlineMs}ms`,
    '--leader-elect-retry-period': `${election.timing.retryMs}ms`,
  };
  const flags = {
    '--kubeconfig': options.kubeconfig,
    '--namespace': options.namespace,
    '--leader-elect': String(election !== undefined),
    '--metrics-port': String(metrics),
    '--health-port': String(health),
    '--reports-port': '0',
    ...timing,
  };
  return Object.entries(flags).map(([flag, value]) => `${flag}=${value}`);
}

/** The value of a sample of Prometheus' text format, summed over the series whose labels contain the text. */
export function sumOf(text: string, name: string, labels: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

export async function startProcess(options: ProcessOptions): Promise<OperatorProcess> {
  const ports = await freePorts(2);
  const [metricsPort = 0, healthPort = 0] = ports;
  const startedAt = performance.now();
  // The operator ends with a run that is killed: the kernel signals it when its parent ends.
  const child = spawn(
    'setpriv',
    [
      '--pdeathsig',
      'KILL',
      process.execPath,
      ...(options.nodeFlags ?? []),
      options.program,
      'operator',
      ...argumentsOf(options, ports),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '', ...options.env } },
  );
  const heard: Heard[] = [];
  const listeners = new Set<(heard: Heard) => void>();
  const listen = (text: string) => {
    const entry = { line: parse(text), at: performance.now() };
    heard.push(entry);
    for (const listener of listeners) listener(entry);
  };
  createInterface({ input: child.stdout }).on('line', listen);
  createInterface({ input: child.stderr }).on('line', listen);
  const ended = endOf(child);
  const tail = () =>
    heard
      .slice(-5)
      .map(({ line }) => JSON.stringify(line))
      .join('\n');

  function next(message: string): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const listener = (entry: Heard) => {
        if (entry.line.message !== message) return;
        listeners.delete(listener);
        resolve(entry);
      };
      listeners.add(listener);
      void ended.then(() => {
        listeners.delete(listener);
        reject(new Error(`the operator ended without the line "${message}":\n${tail()}`));
      });
    });
  }

  const isReady = () => answers(`http://127.0.0.1:${healthPort}/readyz`);
  return {
    pid: child.pid ?? 0,
    startedAt,
    async logged(message) {
      const found = heard.find(({ line }) => line.message === message);
      return (found ?? (await next(message))).at;
    },
    loggedNext: async (message) => (await next(message)).line,
    isReady,
    async ready() {
      await waitFor(isReady, {
        what: 'the operator to be ready',
        timeoutMs: 60_000,
        intervalMs: 5,
        abort: () => {
          if (child.exitCode !== null) throw new Error(`the operator ended while it started:\n${tail()}`);
        },
      });
      return performance.now();
    },
    async metric(name, labels = '') {
      const { body } = await request(`http://127.0.0.1:${metricsPort}/metrics`);
      return sumOf(body, name, labels);
    },
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      const impatient = setTimeout(() => child.kill('SIGKILL'), stopMs);
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const end = await ended;
      clearTimeout(impatient);
      return end;
    },
    ended,
  };
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new Error('cannot run setpriv (package util-linux)', { cause })));
    child.on('exit', (code, signal) => resolve({ code, signal, at: performance.now() }));
  });
}
