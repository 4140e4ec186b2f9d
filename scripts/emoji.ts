/**
 * `npm run data:emoji -- --out DIR`: draws the emoji of npm packages as a data set of images with classes and captions.
 *
 * DIR/train and DIR/test each hold images and a metadata.jsonl, as the `datasets` library's ImageFolder reads them. The
 * same options make the same bytes; the last line is their digest.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import cliProgress from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  categoryNames,
  choosePictures,
  defaultStyles,
  holdOuts,
  readPacks,
  styles,
  UnknownNames,
} from './emoji/collection';
import type { Choice, Pack, Picture, Style } from './emoji/collection';
import { draw } from './emoji/draw';

type Options = Choice & { out: string; size: number };

function parseSize(text: string): number {
  const size = Number(text);
  if (!Number.isInteger(size) || size < 8 || size > 1024) {
    throw new InvalidArgumentError('Write a whole number of pixels from 8 to 1024.');
  }
  return size;
}

/** Some of `known`, in its order. */
const some =
  <T extends string>(known: readonly T[]) =>
  (text: string): readonly T[] => {
    const names = [...new Set(text.split(','))];
    const chosen = known.filter((one) => names.includes(one));
    if (chosen.length !== names.length) {
      throw new InvalidArgumentError(`Write some of ${known.join(',')}, with commas between them.`);
    }
    return chosen;
  };

/** One line of metadata.jsonl; the names of the first two columns are the library's. */
function row({ style, name, category, text }: Picture): string {
  const label = `${style} ${category}`;
  return `${JSON.stringify({ file_name: `${style}/${name}.png`, text, label, style, category, name })}\n`;
}

function attribution(packs: Record<Style, Pack>, chosen: readonly Style[]): string {
  const lines = chosen.map((style) => {
    const { name, author, license } = packs[style].origin;
    return `- ${style}: ${name} by ${author.name} (${author.url}), ${license.title} (${license.url})`;
  });
  return ['Drawn by resvg from these collections of icons:', '', ...lines, ''].join('\n');
}

class FolderNotEmpty extends Error {}

/** Refuses a folder with other files in it: they would become part of the data set. */
async function makeEmptyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) {
    throw new FolderNotEmpty(`${folder} is not empty: remove it, or give another folder with --out.`);
  }
}

/** Writes files and sums them up as `find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` does. */
class Output {
  private readonly sums: string[] = [];
  bytes = 0;

  constructor(private readonly folder: string) {}

  async write(name: string, content: string | Buffer): Promise<void> {
    const file = path.join(this.folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    this.sums.push(`${name}\0${createHash('sha256').update(content).digest('hex')}`);
    this.bytes += Buffer.byteLength(content);
  }

  digest(): string {
    const lines = this.sums.sort().map((entry) => {
      const [name, sum] = entry.split('\0');
      return `${sum}  ${name}\n`;
    });
    return createHash('sha256').update(lines.join('')).digest('hex');
  }
}

async function drawAll(pictures: readonly Picture[], size: number, output: Output): Promise<void> {
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {value}/{total} images, {eta_formatted} left', hideCursor: true, noTTYOutput: true },
    cliProgress.Presets.shades_grey,
  );
  bar.start(pictures.length, 0);
  try {
    for (const { split, style, name, icon } of pictures) {
      await output.write(`${split}/${style}/${name}.png`, draw(icon, size).asPng());
      bar.increment();
    }
  } finally {
    bar.stop();
  }
}

async function run({ out, size, ...choice }: Options): Promise<void> {
  const started = performance.now();
  const packs = readPacks();
  const pictures = choosePictures(packs, choice);
  await makeEmptyFolder(out);
  const output = new Output(out);
  await drawAll(pictures, size, output);
  const counts: string[] = [];
  for (const split of ['train', 'test'] as const) {
    const rows = pictures.filter((picture) => picture.split === split).map(row);
    await output.write(`${split}/metadata.jsonl`, rows.join(''));
    counts.push(`${rows.length} in ${split}`);
  }
  await output.write('ATTRIBUTION.md', attribution(packs, choice.styles));
  const seconds = Math.round((performance.now() - started) / 1000);
  const megabytes = (output.bytes / 1e6).toFixed(1);
  console.log(`${counts.join(', ')}: ${size}x${size}, ${megabytes} MB in ${seconds} s, at ${out}`);
  console.log(`sha256 ${output.digest()}`);
}

const program = new Command('npm run data:emoji --')
  .description('Draws the emoji of npm packages as a data set of images with classes and captions.')
  .requiredOption('--out <dir>', 'folder to make; empty or not there yet')
  .option('--size <pixels>', 'width and height of the images', parseSize, 32)
  .option('--styles <names>', `some of ${styles.join(',')}`, some(styles), defaultStyles)
  .option('--categories <names>', `some of ${categoryNames.join(',')}`, some(categoryNames), categoryNames)
  .option('--names <names>', 'some of the names, as red-apple,banana; all by default', (text) =>
    text.split(','),
  )
  .addOption(
    new Option('--hold-out <what>', 'for the test split: whole names, or names in one style of several')
      .choices(holdOuts)
      .default('names'),
  )
  .option('--skin-tones', 'people in all skin tones, and not in the neutral one alone', false)
  .action(run);

await program.parseAsync().catch((error: unknown) => {
  if (!(error instanceof FolderNotEmpty || error instanceof UnknownNames)) throw error;
  program.error(`error: ${error.message}`);
});
