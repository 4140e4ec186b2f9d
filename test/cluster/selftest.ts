/** The destructive half of the cluster's tests: it stops, starts and kills the whole cluster, and leaves it running. */
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
import { marked, recorded, signal } from './processes';
import { pauseImage } from './settings';
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
  for (const identity of marked(paths)) signal(identity, 'SIGKILL');
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

const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
const pods = '/api/v1/namespaces/default/pods';
const metadata = { name: 'selftest', namespace: 'default' };

const claim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata,
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
};

/** A pod with everything that the node must undo: a network, a token mount, a volume, a subfolder of it, a tmpfs. */
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata,
  spec: {
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: 'selftest' } },
      { name: 'memory', emptyDir: { medium: 'Memory' } },
    ],
    containers: [
      {
        name: 'pause',
        image: pauseImage,
        volumeMounts: [
          { name: 'data', mountPath: '/data', subPath: 'below' },
          { name: 'memory', mountPath: '/memory' },
        ],
      },
    ],
  },
};

type Pod = { status?: { containerStatuses?: { restartCount: number; state: { running?: object } }[] } };

async function awaitPod(restarts: number): Promise<void> {
  const client = api(apiServerUrl(), paths.pki);
  const running = async () => {
    const [container] = (await client.get<Pod>(`${pods}/selftest`))?.status?.containerStatuses ?? [];
    return container?.state.running !== undefined && container.restartCount >= restarts;
  };
  await waitFor(running, { what: `the pod to run after ${restarts} restarts`, timeoutMs: 90_000 });
}

async function startPod(): Promise<void> {
  const client = api(apiServerUrl(), paths.pki);
  await client.apply(`${claims}/selftest`, claim);
  await client.apply(`${pods}/selftest`, pod);
  await awaitPod(0);
}

async function assertNoPod(): Promise<void> {
  const found = await api(apiServerUrl(), paths.pki).get(`${pods}/selftest`);
  if (found) throw new ClusterError('a pod of an earlier cluster is still there');
}

type Step = { name: string; run: () => Promise<void>; mostSeconds?: number };

const steps: readonly Step[] = [
  { name: 'up, from any state', run: () => clusterUp().then(assertUp) },
  { name: 'a pod runs', run: startPod },
  { name: 'down leaves nothing', run: () => clusterDown().then(assertNothingLeft) },
  { name: 'down again does nothing', run: () => clusterDown() },
  { name: 'up after down', run: () => clusterUp().then(assertUp), mostSeconds: 30 },
  { name: 'nothing of the earlier cluster is there', run: assertNoPod },
  { name: 'up on a running cluster', run: () => clusterUp().then(() => undefined), mostSeconds: 2 },
  {
    name: 'up after every process was killed: the pod runs again',
    run: async () => {
      await startPod();
      killEverything();
      await clusterUp();
      await assertUp();
      await awaitPod(1);
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
      await startPod();
    },
  },
  {
    name: 'up after containerd and the kubelet were killed: the pod never noticed',
    run: async () => {
      for (const name of ['containerd', 'kubelet'] as const) {
        const identity = recorded(paths, name);
        if (identity) signal(identity, 'SIGKILL');
      }
      await clusterUp();
      await assertUp();
      await awaitPod(0);
    },
  },
  { name: 'the pod and its claim go', run: removePod },
];

async function removePod(): Promise<void> {
  const client = api(apiServerUrl(), paths.pki);
  await client.remove(`${pods}/selftest`);
  await client.remove(`${claims}/selftest`);
  await waitFor(async () => (await client.get(`${pods}/selftest`)) === undefined, {
    what: 'the pod to go',
    timeoutMs: 60_000,
  });
}

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
