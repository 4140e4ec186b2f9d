/** Stops the cluster and removes everything that it put on the machine. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { quiet, type Report } from './binaries';
import { stopOrder } from './components';
import { succeeds } from './exec';
import { cleanHost, leftovers, mountsUnder } from './host';
import { ctr } from './images';
import { clusterPaths, imageStoreDir, runDir, type ClusterPaths } from './paths';
import { mounts } from './procfs';
import { end, otherCluster, otherClusterProblem, recorded, shims, stop, strays } from './processes';
import { clusterLock, startContainerd } from './up';
import { ClusterError, waitFor } from './wait';

export type DownOptions = {
  /** Remove the loaded images too; loading them again takes minutes. */
  purge?: boolean | undefined;
  report?: Report | undefined;
};

/** A process that gets SIGTERM while it starts may hang; what it has answered is safe in etcd. */
const apiServerGraceMs = 15_000;

export async function clusterDown({ purge = false, report = quiet }: DownOptions = {}): Promise<void> {
  const paths = clusterPaths();
  // What is on the machine is that one's then.
  const other = otherCluster(paths);
  if (other) throw new ClusterError(otherClusterProblem(other));
  await clusterLock(async () => {
    if (await hasTraces(paths)) {
      await takeDown(paths, report);
      report('the cluster is down');
    } else {
      report('the cluster is not up');
    }
    if (purge) {
      await rm(imageStoreDir(), { recursive: true, force: true });
      report('the loaded images are gone');
    }
  }, report);
}

async function hasTraces(paths: ClusterPaths): Promise<boolean> {
  if (existsSync(paths.root) || existsSync(runDir)) return true;
  if (strays(paths, []).length > 0 || shims(paths).length > 0) return true;
  return (await succeeds('nft', ['--version'])) && (await leftovers(paths)).length > 0;
}

async function takeDown(paths: ClusterPaths, report: Report): Promise<void> {
  for (const group of stopOrder) {
    await Promise.all(
      group.map((name) => stop(paths, name, name === 'kube-apiserver' ? apiServerGraceMs : undefined)),
    );
  }
  for (const stray of strays(paths, ['containerd'])) await end(stray, `process ${stray.pid}`, 10_000);
  report('the components have ended');
  await removeContainers(paths);
  for (const shim of shims(paths)) await end(shim, `shim ${shim.pid}`, 1_000);
  await cleanHost(paths);
  await removeState(paths);
  const left = await leftovers(paths);
  if (left.length > 0)
    throw new ClusterError(`the cluster is down, but this is left of it: ${left.join(', ')}`);
}

/**
 * Through containerd, started for this when it has died: otherwise its store would keep the containers' layers for ever.
 * Their shims end with them.
 */
async function removeContainers(paths: ClusterPaths): Promise<void> {
  if (!(await succeeds('containerd', ['--version']))) return;
  if (!recorded(paths, 'containerd') && !existsSync(imageStoreDir())) return;
  await startContainerd(paths);
  await removeAll('tasks', ['--force']);
  await removeAll('containers', []);
  await stop(paths, 'containerd', 15_000);
}

/** ctr fails for a task whose container exits at the same moment: what counts is that none is left. */
async function removeAll(kind: 'tasks' | 'containers', options: readonly string[]): Promise<void> {
  let problem: unknown;
  const noneLeft = async () => {
    const ids = (await ctr([kind, 'list', '--quiet'])).split('\n').filter(Boolean);
    if (ids.length === 0) return true;
    await ctr([kind, 'delete', ...options, ...ids]).catch((error: unknown) => (problem = error));
    return false;
  };
  await waitFor(noneLeft, { what: `the end of all ${kind}`, timeoutMs: 30_000 }).catch((error: unknown) => {
    throw new ClusterError(`containerd does not let go of its ${kind}: ${String(problem ?? error)}`);
  });
}

async function removeState(paths: ClusterPaths): Promise<void> {
  // Never remove through a mount: what lies behind it may be someone's data.
  const mounted = mountsUnder(mounts(), [paths.root]);
  if (mounted.length > 0) throw new ClusterError(`still mounted: ${mounted.join(', ')}`);
  await rm(paths.root, { recursive: true, force: true });
}
