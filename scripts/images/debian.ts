/** Base images from the registries of packages alone: Debian's, and npm's for Node. They stand in for public bases. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { exec } from '../../test/cluster/exec';
import { inputsDigest } from './digest';
import type { Base, Bases, BuildRequest, Engine } from './engine';
import { repository } from './names';

type Report = BuildRequest['report'];

const suite = 'bookworm';
const npmVersion = '11.19.1';
const bootstrap = [
  '--mode=root',
  '--variant=minbase',
  '--include=usr-is-merged,ca-certificates',
  '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
  '--dpkgopt=force-unsafe-io',
  '--dpkgopt=path-exclude=/usr/share/man/*',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
];

function nodeVersion(): string {
  const text = readFileSync(path.join(repository, 'node_modules', 'node', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Makes an image from files that `prepare` puts into an empty folder, unless it was made before. */
async function make(
  engine: Engine,
  scratch: string,
  name: string,
  from: readonly string[],
  args: Record<string, string>,
  prepare: (folder: string) => Promise<unknown>,
  report: Report,
): Promise<Base> {
  const dockerfile = path.join('images', 'base', `${name}.Dockerfile`);
  const key = await inputsDigest(repository, [dockerfile], from);
  const ref = `localhost/sparsedm/base-${name}:${key}`;
  if (await engine.has(ref)) return { ref, key };
  const context = await mkdtemp(path.join(scratch, `${name}-`));
  try {
    await prepare(context);
    await engine.build({ ref, dockerfile: path.join(repository, dockerfile), context, args, report });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
  return { ref, key };
}

async function rootfs(folder: string, report: Report): Promise<void> {
  const target = path.join(folder, 'rootfs.tar');
  await exec('mmdebstrap', [...bootstrap, suite, target], { env: { TMPDIR: folder }, onErrorLine: report });
}

async function nodeFiles(folder: string): Promise<void> {
  await cp(path.join(repository, 'node_modules', 'node', 'bin', 'node'), path.join(folder, 'node'));
  await mkdir(path.join(folder, 'npm'));
  await exec('npm', ['pack', '--silent', `npm@${npmVersion}`], { cwd: folder });
  await exec(
    'tar',
    ['-xzf', `npm-${npmVersion}.tgz`, '-C', 'npm', '--strip-components=1', '--no-same-owner'],
    {
      cwd: folder,
    },
  );
}

export function debianBases(engine: Engine, scratch: string, report: Report): Bases {
  let made: Promise<Base> | undefined;
  const debian = () =>
    (made ??= make(
      engine,
      scratch,
      'debian',
      [suite, ...bootstrap],
      {},
      (folder) => rootfs(folder, report),
      report,
    ));
  return {
    python: async () => {
      const { ref, key } = await debian();
      return make(engine, scratch, 'python', [key], { BASE: ref }, () => Promise.resolve(), report);
    },
    node: async () => {
      const { ref, key } = await debian();
      const from = [key, nodeVersion(), npmVersion];
      return make(engine, scratch, 'node', from, { BASE: ref }, nodeFiles, report);
    },
  };
}
