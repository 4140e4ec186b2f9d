/** Ends of pods that no pod can prepare for. */
import { allPids, environmentOf } from '../cluster/procfs';
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
