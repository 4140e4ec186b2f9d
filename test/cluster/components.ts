/** The components: how to start each, and how to see that it works. */
import path from 'node:path';
import type { Binaries } from './binaries';
import { apiServerArgs, apiServerUrl, controllerManagerArgs, etcdArgs, schedulerArgs } from './configs';
import { exec } from './exec';
import { answers } from './http';
import type { ClusterPaths } from './paths';
import { containerdSocket } from './paths';
import { readCredentials } from './pki';
import { recorded, type Command } from './processes';
import { loopback, nodeAddress, nodeName, ports } from './settings';

export type Component = {
  name: ComponentName;
  command: Command;
  healthy(): Promise<boolean>;
};

/** In the order in which they start. */
export const componentNames = [
  'containerd',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'coredns',
  'provisioner',
  'kube-proxy',
  'kubelet',
] as const;

export type ComponentName = (typeof componentNames)[number];

/**
 * In the order in which they stop: first what acts on pods, then what serves the API. The API server stops before etcd,
 * without which it hangs for a minute. containerd stops after its containers, so it is not in this list.
 */
export const stopOrder: readonly (readonly ComponentName[])[] = [
  ['kubelet'],
  ['kube-proxy', 'coredns', 'provisioner', 'kube-scheduler', 'kube-controller-manager'],
  ['kube-apiserver'],
  ['etcd'],
];

export function containerdComponent(paths: ClusterPaths): Component {
  return {
    name: 'containerd',
    command: {
      name: 'containerd',
      program: 'containerd',
      args: ['--config', path.join(paths.config, 'containerd.toml'), '--log-level', 'warn'],
    },
    healthy: () =>
      exec('ctr', ['--address', containerdSocket, '--connect-timeout', '2s', 'version']).then(
        () => true,
        () => false,
      ),
  };
}

export function kubeconfigOf(paths: ClusterPaths, name: string): string {
  return path.join(paths.config, `${name}.kubeconfig`);
}

export function components(paths: ClusterPaths, binaries: Binaries): Component[] {
  const make = (
    name: ComponentName,
    args: readonly string[],
    healthy: () => Promise<boolean>,
  ): Component => ({
    name,
    healthy,
    command: { name, program: binaries.k8s, args: [name, ...args] },
  });
  const etcdUrl = `http://${loopback}:${ports.etcd}`;
  const config = (file: string) => path.join(paths.config, file);
  return [
    containerdComponent(paths),
    make('etcd', etcdArgs(paths.etcd, etcdUrl, `http://${loopback}:${ports.etcdPeer}`), () =>
      answers(`${etcdUrl}/readyz`),
    ),
    make(
      'kube-apiserver',
      apiServerArgs({
        address: nodeAddress,
        port: ports.apiServer,
        etcd: etcdUrl,
        pki: paths.pki,
        auditPolicy: config('audit-policy.yaml'),
        auditLog: paths.auditLog,
        node: true,
      }),
      () => answers(`${apiServerUrl()}/readyz`, readCredentials(paths.pki, 'admin')),
    ),
    make(
      'kube-controller-manager',
      controllerManagerArgs(paths.pki, kubeconfigOf(paths, 'controller-manager'), ports.controllerManager),
      () => answers(`https://${loopback}:${ports.controllerManager}/healthz`),
    ),
    make('kube-scheduler', schedulerArgs(kubeconfigOf(paths, 'scheduler')), () =>
      answers(`https://${loopback}:${ports.scheduler}/healthz`),
    ),
    make('coredns', ['-conf', config('Corefile'), '-quiet'], () =>
      answers(`http://${loopback}:${ports.dnsReady}/ready`),
    ),
    make(
      'provisioner',
      ['--kubeconfig', kubeconfigOf(paths, 'provisioner'), '--root', paths.volumes],
      // It serves no health page: all that can be seen is that it runs.
      () => Promise.resolve(recorded(paths, 'provisioner') !== undefined),
    ),
    make('kube-proxy', ['--config', config('kube-proxy.yaml')], () =>
      answers(`http://${loopback}:${ports.kubeProxyHealth}/healthz`),
    ),
    make(
      'kubelet',
      [
        '--config',
        config('kubelet.yaml'),
        '--kubeconfig',
        kubeconfigOf(paths, 'kubelet'),
        '--hostname-override',
        nodeName,
        '--node-ip',
        nodeAddress,
        '--root-dir',
        paths.kubelet,
      ],
      () => answers(`http://${loopback}:${ports.kubeletHealth}/healthz`),
    ),
  ];
}
