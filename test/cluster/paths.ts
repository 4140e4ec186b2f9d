import { homedir } from 'node:os';
import path from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Cache of everything slow to make, outside the clone: a fresh clone on the same machine starts fast. */
export function cacheDir(env: Environment = process.env): string {
  if (env['SPARSEDM_CACHE']) return path.resolve(env['SPARSEDM_CACHE']);
  return path.join(env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'sparsedm');
}

/** State of the embedded cluster: keys, logs, process ids, etcd's data. `down` removes it. */
export function clusterDir(env: Environment = process.env): string {
  return env['SPARSEDM_CLUSTER_DIR']
    ? path.resolve(env['SPARSEDM_CLUSTER_DIR'])
    : path.join(cacheDir(env), 'cluster');
}

export type ClusterPaths = ReturnType<typeof clusterPaths>;

export function clusterPaths(root: string = clusterDir()) {
  const at = (...parts: string[]) => path.join(root, ...parts);
  return {
    root,
    kubeconfig: at('kubeconfig'),
    pki: at('pki'),
    logs: at('logs'),
    pids: at('pids'),
    config: at('config'),
    etcd: at('etcd'),
    audit: at('audit'),
    auditLog: at('audit', 'audit.log'),
    kubelet: at('kubelet'),
    podLogs: at('pod-logs'),
    volumes: at('volumes'),
    cni: at('cni'),
    cniReservations: at('cni-reservations'),
    options: at('options.json'),
    /** Exists once a cluster was complete: without it, etcd holds a partial one. */
    complete: at('complete'),
  };
}

/** Images outlive `down`, so that the next cluster has them at once. */
export function imageStoreDir(env: Environment = process.env): string {
  return path.join(cacheDir(env), 'containerd');
}

/** Short and fixed, because a socket's path may have at most 107 characters. */
export const runDir = '/run/sparsedm-cluster';
export const containerdSocket = path.join(runDir, 'containerd.sock');

export function kubeconfigPath(): string {
  return clusterPaths().kubeconfig;
}
