/** Builds the three images, each only when its inputs changed. */
import path from 'node:path';
import type { Report } from '../../test/cluster/index';
import { withLock } from '../../test/cluster/lock';
import { buildah, openBuildah, removeLeftovers, storeDir } from './buildah';
import { inputsDigest } from './digest';
import { openDocker } from './docker';
import type { Bases, Engine } from './engine';
import { fullRef, imageNames, repository, shortRef, type ImageName } from './names';

export type EngineName = Engine['name'];

export type BuiltImage = {
  name: ImageName;
  /** For manifests: sparsedm/NAME:TAG, where the tag is a digest of the image's inputs. */
  ref: string;
  /** The same with its registry, for the engine. */
  fullRef: string;
};

export type Built = {
  engine: Engine;
  images: BuiltImage[];
  /** The image below trainer and serving, when one of them was asked for. */
  runtime: { ref: string; fullRef: string; key: string } | undefined;
};

export type BuildOptions = {
  names?: readonly ImageName[];
  engine?: EngineName;
  /** With what training.compile needs. */
  compiler?: boolean;
  report?: Report;
};

const sources = 'images/sparsedm/src';
const inputs = {
  operator: ['Dockerfile', 'package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs', 'src'],
  runtime: ['images/runtime', 'images/sparsedm/requirements.lock'],
  trainer: ['images/trainer', sources],
  serving: ['images/serving', sources],
} as const;

type Build = { engine: Engine; bases: Bases; compiler: boolean; report: Report };

/** Prints what is being done and for how long. */
export function timed(report: Report, what: string): Report {
  const started = performance.now();
  return (line) => report(`${what} (${Math.round((performance.now() - started) / 1000)} s): ${line}`);
}

async function buildOnce(
  { engine, report }: Build,
  name: keyof typeof inputs,
  key: string,
  args: Record<string, string>,
): Promise<boolean> {
  const ref = fullRef(name, key);
  if (await engine.has(ref)) return false;
  const dockerfile = name === 'operator' ? 'Dockerfile' : path.join('images', name, 'Dockerfile');
  const told = timed(report, name);
  told('building');
  // Layers of the runtime are gigabytes and change together; those of the others are small and change often.
  const layers = name !== 'runtime';
  await engine.build({
    ref,
    dockerfile: path.join(repository, dockerfile),
    context: repository,
    args,
    layers,
    report: told,
  });
  told('built');
  return true;
}

async function buildOperator(build: Build): Promise<BuiltImage> {
  const base = await build.bases.node();
  const key = await inputsDigest(repository, inputs.operator, [base.key]);
  await buildOnce(build, 'operator', key, { BASE: base.ref });
  return built('operator', key);
}

/** Trainer and serving side by side, after what they share. */
async function buildPython(build: Build, names: readonly ('trainer' | 'serving')[]) {
  const base = await build.bases.python();
  const COMPILER = build.compiler ? 'yes' : 'no';
  const runtimeKey = await inputsDigest(repository, inputs.runtime, [base.key, COMPILER]);
  const runtime = fullRef('runtime', runtimeKey);
  const renewed = await buildOnce(build, 'runtime', runtimeKey, { BASE: base.ref, COMPILER });
  const images = await Promise.all(
    names.map(async (name) => {
      const key = await inputsDigest(repository, inputs[name], [runtimeKey]);
      await buildOnce(build, name, key, { BASE: base.ref, RUNTIME: runtime });
      return built(name, key);
    }),
  );
  if (renewed && build.engine.name === 'buildah')
    await removeOthers([runtime, ...images.map((one) => one.fullRef)]);
  return { images, runtime: { ref: shortRef('runtime', runtimeKey), fullRef: runtime, key: runtimeKey } };
}

function built(name: ImageName, key: string): BuiltImage {
  return { name, ref: shortRef(name, key), fullRef: fullRef(name, key) };
}

/** A new runtime takes the place of the old one and of what was built on it: each is five gigabytes. */
async function removeOthers(keep: readonly string[]): Promise<void> {
  const listed = await buildah(['images', '--format', '{{.Name}}:{{.Tag}}']);
  const old = listed
    .split('\n')
    .filter((ref) => /^docker\.io\/sparsedm\/(runtime|trainer|serving):/.test(ref) && !keep.includes(ref));
  if (old.length > 0) await buildah(['rmi', '--force', ...old]);
}

const isPython = (name: ImageName) => name !== 'operator';

async function buildAll(build: Build, names: readonly ImageName[]): Promise<Omit<Built, 'engine'>> {
  const [operator, python] = await Promise.all([
    names.includes('operator') ? buildOperator(build) : undefined,
    names.some(isPython) ? buildPython(build, names.filter(isPython)) : undefined,
  ]);
  if (build.engine.name === 'buildah') await removeOld();
  return { images: [...(operator ? [operator] : []), ...(python?.images ?? [])], runtime: python?.runtime };
}

/** How many images of one name stay: those that other clones of this project have just built are among them. */
const KEPT = 4;
/** A load writes temporary files too, beside a build of another clone. */
const DAY_MS = 24 * 3600 * 1000;

/** Images of earlier sources, and what builds left that were killed. */
async function removeOld(): Promise<void> {
  const listed = await buildah(['images', '--format', '{{.Name}}:{{.Tag}}']); // the newest first
  const old = imageNames.flatMap((name) =>
    listed
      .split('\n')
      .filter((ref) => ref.startsWith(fullRef(name, '')))
      .slice(KEPT),
  );
  if (old.length > 0) await buildah(['rmi', '--force', ...old]);
  await removeLeftovers(DAY_MS);
}

/** Builds what changed since the last time and returns references that name exactly this content. */
export async function buildImages(options: BuildOptions = {}): Promise<Built> {
  const {
    names = imageNames,
    engine: wanted = 'buildah',
    compiler = false,
    report = () => undefined,
  } = options;
  const engine = wanted === 'docker' ? await openDocker() : await openBuildah(report);
  const bases = await engine.bases(timed(report, 'base'));
  const work = () => buildAll({ engine, bases, compiler, report }, names);
  const waiting = () => report('waiting for another build of the images to end');
  return { engine, ...(await withLock(path.join(storeDir(), 'build.lock'), work, waiting)) };
}
