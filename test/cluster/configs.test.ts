import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  apiServerArgs,
  auditPolicy,
  cniConfig,
  corefile,
  kubeconfig,
  kubeletConfig,
  nameservers,
} from './configs';
import { clusterPaths } from './paths';

const paths = clusterPaths('/state');

describe('nameservers', () => {
  it.each([
    ['one', 'nameserver 10.0.0.53\n', ['10.0.0.53']],
    [
      'several among other lines',
      'search a b\nnameserver 1.1.1.1\n# nameserver 9.9.9.9\n nameserver ::1\n',
      ['1.1.1.1', '::1'],
    ],
    ['none', 'search a\n', []],
  ])('finds %s', (_, text, want) => {
    expect(nameservers(text)).toEqual(want);
  });
});

describe('corefile', () => {
  it('forwards to the machine’s servers, never to itself', () => {
    expect(corefile('/k', ['10.244.0.1', '10.0.0.53'])).toContain('  forward . 10.0.0.53\n');
  });

  it('forwards nowhere on a machine without DNS', () => {
    expect(corefile('/k', [])).not.toContain('forward');
  });
});

describe('kubeletConfig', () => {
  it('keeps loaded images: they exist nowhere else', () => {
    const config = parse(kubeletConfig(paths, { hasResolvConf: true })) as Record<string, unknown>;
    expect(config).toMatchObject({
      imageGCHighThresholdPercent: 100,
      failCgroupV1: false,
      cgroupDriver: 'cgroupfs',
    });
  });

  it('names no resolv.conf that is not there', () => {
    expect(parse(kubeletConfig(paths, { hasResolvConf: false }))).toMatchObject({ resolvConf: '' });
  });
});

describe('kubeconfig', () => {
  const credentials = { authority: 'A', certificate: 'C', key: 'K' };

  it('has one context, named sparsedm and in use', () => {
    const config = parse(kubeconfig('https://h:1', credentials, 'paths')) as Record<string, unknown>;
    expect(config).toMatchObject({
      'current-context': 'sparsedm',
      contexts: [{ name: 'sparsedm' }],
      users: [{ user: { 'client-key': 'K' } }],
    });
  });

  it('holds the keys themselves when it is for people', () => {
    const config = parse(kubeconfig('https://h:1', credentials, 'contents')) as Record<string, unknown>;
    expect(config).toMatchObject({
      users: [{ user: { 'client-key-data': Buffer.from('K').toString('base64') } }],
    });
  });
});

describe('apiServerArgs', () => {
  const settings = {
    address: '127.0.0.1',
    port: 1,
    etcd: 'http://e',
    pki: '/p',
    auditPolicy: '/a',
    auditLog: '/l',
  };

  it('reaches the kubelet where there is a node', () => {
    expect(apiServerArgs({ ...settings, node: true })).toContain('--kubelet-certificate-authority=/p/ca.crt');
  });

  it('registers no address where there is none', () => {
    expect(apiServerArgs({ ...settings, node: false })).toContain('--endpoint-reconciler-type=none');
  });
});

describe('auditPolicy', () => {
  it('logs who did what, without bodies, and leaves out the components', () => {
    const { rules } = parse(auditPolicy()) as { rules: { level: string; users?: string[] }[] };
    expect(rules.at(-1)).toEqual({ level: 'Metadata' });
    expect(rules[0]?.users).toContain('system:kube-scheduler');
  });
});

describe('cniConfig', () => {
  it('keeps reservations in the state folder, which down removes', () => {
    expect(cniConfig(paths)).toContain('"dataDir": "/state/cni-reservations"');
  });
});
