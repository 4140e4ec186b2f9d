/** `npm run vendor`: copies the CustomResourceDefinitions of others, which the integration tests install, from their modules. */
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { moduleFolder } from '../cluster/go-module';
import { KEDA } from './modules';

const FILES = ['keda.sh_scaledobjects.yaml', 'keda.sh_triggerauthentications.yaml'];

export const vendored = path.join(import.meta.dirname, 'crds');

const folder = await moduleFolder(KEDA);
await mkdir(vendored, { recursive: true });
for (const file of FILES) {
  await copyFile(path.join(folder, 'config/crd/bases', file), path.join(vendored, file));
  console.log(`${file} of ${KEDA.path}@${KEDA.version}`);
}
