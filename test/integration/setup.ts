/** Global set-up of the integration tests: one etcd and one API server, with our CRDs, for the whole run. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { parseAllDocuments } from 'yaml';
import { realClock } from '../../src/runtime/clock';
import { loadConnection } from '../../src/runtime/http/credentials';
import { createTransport, type Transport } from '../../src/runtime/http/transport';
import { objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { startControlPlane } from '../cluster/index';
import { waitFor } from '../cluster/wait';

declare module 'vitest' {
  export interface ProvidedContext {
    kubeconfig: string;
    auditLog: string;
  }
}

export type Definition = KubeObject & {
  spec: { group: string; names: { plural: string; kind: string }; versions: { name: string }[] };
  status?: { conditions?: { type: string; status: string }[] };
};

export const definitions: Resource<Definition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

const crdFolder = fileURLToPath(new URL('../../crds/', import.meta.url));

async function readDefinitions(folder: string): Promise<Definition[]> {
  const files = (await readdir(folder)).filter((file) => /\.ya?ml$/.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
  return texts
    .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Definition | null))
    .filter((document) => document !== null);
}

async function isServed(transport: Transport, name: string): Promise<boolean> {
  const found = await transport.request<Definition>({
    method: 'GET',
    path: objectPath(definitions, { namespace: '', name }),
  });
  return (
    found.status?.conditions?.some(
      (condition) => condition.type === 'Established' && condition.status === 'True',
    ) === true
  );
}

/** Applies every CRD of a folder, by default crds/, and waits until the API server serves it. */
export async function installDefinitions(transport: Transport, folder = crdFolder): Promise<void> {
  for (const definition of await readDefinitions(folder)) await applyDefinition(transport, definition);
}

export async function applyDefinition(transport: Transport, definition: Definition): Promise<void> {
  const { name } = definition.metadata;
  await transport.request({
    method: 'PATCH',
    path: objectPath(definitions, { namespace: '', name }),
    query: { fieldManager: 'integration-tests', force: true },
    contentType: 'application/apply-patch+yaml',
    body: definition,
  });
  await waitFor(() => isServed(transport, name), { what: `CRD ${name}`, timeoutMs: 30_000 });
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const plane = await startControlPlane();
  const transport = createTransport({
    connection: loadConnection({ kubeconfig: plane.kubeconfig }),
    clock: realClock,
  });
  try {
    await installDefinitions(transport);
  } catch (error) {
    await plane.stop();
    throw error;
  } finally {
    await transport.close();
  }
  project.provide('kubeconfig', plane.kubeconfig);
  project.provide('auditLog', plane.auditLog);
  return () => plane.stop();
}
