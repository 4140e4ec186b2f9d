import { readFile, writeFile } from 'node:fs/promises';

/** Writes a file only when its content changes: kube-proxy exits when its configuration is written, even unchanged. */
export async function writeIfDifferent(file: string, text: string, mode = 0o644): Promise<void> {
  const present = await readFile(file, 'utf8').catch(() => undefined);
  if (present !== text) await writeFile(file, text, { mode });
}
