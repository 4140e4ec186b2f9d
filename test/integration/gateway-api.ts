/** The real CustomResourceDefinition of HTTPRoutes, from the Go module that the Gateway API publishes it in. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import type { Transport } from '../../src/runtime/http/transport';
import { moduleFolder, type GoModule } from '../cluster/go-module';
import { applyDefinition, type Definition } from './setup';

const GATEWAY_API: GoModule = {
  path: 'sigs.k8s.io/gateway-api',
  version: 'v1.7.0',
  sum: 'h1:duVnm7nO6oXfMMUWfcDoBph47CYR/ME3NGxccOVglaY=',
};

/** Installs it and waits until the API server serves it. */
export async function installHttpRoutes(transport: Transport): Promise<void> {
  const file = 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml';
  const text = await readFile(path.join(await moduleFolder(GATEWAY_API), file), 'utf8');
  await applyDefinition(transport, parse(text) as Definition);
}
