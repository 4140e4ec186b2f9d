/** Builds the baseline of baseline/ once for each state of its sources, and keeps it in the cache. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { contentKey, type Report } from '../cluster/binaries';
import { exec } from '../cluster/exec';
import { withLock } from '../cluster/lock';
import { cacheDir } from '../cluster/paths';

const sourceDir = fileURLToPath(new URL('baseline', import.meta.url));
const isSource = (file: string) => file.endsWith('.go') || file === 'go.mod' || file === 'go.sum';

async function programPath(): Promise<string> {
  const names = (await readdir(sourceDir, { recursive: true })).filter(isSource).sort();
  const files = await Promise.all(
    names.map(async (name) => ({ name, content: await readFile(path.join(sourceDir, name), 'utf8') })),
  );
  const toolchain = await exec('go', ['env', 'GOVERSION', 'GOARCH'], { cwd: sourceDir });
  return path.join(cacheDir(), 'baseline', contentKey(files, toolchain), 'baseline');
}

async function build(program: string): Promise<void> {
  await mkdir(path.dirname(program), { recursive: true });
  const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', `${program}.new`, '.'];
  await exec('go', args, { cwd: sourceDir, env: { CGO_ENABLED: '0', GOOS: 'linux' } });
  await rename(`${program}.new`, program);
}

/** Path of the program. */
export async function ensureBaseline(report: Report): Promise<string> {
  const program = await programPath();
  if (existsSync(program)) return program;
  report('building the baseline with controller-runtime: once, about a minute on 2 cores');
  await withLock(path.join(cacheDir(), 'baseline.lock'), async () => {
    if (!existsSync(program)) await build(program);
  });
  return program;
}
