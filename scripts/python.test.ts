import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { IMAGE_ENV } from './python';

it('runs programs with the environment of the images', async () => {
  const files = ['images/runtime/Dockerfile', 'images/trainer/Dockerfile'];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  for (const [name, value] of Object.entries(IMAGE_ENV)) {
    expect(texts.join('\n')).toMatch(new RegExp(`[ ]${name}=${value}\\b`));
  }
});
