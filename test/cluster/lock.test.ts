import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { withLock } from './lock';

it('runs one holder at a time, and goes on after one that failed', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-lock-'));
  const file = path.join(folder, 'lock');
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
  };
  await expect(withLock(file, () => Promise.reject(new Error('work failed')))).rejects.toThrow('work failed');
  await Promise.all([1, 2, 3].map(() => withLock(file, work)));
  expect(most).toBe(1);
  await rm(folder, { recursive: true });
});
