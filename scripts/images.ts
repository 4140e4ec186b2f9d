/**
 * `npm run images -- build|load [operator|trainer|serving ...]`: builds the images, and loads them into a cluster.
 *
 * Nothing is built or moved when nothing changed. Prints one line for each image: its reference.
 */
import { pathToFileURL } from 'node:url';
import { Command, Option } from 'commander';
import { ClusterError } from '../test/cluster/index';
import { buildImages, type EngineName } from './images/build';
import { destinationOf, engineFor, loadImages } from './images/load';
import { imageNames, type ImageName } from './images/names';
import { checkChoice, type TargetChoice } from './target';

export { buildImages, type BuildOptions, type Built, type BuiltImage } from './images/build';
export { deployImages, loadImages, type Destination } from './images/load';
export type { ImageName, ImageRefs } from './images/names';

type Options = TargetChoice & { engine?: EngineName; compiler?: boolean; tag?: string };

function chosen(names: readonly string[]): readonly ImageName[] {
  const unknown = names.filter((name) => !(imageNames as readonly string[]).includes(name));
  if (unknown.length > 0) {
    throw new ClusterError(`no such image: ${unknown.join(', ')}. The images are ${imageNames.join(', ')}.`);
  }
  return names.length > 0 ? imageNames.filter((name) => names.includes(name)) : imageNames;
}

function progress(): (line: string) => void {
  const started = performance.now();
  return (line) => {
    const seconds = String(Math.round((performance.now() - started) / 1000)).padStart(4);
    console.error(`${seconds} s  ${line}`);
  };
}

async function build(
  names: readonly string[],
  { engine = 'buildah', compiler = false }: Options,
): Promise<void> {
  const { images } = await buildImages({ names: chosen(names), engine, compiler, report: progress() });
  for (const { ref } of images) console.log(ref);
}

async function load(names: readonly string[], options: Options): Promise<void> {
  const wanted = chosen(names);
  const { compiler = false } = options;
  const to = destinationOf(options, options.tag);
  if (to.kind !== 'registry') await checkChoice(options);
  const report = progress();
  const built = await buildImages({ names: wanted, engine: engineFor(to, options.engine), compiler, report });
  for (const ref of Object.values(await loadImages(built, to, report))) console.log(ref);
}

function engineOption(): Option {
  return new Option('--engine <name>', 'what builds: buildah (needs no daemon) or docker').choices([
    'buildah',
    'docker',
  ]);
}

function compilerOption(): Option {
  return new Option('--compiler', 'trainer with what training.compile needs: Triton and g++, 1.5 GB more');
}

async function main(): Promise<void> {
  const program = new Command('npm run images --').description(
    'Build the container images and bring them to a cluster.',
  );
  program
    .command('build [images...]')
    .description('build operator, trainer and serving, or those named')
    .addOption(engineOption())
    .addOption(compilerOption())
    .action(build);
  program
    .command('load [images...]')
    .description('build them and load them into the embedded cluster, a kind cluster or a registry')
    .addOption(engineOption())
    .addOption(compilerOption())
    .option('--kind', 'into the kind cluster sparsedm')
    .option('--context <name>', 'into the kind cluster of this context of your kubeconfig')
    .option('--registry <host/path>', 'push to this registry as HOST/PATH/NAME')
    .option('--tag <tag>', 'with --registry: the tag, in place of a digest of the content')
    .action(load);
  await program.parseAsync();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main().catch((error: unknown) => {
    if (!(error instanceof ClusterError)) throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}
