import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConnection, sameTls } from './credentials';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'credentials-'));
});
afterAll(() => rm(folder, { recursive: true }));

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function kubeconfig(user: object, cluster: object = {}): Promise<string> {
  const file = path.join(folder, `${Math.random()}.yaml`);
  const context = { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'ml' } };
  await writeFile(
    file,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443', ...cluster } }],
      users: [{ name: 'u', user }],
      contexts: [context, { name: 'two', context: { cluster: 'c', user: 'u', namespace: 'other' } }],
    }),
  );
  return file;
}

async function credentials(user: object, cluster?: object) {
  return loadConnection({ kubeconfig: await kubeconfig(user, cluster) }).credentials(true);
}

describe('a kubeconfig', () => {
  test('with a token', async () => {
    expect((await credentials({ token: 'abc' })).headers).toEqual({ authorization: 'Bearer abc' });
  });

  test.each([
    ['a path of its own', (file: string) => file],
    ['a path from the folder of the kubeconfig', (file: string) => path.basename(file)],
  ])('with the file of a token, by %s, which wins over a token and is read again', async (_, name) => {
    const file = path.join(folder, 'token');
    await writeFile(file, 'first');
    const connection = loadConnection({
      kubeconfig: await kubeconfig({ tokenFile: name(file), token: 'old' }),
    });
    expect((await connection.credentials(false)).headers).toEqual({ authorization: 'Bearer first' });
    await writeFile(file, 'second');
    expect((await connection.credentials(true)).headers).toEqual({ authorization: 'Bearer second' });
  });

  test('with name and password', async () => {
    const { headers } = await credentials({ username: 'me', password: 'pass' });
    expect(headers).toEqual({ authorization: `Basic ${base64('me:pass')}` });
  });

  test('with client certificate, authority, server name and impersonation', async () => {
    const { headers, tls } = await credentials(
      { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY'), as: 'someone' },
      { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'kube.example' },
    );
    expect({ ...tls, ca: String(tls.ca), cert: String(tls.cert), key: String(tls.key) }).toEqual({
      ca: 'CA',
      cert: 'CERT',
      key: 'KEY',
      servername: 'kube.example',
    });
    expect(headers).toEqual({ 'impersonate-user': 'someone' });
  });

  test('that does not check the server', async () => {
    expect((await credentials({ token: 'x' }, { 'insecure-skip-tls-verify': true })).tls).toEqual({
      rejectUnauthorized: false,
    });
  });

  test('of a local proxy over plain http', async () => {
    expect(await credentials({ token: 'x' }, { server: 'http://127.0.0.1:8001' })).toEqual({
      headers: { authorization: 'Bearer x' },
      tls: {},
    });
  });

  test('with a proxy in front of the cluster', async () => {
    const file = await kubeconfig({}, { 'proxy-url': 'http://proxy:3128' });
    const env = { HTTPS_PROXY: 'http://other:3128' };
    expect(loadConnection({ kubeconfig: file }, env).proxyUrl).toBe('http://proxy:3128');
  });

  test('behind the proxy that the environment names', async () => {
    const file = await kubeconfig({}, { server: 'https://kube.example.org:6443' });
    const proxyOf = (env: Record<string, string>) => loadConnection({ kubeconfig: file }, env).proxyUrl;
    expect(proxyOf({ https_proxy: 'http://proxy:3128' })).toBe('http://proxy:3128');
    expect(proxyOf({ https_proxy: 'http://proxy:3128', NO_PROXY: 'example.org' })).toBeUndefined();
    expect(proxyOf({})).toBeUndefined();
  });

  test('has no context of a name that it lacks', async () => {
    const file = await kubeconfig({});
    expect(() => loadConnection({ kubeconfig: file, context: 'three' })).toThrow('no context "three"');
  });
});

describe('rotation', () => {
  test('a rewritten kubeconfig is read again when fresh credentials are asked for', async () => {
    const file = await kubeconfig({ token: 'old' });
    const connection = loadConnection({ kubeconfig: file });
    expect((await connection.credentials(true)).headers).toEqual({ authorization: 'Bearer old' });
    await writeFile(file, stringify({ ...parsed, users: [{ name: 'u', user: { token: 'new' } }] }));
    expect((await connection.credentials(false)).headers).toEqual({ authorization: 'Bearer old' });
    expect((await connection.credentials(true)).headers).toEqual({ authorization: 'Bearer new' });
  });

  const parsed = {
    'current-context': 'one',
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:6443' } }],
    contexts: [{ name: 'one', context: { cluster: 'c', user: 'u' } }],
  };

  test('an exec plugin is run once for its token, and again when fresh credentials are asked for', async () => {
    const script = path.join(folder, 'plugin.sh');
    const runs = path.join(folder, 'runs');
    const credential = (token: string) =>
      JSON.stringify({
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: { token },
      });
    await writeFile(
      script,
      `#!/bin/sh\necho x >> "${runs}"\nn=$(wc -l < "${runs}")\necho '${credential('t-')}' | sed "s/t-/t-$n/"\n`,
    );
    await chmod(script, 0o755);
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: script, interactiveMode: 'Never' };
    const connection = loadConnection({ kubeconfig: await kubeconfig({ exec }) });
    expect((await connection.credentials(true)).headers).toEqual({ authorization: 'Bearer t-1' });
    expect((await connection.credentials(false)).headers).toEqual({ authorization: 'Bearer t-1' });
    expect((await connection.credentials(true)).headers).toEqual({ authorization: 'Bearer t-2' });
  });
});

describe('an exec plugin', () => {
  async function infoFor(exec: object, cluster: object = {}): Promise<unknown> {
    const script = path.join(folder, 'told.sh');
    const told = path.join(folder, 'told.json');
    await writeFile(
      script,
      `#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" > "${told}"\necho '{"status": {"token": "'$MINE'"}}'\n`,
    );
    await chmod(script, 0o755);
    const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: script, ...exec };
    const env = [{ name: 'MINE', value: 'abc' }];
    const { headers } = await credentials({ exec: { ...plugin, env } }, cluster);
    // Its own variables reach it too.
    expect(headers).toEqual({ authorization: 'Bearer abc' });
    return JSON.parse(await readFile(told, 'utf8'));
  }
  const info = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' };

  test('is told in which version to answer', async () => {
    expect(await infoFor({})).toEqual({ ...info, spec: { interactive: false } });
  });

  test('is told of the cluster where it asks for that', async () => {
    const cluster = { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'kube' };
    expect(await infoFor({ provideClusterInfo: true }, cluster)).toEqual({
      ...info,
      spec: { interactive: false, cluster: { server: 'https://127.0.0.1:6443', ...cluster } },
    });
  });
});

test.each([
  ['the same bytes in another form', { ca: 'x' }, { ca: Buffer.from('x') }, true],
  ['another certificate', { cert: 'x' }, { cert: 'y' }, false],
  ['a key that came', {}, { key: 'y' }, false],
  ['another server name', { servername: 'a' }, { servername: 'b' }, false],
  ['a check that is left out', {}, { rejectUnauthorized: false }, false],
])('TLS material: %s', (_, a, b, want) => {
  expect(sameTls(a, b)).toBe(want);
});
