/** Ends of pods that no pod can prepare for, and parts of a cluster that are too late. */
import { allPids, commandOf, environmentOf } from '../cluster/procfs';
import { kubectl } from './cluster';

/** The processes in a pod's containers, where the cluster's nodes are on this machine. */
export function processesOf(pod: string): number[] {
  return allPids().filter((pid) => {
    const environment = environmentOf(pid);
    return environment.get('HOSTNAME') === pod && environment.has('KUBERNETES_SERVICE_HOST');
  });
}

/** SIGKILL for all of them: the kubelet starts the containers again. Throws where there is none. */
export function killProcesses(pod: string): void {
  const pids = processesOf(pod);
  if (pids.length === 0) throw new Error(`no process of ${pod} is on this machine`);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

/** The pod is gone from the API at once, whether or not its processes are. */
export async function deleteByForce(namespace: string, pod: string): Promise<void> {
  await kubectl(['-n', namespace, 'delete', 'pod', pod, '--grace-period=0', '--force', '--wait=false']);
}

/** Stops kube-proxy, as on a node that has no time for it, so that Service rules stay as they are while `use` runs. */
export async function withLateRules(use: () => Promise<void>): Promise<void> {
  const pids = allPids().filter((pid) => /^\S+\/k8s kube-proxy /.test(commandOf(pid)));
  if (pids.length === 0) throw new Error('no kube-proxy is on this machine');
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    await use();
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
}
