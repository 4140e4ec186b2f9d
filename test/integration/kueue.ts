/** The real CustomResourceDefinition of Workloads, from Kueue's Go module. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { workloads } from '../../src/kube/kueue';
import type { Transport } from '../../src/runtime/http/transport';
import { moduleFolder } from '../cluster/go-module';
import { KUEUE } from '../interop/modules';
import { applyDefinition, type Definition } from './setup';

/** Installs it, with the version that the operator reads alone, since Kueue itself converts the others. */
export async function installWorkloads(transport: Transport): Promise<void> {
  const file = 'config/components/crd/bases/kueue.x-k8s.io_workloads.yaml';
  const definition = parse(await readFile(path.join(await moduleFolder(KUEUE), file), 'utf8')) as Definition;
  const versions = definition.spec.versions.filter(({ name }) => name === workloads.version);
  await applyDefinition(transport, { ...definition, spec: { ...definition.spec, versions } });
}
