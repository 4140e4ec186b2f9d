import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

/**
 * Runs work while no other process holds the same lock file. The kernel releases the lock (flock) when its holder ends,
 * even by a kill, so nothing is left to clean up; the file itself stays.
 */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  onWait: () => void = () => undefined,
): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true });
  // The helper ends with us: its standard input closes when this process ends.
  const holder = spawn('flock', ['-x', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const released = new Promise<void>((resolve) => holder.on('close', () => resolve()));
  const waiting = setTimeout(onWait, 300);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.on('error', (cause) => reject(new Error('cannot run flock (package util-linux)', { cause })));
      holder.on('close', (code) => reject(new Error(`flock ended with ${code} for ${file}`)));
      holder.stdout.once('data', () => resolve());
    });
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    holder.stdin.end();
    await released;
  }
}
