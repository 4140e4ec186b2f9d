/**
 * `npm run generate`: writes src/api/generated and the chart's copies from crds/, and the chart README's table of values.
 * With `--check` it changes nothing, and exits with 1 when they are out of date.
 */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { staleChartFiles, writeChartFiles } from './chart';

// Its ES module build fails in Node (ajv's keyword module has no named export there); the CommonJS one works.
const { generate } = createRequire(import.meta.url)(
  '@kubernetes-models/crd-generate',
) as typeof import('@kubernetes-models/crd-generate');

const root = path.dirname(import.meta.dirname);
const crds = path.join(root, 'crds');
const generated = path.join(root, 'src/api/generated');

async function readCrds(): Promise<string> {
  const files = (await readdir(crds)).filter((file) => file.endsWith('.yaml')).sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(crds, file), 'utf8')));
  return texts.join('\n---\n');
}

/** Path within the folder -> text, for every file below it; empty when there is no such folder. */
async function readTree(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const read = files.map(
    async (file) => [path.relative(folder, file), await readFile(file, 'utf8')] as const,
  );
  return new Map(await Promise.all(read));
}

/**
 * Makes the output fit our stricter compiler options: types are imported as types (verbatimModuleSyntax), and optional
 * members of a class don't take undefined over from their interface (exactOptionalPropertyTypes).
 */
async function adaptToCompiler(folder: string): Promise<void> {
  for (const [name, text] of await readTree(folder)) {
    if (!name.endsWith('.ts')) continue;
    const adapted = text
      .replace(/^import \{.*\} from/gm, (statement) =>
        statement.replace(/\b(IObjectMeta|ModelData|ValidateFunc)\b/g, 'type $1'),
      )
      .replace(/^( *"\w+"\?): (I\w+\["\w+"\]);$/gm, '$1: NonNullable<$2>;');
    await writeFile(path.join(folder, name), adapted);
  }
}

function differences(want: Map<string, string>, got: Map<string, string>): string[] {
  const names = new Set([...want.keys(), ...got.keys()]);
  return [...names].filter((name) => want.get(name) !== got.get(name)).sort();
}

const checking = process.argv.includes('--check');
const fresh = await mkdtemp(path.join(checking ? tmpdir() : path.dirname(generated), '.generated-'));
try {
  await generate({ input: await readCrds(), outputPath: fresh, yamlVersion: '1.2' });
  await adaptToCompiler(fresh);
  const changed = differences(await readTree(fresh), await readTree(generated));
  if (changed.length === 0) {
    console.log('src/api/generated is up to date');
  } else if (checking) {
    console.error(`src/api/generated is out of date: run npm run generate. Different: ${changed.join(', ')}`);
    process.exitCode = 1;
  } else {
    await rm(generated, { recursive: true, force: true });
    await rename(fresh, generated);
    console.log(`src/api/generated: ${changed.length} files changed`);
  }
} finally {
  await rm(fresh, { recursive: true, force: true });
}

if (checking) {
  const stale = await staleChartFiles();
  if (stale.length === 0) console.log('the chart is up to date');
  else {
    console.error(`the chart is out of date: run npm run generate. Different: ${stale.join(', ')}`);
    process.exitCode = 1;
  }
} else {
  await writeChartFiles();
}
