/** Files of a Go module, for what other projects publish nowhere else in a form that is pinned by a digest. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ClusterError } from './wait';

const run = promisify(execFile);

export type GoModule = {
  path: string;
  version: string;
  /** As in go.sum. */
  sum: string;
};

type Download = { Sum?: string; Error?: string };

/** The folder of the module in Go's cache, where it is downloaded first if need be. */
export async function moduleFolder(module: GoModule): Promise<string> {
  const { stdout: cache } = await run('go', ['env', 'GOMODCACHE'], { cwd: '/' });
  const found = await download(module);
  if (found.Sum !== module.sum) {
    const why = found.Error ?? `its sum is ${found.Sum}, not ${module.sum}`;
    throw new ClusterError(`can't take ${module.path}@${module.version} from Go's proxy: ${why}`);
  }
  return path.join(cache.trim(), `${module.path}@${module.version}`);
}

/**
 * Go exits with an error, once it has downloaded the module and put its digest into the answer, where the module asks
 * for a newer Go. Files that are only read need none.
 */
async function download({ path: name, version }: GoModule): Promise<Download> {
  const args = ['mod', 'download', '-json', `${name}@${version}`];
  try {
    return JSON.parse((await run('go', args, { cwd: '/' })).stdout) as Download;
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (!stdout) throw error;
    return JSON.parse(stdout) as Download;
  }
}
