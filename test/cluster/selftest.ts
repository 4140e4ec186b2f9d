/** The destructive half of the cluster's tests: it ends, starts and kills the whole cluster, and ends with it up. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from './binaries';
import { apiServerUrl } from './configs';
import { clusterDown } from './down';
import { leftovers } from './host';
import { api } from './http';
import { clusterPaths } from './paths';
import { marked } from './processes';
import { clusterIsUp, clusterStatus } from './status';
import { clusterUp } from './up';
import { ClusterError, waitFor } from './wait';

const cli = path.join(path.dirname(fileURLToPath(import.meta.url)), 'cli.ts');
const paths = clusterPaths();

async function assertNothingLeft(): Promise<void> {
  const processes = marked(paths).map(({ pid }) => `process ${pid}`);
  const left = [...processes, ...(await leftovers(paths))];
  if (left.length > 0) throw new ClusterError(`left after down: ${left.join(', ')}`);
}

async function assertUp(): Promise<void> {
  if (await clusterIsUp()) return;
  const sick = (await clusterStatus()).filter(({ state }) => state !== 'healthy');
  throw new ClusterError(
    `not healthy after up: ${sick.map(({ name, state }) => `${name} ${state}`).join(', ')}`,
  );
}

/** As the kernel's out-of-memory killer would: no process gets a chance to tidy up. */
function killEverything(): void {
  for (const { pid } of marked(paths)) process.kill(pid, 'SIGKILL');
}

/** Kills a script that starts the cluster once it has come as far as `line`, and all it has started by then. */
async function killDuringUp(line: string): Promise<void> {
  const child = spawn('tsx', [cli, 'up'], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const closed = once(child, 'close');
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await waitFor(() => output.includes(line), {
    what: `"${line}"`,
    timeoutMs: 120_000,
    intervalMs: 5,
    abort: () => {
      if (child.exitCode !== null) throw new ClusterError(`up ended before "${line}":\n${output}`);
    },
  });
  // The group: tsx runs the script in a process of its own.
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await closed;
}

const probe = '/api/v1/namespaces/default/configmaps/selftest';

async function writeProbe(): Promise<void> {
  const metadata = { name: 'selftest', namespace: 'default' };
  await api(apiServerUrl(), paths.pki).apply(probe, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
}

async function assertProbe(want: boolean): Promise<void> {
  const found = (await api(apiServerUrl(), paths.pki).get(probe)) !== undefined;
  if (found !== want) throw new ClusterError(`the object written before is ${found ? 'still' : 'not'} there`);
}

type Step = { name: string; run: () => Promise<void>; mostSeconds?: number };

const steps: readonly Step[] = [
  { name: 'down leaves nothing', run: () => clusterDown().then(assertNothingLeft) },
  { name: 'down again does nothing', run: () => clusterDown() },
  { name: 'up after down', run: () => clusterUp().then(assertUp), mostSeconds: 30 },
  { name: 'up on a running cluster', run: () => clusterUp().then(() => undefined), mostSeconds: 2 },
  {
    name: 'up after every process was killed keeps the objects',
    run: async () => {
      await writeProbe();
      killEverything();
      await clusterUp();
      await assertUp();
      await assertProbe(true);
    },
  },
  {
    name: 'down after every process was killed leaves nothing',
    run: async () => {
      killEverything();
      await clusterDown();
      await assertNothingLeft();
    },
  },
  {
    name: 'up after a start that was killed early, with what it had started',
    run: async () => {
      await killDuringUp('starting the cluster');
      killEverything();
      await clusterUp();
      await assertUp();
      await clusterDown();
    },
  },
  {
    name: 'up after a start that was killed later, its processes still running',
    run: async () => {
      await killDuringUp('the API server answers');
      await clusterUp();
      await assertUp();
      await assertProbe(false);
    },
  },
];

export async function selftest(report: Report): Promise<void> {
  for (const { name, run, mostSeconds } of steps) {
    const started = performance.now();
    await run();
    const seconds = (performance.now() - started) / 1000;
    report(`ok ${name} (${seconds.toFixed(1)} s)`);
    if (mostSeconds !== undefined && seconds > mostSeconds) {
      throw new ClusterError(`"${name}" took ${seconds.toFixed(1)} s, more than ${mostSeconds} s`);
    }
  }
}
