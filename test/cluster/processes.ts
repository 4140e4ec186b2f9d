/** Starts components so that they outlive this script, and stops only those: by process id and start time. */
import { spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { allPids, environmentOf, identify, isRunning, programOf, type ProcessIdentity } from './procfs';
import { ClusterError, waitFor } from './wait';

/** Set for every component; what they start inherits it, so strays can be told from other people's processes. */
export const markerVariable = 'SPARSEDM_CLUSTER_STATE';

export type Command = {
  name: string;
  program: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
};

export type ProcessFolders = { root: string; pids: string; logs: string };

/** A log larger than this is set aside when its component starts again. */
const maxLogBytes = 50 * 1024 * 1024;

export function logFile(folders: ProcessFolders, name: string): string {
  return path.join(folders.logs, `${name}.log`);
}

function pidFile(folders: ProcessFolders, name: string): string {
  return path.join(folders.pids, name);
}

function setAsideLargeLog(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxLogBytes) renameSync(file, `${file}.old`);
}

/** The recorded process, if it still is the one that was started. */
export function recorded(folders: ProcessFolders, name: string): ProcessIdentity | undefined {
  try {
    const identity = JSON.parse(readFileSync(pidFile(folders, name), 'utf8')) as ProcessIdentity;
    return isRunning(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}

export function start(folders: ProcessFolders, command: Command): ProcessIdentity {
  mkdirSync(folders.pids, { recursive: true });
  mkdirSync(folders.logs, { recursive: true });
  const file = logFile(folders, command.name);
  setAsideLargeLog(file);
  const log = openSync(file, 'a');
  try {
    const child = spawn(command.program, command.args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { ...process.env, ...command.env, [markerVariable]: folders.root },
    });
    // Without a listener, a missing program would end this script with a stack trace; the check of the pid below says it better.
    child.on('error', () => undefined);
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (!identity) throw new ClusterError(`cannot start ${command.program}: see ${file}`);
    writeFileSync(pidFile(folders, command.name), JSON.stringify(identity));
    return identity;
  } finally {
    closeSync(log);
  }
}

export function logTail(folders: ProcessFolders, name: string, lines = 5): string {
  try {
    return readFileSync(logFile(folders, name), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/** Throws when the component has ended, with the end of its log. */
export function assertRunning(folders: ProcessFolders, name: string): void {
  if (recorded(folders, name)) return;
  throw new ClusterError(
    `${name} ended while it started; the end of ${logFile(folders, name)}:\n${logTail(folders, name)}`,
  );
}

export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** SIGTERM, then SIGKILL after the grace period. */
export async function end(identity: ProcessIdentity, what: string, graceMs: number): Promise<void> {
  signal(identity, 'SIGTERM');
  const ended = () => !isRunning(identity);
  try {
    await waitFor(ended, { what: `${what} to end`, timeoutMs: graceMs, intervalMs: 20 });
  } catch {
    signal(identity, 'SIGKILL');
    await waitFor(ended, { what: `${what} to be killed`, timeoutMs: 10_000, intervalMs: 20 });
  }
}

export async function stop(folders: ProcessFolders, name: string, graceMs = 10_000): Promise<boolean> {
  const identity = recorded(folders, name);
  if (identity) await end(identity, name, graceMs);
  rmSync(pidFile(folders, name), { force: true });
  return identity !== undefined;
}

/** A shim holds a container: it must outlive a restart of containerd, and goes with its container. */
function isShim(pid: number): boolean {
  return path.basename(programOf(pid)).startsWith('containerd-shim');
}

const componentPrograms = new Set(['k8s', 'containerd']);

/** Components without a record: a script was killed between starting one and recording it. */
export function strays(folders: ProcessFolders, names: readonly string[]): ProcessIdentity[] {
  const known = new Set(names.map((name) => recorded(folders, name)?.pid));
  return marked(folders).filter(
    ({ pid }) => !known.has(pid) && componentPrograms.has(path.basename(programOf(pid))),
  );
}

export function shims(folders: ProcessFolders): ProcessIdentity[] {
  return marked(folders).filter(({ pid }) => isShim(pid));
}

/** Every process that inherited the mark. */
export function marked(folders: ProcessFolders): ProcessIdentity[] {
  return allPids()
    .filter((pid) => pid !== process.pid && environmentOf(pid).get(markerVariable) === folders.root)
    .map(identify)
    .filter((identity) => identity !== undefined);
}

/** The state folder of another embedded cluster that runs on this machine; both would use the same bridge and ports. */
export function otherCluster(folders: ProcessFolders): string | undefined {
  return allPids()
    .filter((pid) => componentPrograms.has(path.basename(programOf(pid))))
    .map((pid) => environmentOf(pid).get(markerVariable))
    .find((root) => root !== undefined && root !== folders.root);
}

export function otherClusterProblem(root: string): string {
  return (
    `Another embedded cluster runs on this machine, with its state in ${root}: ` +
    `end it first with SPARSEDM_CLUSTER_DIR=${root} npm run cluster -- down.`
  );
}
