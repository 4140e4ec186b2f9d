/** The Python environment of the tests: locked packages in the cache, keyed by the lock files that made it. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { exec } from '../test/cluster/exec';
import { cacheDir } from '../test/cluster/paths';
import { ClusterError } from '../test/cluster/wait';

/** Pins uv, for the image builds too. */
const tools = 'images/runtime/tools.lock';
const locks = ['images/sparsedm/requirements.lock', 'images/sparsedm/requirements-dev.lock'];

/** Finds a Python that the package supports; its version is part of the environment's key. */
async function systemPython(): Promise<{ command: string; version: string }> {
  for (const command of ['python3.11', 'python3']) {
    const version = await exec(command, ['-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])']).catch(
      () => '',
    );
    if (/^3\.(1[1-9])\./.test(version)) return { command, version: version.trim() };
  }
  throw new ClusterError('Python 3.11 or newer is missing: apt-get install python3 python3-pip.');
}

async function ensureUv(python: string): Promise<string> {
  const key = createHash('sha256')
    .update(await readFile(tools))
    .digest('hex')
    .slice(0, 12);
  const home = path.join(cacheDir(), `uv-${key}`);
  const uv = path.join(home, 'bin', 'uv');
  if (existsSync(uv)) return uv;
  const temporary = `${home}.${process.pid}`;
  const install = ['install', '--quiet', '--require-hashes', '--no-deps', '--target', temporary, '-r', tools];
  await exec(python, ['-m', 'pip', ...install]).catch((cause: unknown) => {
    throw new ClusterError(
      `uv could not be installed by pip (apt-get install python3-pip?): ${String(cause)}`,
      { cause },
    );
  });
  await rename(temporary, home);
  return uv;
}

/** Path of the environment's python; made on first use (torch is large: about half a minute), then found at once. */
export async function ensurePython(report: (line: string) => void): Promise<string> {
  const { command, version } = await systemPython();
  const hash = createHash('sha256').update(version);
  for (const lock of locks) hash.update(await readFile(lock));
  const home = path.join(cacheDir(), `python-${hash.digest('hex').slice(0, 12)}`);
  const executable = path.join(home, 'bin', 'python');
  const complete = path.join(home, '.complete');
  if (existsSync(complete)) return executable;
  await mkdir(cacheDir(), { recursive: true });
  const uv = await ensureUv(command);
  report('creating the environment');
  await rm(home, { recursive: true, force: true });
  await exec(uv, ['venv', '--quiet', '--python', command, home]);
  const requirements = locks.flatMap((lock) => ['-r', lock]);
  await exec(uv, ['pip', 'install', '--python', executable, '--require-hashes', ...requirements], {
    onErrorLine: report,
  });
  await exec(executable, ['-c', 'import torch']);
  await exec('touch', [complete]);
  return executable;
}

/** How threads wait, and what becomes of memory: as images/runtime and images/trainer have it, and why. */
export const IMAGE_ENV = {
  OMP_WAIT_POLICY: 'PASSIVE',
  THP_MEM_ALLOC_ENABLE: '1',
  MALLOC_MMAP_THRESHOLD_: '33554432',
  MALLOC_TRIM_THRESHOLD_: '17179869184',
};

/**
 * Runs a program of this clone's package, in that environment and on this terminal, and exits with its status. A signal
 * to this process goes to the program first, so that it saves its state.
 */
export async function runPython(args: readonly string[]): Promise<void> {
  const python = await ensurePython((line) => console.error(line));
  const env = {
    ...IMAGE_ENV,
    ...process.env,
    PYTHONPATH: path.resolve('images/sparsedm/src'),
  };
  const child = spawn(python, args, { stdio: 'inherit', env });
  // Ctrl-C reaches the program anyway, and a second one would end it before it has saved.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [status] = (await once(child, 'close')) as [number | null];
  process.exitCode = status ?? 1;
}
