/**
 * What an integration test file needs: a namespace of its own on the shared API server, the operator's own transport
 * and client to it, and ways to wait for a condition.
 *
 *     const server = await openApiServer();            // in the file's body or a beforeAll
 *     afterAll(() => server.close());
 *     await server.client.create(jobs, job);
 *     await eventually(async () => expect(await server.client.get(jobs, key)).toBeDefined());
 */
import { inject } from 'vitest';
import { connectApiServer, type ApiServer } from './api-server';

export * from './api-server';

export function openApiServer(options: { kubeconfig?: string; userAgent?: string } = {}): Promise<ApiServer> {
  return connectApiServer({ kubeconfig: inject('kubeconfig'), ...options });
}
