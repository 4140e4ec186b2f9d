import { describe, expect, test } from 'vitest';
import { proxyFromEnvironment } from './proxy';

const cluster = 'https://kube.example.org:6443';
const inCluster = 'https://10.96.0.1:443';

function proxyFor(server: string, env: Record<string, string>): string | undefined {
  return proxyFromEnvironment(new URL(server), env);
}

test.each([
  ['HTTPS_PROXY is for https', cluster, { HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128'],
  ['and so in small letters', cluster, { https_proxy: 'http://proxy:3128' }, 'http://proxy:3128'],
  ['capitals go first', cluster, { HTTPS_PROXY: 'http://one', https_proxy: 'http://two' }, 'http://one'],
  ['HTTP_PROXY is not for https', cluster, { HTTP_PROXY: 'http://proxy:3128' }, undefined],
  ['but for http', 'http://kube.example.org', { http_proxy: 'http://proxy:3128' }, 'http://proxy:3128'],
  ['a host alone is an http proxy', cluster, { HTTPS_PROXY: 'proxy:3128' }, 'http://proxy:3128'],
  ['socks is possible', cluster, { HTTPS_PROXY: 'socks5://proxy' }, 'socks5://proxy'],
  ['an empty one is none', cluster, { HTTPS_PROXY: '' }, undefined],
  ['without one there is none', cluster, { NO_PROXY: 'x' }, undefined],
])('%s', (_, server, env: Record<string, string>, want) => {
  expect(proxyFor(server, env)).toBe(want);
});

describe('NO_PROXY', () => {
  test.each([
    ['everything', '*', cluster, true],
    ['the host', 'kube.example.org', cluster, true],
    ['the host in other letters, among others', 'a.b , KUBE.example.ORG', cluster, true],
    ['a domain above it', 'example.org', cluster, true],
    ['what is below a domain', '.example.org', cluster, true],
    ['what is below a domain, with a star', '*.example.org', cluster, true],
    ['a name that only ends alike', 'ample.org', cluster, false],
    ['another host', 'other.example.org', cluster, false],
    ['the host at its port', 'kube.example.org:6443', cluster, true],
    ['the host at another port', 'kube.example.org:443', cluster, false],
    ['the default port', '10.96.0.1:443', inCluster, true],
    ['the address of the API in the cluster', '10.96.0.1', inCluster, true],
    ['its network', '10.0.0.0/8', inCluster, true],
    ['another network', '192.168.0.0/16', inCluster, false],
    ['a network, for a name', '0.0.0.0/0', cluster, false],
    ['what is no network', '10.96.0.1/', inCluster, false],
    ['an address of version 6', 'fd00::1', 'https://[fd00::1]:6443', true],
    ['one at its port', '[fd00::1]:6443', 'https://[fd00::1]:6443', true],
    ['a network of version 6', 'fd00::/8', 'https://[fd00::1]', true],
    ['nothing', '', cluster, false],
    ['commas', ' ,,', cluster, false],
  ])('%s: %j', (_, exemptions, server, want) => {
    const found = proxyFor(server, { HTTPS_PROXY: 'http://proxy', no_proxy: exemptions });
    expect(found === undefined).toBe(want);
  });

  test.each(['https://localhost:6443', 'https://127.0.0.1:6443', 'https://127.8.8.8', 'https://[::1]:6443'])(
    'is not needed for this machine itself: %s',
    (server) => {
      expect(proxyFor(server, { HTTPS_PROXY: 'http://proxy' })).toBeUndefined();
    },
  );
});
