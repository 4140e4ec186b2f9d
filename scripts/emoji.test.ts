import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'emoji-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function emoji(...args: string[]): { status: number | null; output: string } {
  const script = path.join(import.meta.dirname, 'emoji.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, ...args], {
    encoding: 'utf8',
  });
  return { status, output: `${stdout}${stderr}` };
}

const filesBelow = (root: string) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .sort();

const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

type Row = { file_name: string; text: string; label: string; style: string; category: string; name: string };

const rowsOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

describe('npm run data:emoji', () => {
  it('draws a folder whose rows name its images, and prints the digest of its files', () => {
    const out = path.join(folder, 'fluent');
    const { status, output } = emoji('--out', out, '--size', '16', '--styles', 'fluent');
    expect(status).toBe(0);
    const files = filesBelow(out);
    const sums = files.map((name) => `${sha256(readFileSync(path.join(out, name)))}  ${name}\n`);
    expect(output).toContain(`sha256 ${sha256(sums.join(''))}`);
    const rows = { train: rowsOf(`${out}/train/metadata.jsonl`), test: rowsOf(`${out}/test/metadata.jsonl`) };
    expect(output).toContain(`${rows.train.length} in train, ${rows.test.length} in test: 16x16`);
    const named = (['train', 'test'] as const).flatMap((split) =>
      rows[split].map(({ file_name }) => `${split}/${file_name}`),
    );
    expect(files).toEqual([...named, 'ATTRIBUTION.md', 'test/metadata.jsonl', 'train/metadata.jsonl'].sort());
    expect([...rows.train, ...rows.test].find(({ name }) => name === 'red-apple')).toEqual({
      file_name: 'fluent/red-apple.png',
      text: 'a red apple, fluent style',
      label: 'fluent food',
      style: 'fluent',
      category: 'food',
      name: 'red-apple',
    });
    expect(readFileSync(`${out}/ATTRIBUTION.md`, 'utf8')).toContain('Microsoft Corporation');
  }, 60_000);

  it.each([
    [['--styles', 'noto,apple'], 'Write some of noto,twemoji,fluent,openmoji,emojione'],
    [['--categories', 'food,drinks'], 'Write some of smileys,people,animals,food,'],
    [['--names', 'red-apple,blue-apple'], 'error: No emoji among those is named blue-apple.'],
    [['--hold-out', 'styles'], 'Allowed choices are names, pairs.'],
    [['--size', '4'], 'Write a whole number of pixels from 8 to 1024.'],
    [['--size', 'big'], 'Write a whole number of pixels from 8 to 1024.'],
  ])('refuses %s', (args, want) => {
    const { status, output } = emoji('--out', path.join(folder, 'none'), ...args);
    expect(status).toBe(1);
    expect(output).toContain(want);
  });

  it('refuses a folder with files in it', () => {
    writeFileSync(path.join(folder, 'mine.txt'), 'x');
    const { status, output } = emoji('--out', folder);
    expect(status).toBe(1);
    expect(output).toContain(`error: ${folder} is not empty: remove it, or give another folder with --out.`);
  });
});
