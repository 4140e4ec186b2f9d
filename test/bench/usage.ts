/** What a process has used, from /proc. */
import { readFileSync } from 'node:fs';

/** The kernel reports times in hundredths of a second, on every machine (USER_HZ). */
const ticksPerSecond = 100;

/** CPU time of the process in seconds, user and system, from /proc/PID/stat. Its name may hold blanks. */
export function cpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Largest resident size so far in MiB, from /proc/PID/status. */
export function peakMiB(status: string): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return Number(kibibytes) / 1024;
}

export type Usage = { cpuSeconds: number; peakMiB: number };

export function usageOf(pid: number): Usage {
  return {
    cpuSeconds: cpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8')),
    peakMiB: peakMiB(readFileSync(`/proc/${pid}/status`, 'utf8')),
  };
}
