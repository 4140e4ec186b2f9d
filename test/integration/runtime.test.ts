import { afterAll, beforeAll, expect, test } from 'vitest';
import { openApiServer, type ApiServer } from './harness';

let server: ApiServer;
beforeAll(async () => {
  server = await openApiServer();
});
afterAll(() => server.close());

test('a namespace of its own', () => {
  expect(server.namespace).toMatch(/^test-/);
});
