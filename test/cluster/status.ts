/** Whether each part of the cluster works. */
import { readFileSync } from 'node:fs';
import { componentNames, components, type ComponentName } from './components';
import { apiServerUrl } from './configs';
import { api } from './http';
import { clusterPaths } from './paths';
import { identify } from './procfs';
import { recorded } from './processes';
import { nodeIsReady } from './up';

export type PartStatus = {
  name: ComponentName | 'node';
  pid?: number;
  state: 'healthy' | 'unhealthy' | 'down';
};

/** The programs' paths do not matter here: nothing is started. */
const noBinaries = { k8s: '', helm: '', kwok: '', pause: '' };

export async function clusterStatus(): Promise<PartStatus[]> {
  const paths = clusterPaths();
  const parts = await Promise.all(
    components(paths, noBinaries).map(async (component): Promise<PartStatus> => {
      const { name } = component;
      const process = recorded(paths, name);
      if (!process) return { name, state: 'down' };
      return {
        name,
        pid: process.pid,
        state: (await component.healthy().catch(() => false)) ? 'healthy' : 'unhealthy',
      };
    }),
  );
  const served = parts.some(({ name, state }) => name === 'kube-apiserver' && state === 'healthy');
  const ready = served && (await nodeIsReady(api(apiServerUrl(), paths.pki)));
  return [...parts, { name: 'node', state: ready ? 'healthy' : served ? 'unhealthy' : 'down' }];
}

export async function clusterIsUp(): Promise<boolean> {
  const paths = clusterPaths();
  if (!componentNames.every((name) => recorded(paths, name))) return false;
  return (await clusterStatus()).every(({ state }) => state === 'healthy');
}

/** Resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  if (!identify(pid)) return 0;
  const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}

export function statusTable(parts: readonly PartStatus[], memory: (pid: number) => number): string {
  const rows = parts.map(({ name, state, pid }) => [
    name,
    state,
    pid === undefined ? '-' : String(pid),
    pid === undefined ? '-' : `${memory(pid)} MiB`,
  ]);
  const all = [['COMPONENT', 'STATE', 'PID', 'MEMORY'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
