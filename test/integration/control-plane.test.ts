/** What integration tests rely on: a real API server that can be taken away, with tokens that can be checked. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exec } from '../cluster/exec';
import { answers } from '../cluster/http';
import { startControlPlane, type ControlPlane } from '../cluster/index';
import { waitFor } from '../cluster/wait';

let plane: ControlPlane;

function kubectl(args: readonly string[], input?: string): Promise<string> {
  const options = { env: { KUBECONFIG: plane.kubeconfig }, ...(input === undefined ? {} : { input }) };
  return exec(plane.binaries.k8s, ['kubectl', ...args], options);
}

type Review = {
  status: { authenticated?: boolean; audiences?: string[]; user?: { username?: string }; error?: string };
};

async function review(token: string, audiences: string[]): Promise<Review> {
  const object = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } };
  return JSON.parse(await kubectl(['create', '-o', 'json', '-f', '-'], stringify(object))) as Review;
}

describe('a control plane for tests', () => {
  beforeAll(async () => {
    plane = await startControlPlane({ controllerManager: true });
    await waitFor(
      () =>
        kubectl(['get', 'serviceaccount', 'default']).then(
          () => true,
          () => false,
        ),
      { what: 'the service account', timeoutMs: 30_000 },
    );
  }, 90_000);

  afterAll(async () => {
    await plane.stop();
    expect(existsSync(plane.directory)).toBe(false);
  }, 60_000);

  it('knows a token by its audience, and by no other', async () => {
    const token = (await kubectl(['create', 'token', 'default', '--audience=sparsedm.io'])).trim();
    expect((await review(token, ['sparsedm.io'])).status).toMatchObject({
      authenticated: true,
      audiences: ['sparsedm.io'],
      user: { username: 'system:serviceaccount:default:default' },
    });
    expect((await review(token, ['another'])).status.authenticated).toBeUndefined();
  });

  it('grants a service account nothing that no role grants', async () => {
    const token = (await kubectl(['create', 'token', 'default'])).trim();
    const config = path.join(plane.directory, 'pki', 'ca.crt');
    // An empty kubeconfig: the administrator's certificate would win over the token.
    const anonymous = exec(
      plane.binaries.k8s,
      ['kubectl', '--server', plane.url, '--certificate-authority', config, '--token', token, 'get', 'pods'],
      { env: { KUBECONFIG: '/dev/null' } },
    );
    await expect(anonymous).rejects.toThrow('is forbidden');
  });

  it('keeps its objects and its address when the API server ends, and when everything does', async () => {
    await kubectl(['create', 'configmap', 'kept']);
    await plane.apiServer.stop();
    expect(await answers(`${plane.url}/readyz`)).toBe(false);
    await plane.apiServer.start();
    expect(await kubectl(['get', 'configmap', 'kept', '-o', 'name'])).toBe('configmap/kept\n');
    await plane.restart();
    expect(await kubectl(['get', 'configmap', 'kept', '-o', 'name'])).toBe('configmap/kept\n');
  });

  it('survives an API server that is killed', async () => {
    await plane.apiServer.stop('SIGKILL');
    await plane.apiServer.start();
    expect(await kubectl(['get', '--raw', '/readyz'])).toBe('ok');
  });

  it('writes down who asked for what', async () => {
    expect(await readFile(plane.auditLog, 'utf8')).toContain('"objectRef":{"resource":"configmaps"');
  });
});
