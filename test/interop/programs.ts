/** Programs of other projects: built from their Go modules once for each version, and run on the cluster from images. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { Target } from '../../scripts/target';
import { elapsed } from '../cluster/binaries';
import { exec } from '../cluster/exec';
import { moduleFolder, type GoModule } from '../cluster/go-module';
import { scratchImage } from '../cluster/images';
import { cacheDir, loadedSource, loadImage, type Report } from '../cluster/index';
import { withLock } from '../cluster/lock';

export type Project = {
  /** Names its folder in the cache. */
  name: string;
  module: GoModule;
  programs: readonly Program[];
  /** Minutes that two cores build. */
  minutes: number;
};

export type Program = {
  /** The package with its main function, below ./cmd. */
  package: string;
  /** Of the image, without a tag. */
  image: string;
  /** In the image's root. */
  file: string;
};

const version = ({ module }: Project) => module.version.slice(1);

/** The folder with a project's programs, by their packages' names, and its own folder of manifests, `config`, if any. */
export async function ensurePrograms(project: Project, report: Report): Promise<string> {
  const { name, module } = project;
  const source = await moduleFolder(module);
  const toolchain = await exec('go', ['env', 'GOVERSION', 'GOARCH']);
  const key = createHash('sha256').update(`${module.path}@${module.version}\0${toolchain}`).digest('hex');
  const folder = path.join(cacheDir(), name, key.slice(0, 16));
  if (!existsSync(folder)) {
    await withLock(
      path.join(cacheDir(), `${name}.lock`),
      async () => {
        if (!existsSync(folder)) await build(project, source, folder, report);
      },
      () => report(`waiting for another build of ${name} on this machine`),
    );
  }
  return folder;
}

/** In a writable copy, since a go.mod may have replacements of its own, which count in its own folder alone. */
async function build(project: Project, module: string, folder: string, report: Report): Promise<void> {
  const { name, programs, minutes } = project;
  const started = performance.now();
  report(`building ${name} ${version(project)} from its module: once, about ${minutes} minutes on 2 cores`);
  await mkdir(path.dirname(folder), { recursive: true });
  const scratch = await mkdtemp(`${folder}.building-`);
  try {
    const source = path.join(scratch, 'source');
    await cp(module, source, { recursive: true });
    await exec('chmod', ['-R', 'u+w', source]);
    for (const { package: each } of programs) {
      const out = path.join(scratch, 'built', each);
      const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', out, `./cmd/${each}`];
      await exec('go', args, { cwd: source, env: { CGO_ENABLED: '0', GOOS: 'linux', GOWORK: 'off' } });
      report(`built ${name}'s ${each}: ${elapsed(started)}`);
    }
    const manifests = path.join(source, 'config');
    if (existsSync(manifests))
      await cp(manifests, path.join(scratch, 'built', 'config'), { recursive: true });
    await rename(path.join(scratch, 'built'), folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The name of the program's image, which the cluster has from here on. */
export async function loadProgram(project: Project, program: Program, folder: string): Promise<string> {
  const content = await readFile(path.join(folder, program.package));
  const source = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const name = `${program.image}:${version(project)}`;
  if ((await loadedSource(name)) === source) return name;
  const options = { entrypoint: [`/${program.file}`], user: '65532:65532' };
  const archive = scratchImage(name, [{ name: program.file, content }], options);
  await loadImage(name, Readable.from([archive]), source);
  return name;
}

export type Overlay = {
  /** The kustomization of the project that is applied, below its `config`. */
  base: string;
  /** The names of images in it, and of those here. */
  images: Record<string, string>;
  /** Patches and what else a kustomization has, as YAML. */
  more?: string;
};

/** Loads the images, and applies the project's own manifests with them. */
export async function installPrograms(
  target: Target,
  project: Project,
  folder: string,
  { base, images, more = '' }: Overlay,
): Promise<void> {
  for (const program of project.programs) await loadProgram(project, program, folder);
  const overlay = path.join(folder, 'interop');
  const lines = Object.entries(images).map(
    ([name, newName]) => `  - { name: ${name}, newName: ${newName}, newTag: '${version(project)}' }`,
  );
  const kustomization = [
    'apiVersion: kustomize.config.k8s.io/v1beta1',
    'kind: Kustomization',
    `resources: [../config/${base}]`,
    'images:',
    ...lines,
    'patches:',
    '  - target: { kind: Deployment }',
    '    patch: |',
    '      - { op: replace, path: /spec/template/spec/containers/0/imagePullPolicy, value: Never }',
    more,
  ];
  await mkdir(overlay, { recursive: true });
  await writeFile(path.join(overlay, 'kustomization.yaml'), kustomization.join('\n'));
  await target.kubectl(['apply', '--server-side', '--force-conflicts', '-k', overlay]);
}
