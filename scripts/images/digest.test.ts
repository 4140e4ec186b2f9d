import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inputsDigest } from './digest';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'digest-'));
  await mkdir(path.join(root, 'src', 'deep'), { recursive: true });
  await writeFile(path.join(root, 'Dockerfile'), 'FROM scratch\n');
  await writeFile(path.join(root, 'src', 'deep', 'a.py'), 'a = 1\n');
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe('the digest of an image', () => {
  const digest = (...more: string[]) => inputsDigest(root, ['Dockerfile', 'src'], more);

  test('stays the same when nothing changed', async () => {
    expect(await digest()).toMatch(/^[0-9a-f]{12}$/);
    expect(await digest()).toBe(await digest());
  });

  test.each([
    ['a file changes', () => writeFile(path.join(root, 'src', 'deep', 'a.py'), 'a = 2\n')],
    ['a file appears', () => writeFile(path.join(root, 'src', 'b.py'), '')],
    ['a file goes', () => rm(path.join(root, 'src', 'deep', 'a.py'))],
    ['a file becomes a program', () => writeFile(path.join(root, 'src', 'run'), '', { mode: 0o755 })],
  ])('changes when %s', async (_, change) => {
    const before = await digest();
    await change();
    expect(await digest()).not.toBe(before);
  });

  test('changes with the image below', async () => {
    expect(await digest('base-1')).not.toBe(await digest('base-2'));
  });

  test('leaves out what no image holds', async () => {
    const before = await digest();
    await mkdir(path.join(root, 'src', '__pycache__'));
    await writeFile(path.join(root, 'src', '__pycache__', 'a.cpython-311.pyc'), 'x');
    await writeFile(path.join(root, 'src', 'a.test.ts'), 'x');
    expect(await digest()).toBe(before);
  });
});
