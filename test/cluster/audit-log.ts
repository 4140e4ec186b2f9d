/** The API server's audit log: who requested what. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** Every line of the log, one JSON event each, with those of the parts that were set aside when it grew. */
export async function* auditLines(auditLog: string): AsyncGenerator<string, void> {
  const folder = path.dirname(auditLog);
  const { name } = path.parse(auditLog);
  const files = await readdir(folder);
  for (const file of files.filter((each) => each.startsWith(name))) {
    yield* createInterface({ input: createReadStream(path.join(folder, file)) });
  }
}
