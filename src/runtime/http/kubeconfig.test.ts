import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConnection } from './credentials';
import { loadKubeConfig } from './kubeconfig';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kubeconfig-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Parts = {
  current?: string;
  contexts?: Record<string, { cluster: string; user: string }>;
  clusters?: Record<string, object>;
  users?: Record<string, object>;
};

const named = (entries: object | undefined, kind: string) =>
  Object.entries(entries ?? {}).map(([name, value]) => ({ name, [kind]: value as unknown }));

async function write(name: string, { current, contexts, clusters, users }: Parts | undefined = {}) {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    contexts: named(contexts, 'context'),
    clusters: named(clusters, 'cluster'),
    users: named(users, 'user'),
  };
  await writeFile(file, stringify(content));
  return file;
}

const load = (...files: string[]) => loadKubeConfig(undefined, { KUBECONFIG: files.join(path.delimiter) });
const cluster = (server: string) => ({ server: `https://${server}:6443` });

describe('several files in KUBECONFIG', () => {
  test('use the first current context, as kubectl does', async () => {
    const one = await write('one', {
      current: 'staging',
      contexts: { staging: { cluster: 'staging', user: 'me' } },
      clusters: { staging: cluster('staging') },
    });
    const two = await write('two', {
      current: 'production',
      contexts: { production: { cluster: 'production', user: 'me' } },
      clusters: { production: cluster('production') },
    });
    expect(load(one, two).getCurrentCluster()?.server).toBe('https://staging:6443');
    expect(load(two, one).getCurrentCluster()?.server).toBe('https://production:6443');
    const env = { KUBECONFIG: [one, two].join(path.delimiter) };
    expect(loadConnection({}, env).server).toBe('https://staging:6443');
    expect(loadConnection({ context: 'production' }, env).server).toBe('https://production:6443');
  });

  test('use the current context of a later file where the first names none', async () => {
    const one = await write('clusters', { clusters: { a: cluster('a') }, users: { me: { token: 't' } } });
    const two = await write('contexts', { current: 'c', contexts: { c: { cluster: 'a', user: 'me' } } });
    const config = load(one, two);
    expect(config.getCurrentCluster()?.server).toBe('https://a:6443');
    expect(config.getCurrentUser()?.token).toBe('t');
  });

  test('take an entry that several have from the first, as a whole', async () => {
    const contexts = { c: { cluster: 'kubernetes', user: 'admin' } };
    const one = await write('kubeadm-1', {
      current: 'c',
      contexts,
      clusters: { kubernetes: cluster('first') },
      users: { admin: { username: 'first' } },
    });
    const two = await write('kubeadm-2', {
      contexts,
      clusters: { kubernetes: { ...cluster('second'), 'tls-server-name': 'second' } },
      users: { admin: { token: 'second' } },
    });
    const config = load(one, two);
    expect(config.clusters.map(({ server, tlsServerName }) => [server, tlsServerName])).toEqual([
      ['https://first:6443', undefined],
    ]);
    expect(config.users.map(({ username, token }) => [username, token])).toEqual([['first', undefined]]);
  });

  test('pass over what does not exist, and what is empty', async () => {
    const parts = {
      current: 'c',
      contexts: { c: { cluster: 'a', user: 'u' } },
      clusters: { a: cluster('a') },
    };
    const one = await write('present', parts);
    const empty = path.join(folder, 'empty');
    await writeFile(empty, '');
    expect(load(path.join(folder, 'gone'), empty, one, one).getCurrentContext()).toBe('c');
    expect(() => load(path.join(folder, 'gone'))).toThrow('KUBECONFIG names no file that exists');
  });

  test('find files from their own folder each', async () => {
    const parts = {
      current: 'c',
      contexts: { c: { cluster: 'a', user: 'u' } },
      clusters: { a: { ...cluster('a'), 'certificate-authority': 'ca.crt' } },
    };
    const one = await write('here/config', parts);
    const two = await write('there/config', {
      users: {
        u: { 'client-certificate': 'me.crt', tokenFile: 'token', exec: { command: './bin/login' } },
        v: { exec: { command: 'login' } },
      },
    });
    const config = load(one, two);
    expect(config.getCurrentCluster()?.caFile).toBe(path.join(folder, 'here/ca.crt'));
    const [user, other] = config.users as { exec?: { command: string } }[];
    expect(user).toMatchObject({
      certFile: path.join(folder, 'there/me.crt'),
      authProvider: { config: { tokenFile: path.join(folder, 'there/token') } },
      exec: { command: path.join(folder, 'there/bin/login') },
    });
    expect(other?.exec?.command).toBe('login');
  });
});

describe('without KUBECONFIG', () => {
  test('the user’s own is read', async () => {
    await write('.kube/config', {
      current: 'c',
      contexts: { c: { cluster: 'a', user: 'u' } },
      clusters: { a: cluster('own') },
    });
    expect(loadKubeConfig(undefined, { HOME: folder }).getCurrentCluster()?.server).toBe('https://own:6443');
  });

  test('and without any, outside of a pod, what to do is said', () => {
    expect(() => loadKubeConfig(undefined, { HOME: path.join(folder, 'nobody') })).toThrow(
      'give --kubeconfig or KUBECONFIG',
    );
  });
});
