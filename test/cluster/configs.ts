/** Configuration files of the components: pure functions from settings to text. */
import path from 'node:path';
import { stringify } from 'yaml';
import type { ClusterPaths } from './paths';
import { containerdSocket, imageStoreDir, runDir } from './paths';
import {
  contextName,
  loopback,
  networkName,
  nodeAddress,
  nodeName,
  pauseImage,
  podNetwork,
  ports,
  bridge,
  serviceNetwork,
} from './settings';

const cniPrograms = '/usr/lib/cni';

/** Debian's containerd 1.6. Content and snapshots stay in the cache; what belongs to running pods goes to /run. */
export function containerdConfig(paths: ClusterPaths): string {
  return `version = 2
root = ${JSON.stringify(imageStoreDir())}
state = ${JSON.stringify(path.join(runDir, 'state'))}
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = ${JSON.stringify(containerdSocket)}
  # A layer with the NVIDIA libraries makes messages larger than the default of 16 MiB.
  max_recv_message_size = 67108864
  max_send_message_size = 67108864

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${JSON.stringify(pauseImage)}
  # Containers may not lower their OOM score below ours where the capability CAP_SYS_RESOURCE is missing.
  restrict_oom_score_adj = true
  stream_server_address = "${loopback}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cniPrograms}"
    conf_dir = ${JSON.stringify(paths.cni)}
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}

/** The bridge exists before the first pod, with the node's address; its plugin joins pods to it. */
export function cniConfig(paths: ClusterPaths): string {
  return json({
    cniVersion: '1.0.0',
    name: networkName,
    plugins: [
      {
        type: 'bridge',
        bridge,
        isGateway: true,
        hairpinMode: true,
        // The plugin masquerades with iptables, which is not installed: one nftables rule does it (see host.ts).
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: paths.cniReservations,
          ranges: [[{ subnet: podNetwork, gateway: nodeAddress }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });
}

export type KubeletFacts = { hasResolvConf: boolean };

export function kubeletConfig(paths: ClusterPaths, facts: KubeletFacts): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeAddress,
    port: ports.kubelet,
    healthzBindAddress: loopback,
    healthzPort: ports.kubeletHealth,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: path.join(paths.pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: path.join(paths.pki, 'kubelet.crt'),
    tlsPrivateKeyFile: path.join(paths.pki, 'kubelet.key'),
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDNS: [nodeAddress],
    clusterDomain: 'cluster.local',
    resolvConf: facts.hasResolvConf ? '/etc/resolv.conf' : '',
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    maxOpenFiles: 20000,
    podLogsDir: paths.podLogs,
    volumePluginDir: path.join(paths.kubelet, 'volume-plugins'),
    // Loaded images exist nowhere else: the kubelet must never remove one, nor evict pods from a nearly full disk.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
    },
    // Otherwise it writes iptables rules that nothing here reads or would remove.
    makeIPTablesUtilChains: false,
    // Tests wait for pods to end: report soon.
    nodeStatusUpdateFrequency: '5s',
    syncFrequency: '10s',
    shutdownGracePeriod: '0s',
    containerLogMaxSize: '20Mi',
    logging: { format: 'text' },
  });
}

export function kubeProxyConfig(kubeconfig: string): string {
  return stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig },
    hostnameOverride: nodeName,
    bindAddress: nodeAddress,
    healthzBindAddress: `${loopback}:${ports.kubeProxyHealth}`,
    metricsBindAddress: `${loopback}:${ports.kubeProxyMetrics}`,
    mode: 'nftables',
    clusterCIDR: podNetwork,
    // Where the kernel does not pass bridged packets to the firewall, the answer of a pod on the same bridge would
    // bypass the translation of addresses; masquerading sends it through the node.
    nftables: { masqueradeAll: true },
    conntrack: { maxPerCore: 0 },
  });
}

/** Addresses of the servers in a resolv.conf. */
export function nameservers(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => address ?? '');
}

export function corefile(kubeconfig: string, upstream: readonly string[]): string {
  const servers = upstream.filter((address) => address !== nodeAddress);
  return [
    '.:53 {',
    `  bind ${nodeAddress}`,
    '  errors',
    `  health ${loopback}:${ports.dnsHealth}`,
    `  ready ${loopback}:${ports.dnsReady}`,
    '  cache 5',
    '  kubernetes cluster.local in-addr.arpa ip6.arpa {',
    `    kubeconfig ${kubeconfig}`,
    '    pods verified',
    '    fallthrough in-addr.arpa ip6.arpa',
    '    ttl 5',
    '  }',
    ...(servers.length > 0 ? [`  forward . ${servers.slice(0, 3).join(' ')}`] : []),
    '}',
    '',
  ].join('\n');
}

/** Records who wrote what, by user and user agent, without bodies and without the components' own traffic. */
export function auditPolicy(): string {
  return stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    omitManagedFields: true,
    rules: [
      {
        level: 'None',
        users: [
          'system:apiserver',
          'system:kube-controller-manager',
          'system:kube-scheduler',
          'system:kube-proxy',
          'system:coredns',
          'system:provisioner',
        ],
      },
      { level: 'None', userGroups: ['system:nodes', 'system:serviceaccounts:kube-system'] },
      {
        level: 'None',
        nonResourceURLs: ['/healthz*', '/readyz*', '/livez*', '/metrics', '/openapi/*', '/version'],
      },
      { level: 'Metadata' },
    ],
  });
}

/** Paths (of components, whose keys stay where they are) or contents (of people, who may copy the file). */
export type Credentials = { authority: string; certificate: string; key: string };

export function kubeconfig(server: string, credentials: Credentials, form: 'paths' | 'contents'): string {
  const { authority, certificate, key } = credentials;
  const encode = (text: string) => Buffer.from(text).toString('base64');
  const cluster =
    form === 'paths'
      ? { 'certificate-authority': authority }
      : { 'certificate-authority-data': encode(authority) };
  const user =
    form === 'paths'
      ? { 'client-certificate': certificate, 'client-key': key }
      : { 'client-certificate-data': encode(certificate), 'client-key-data': encode(key) };
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: contextName, cluster: { server, ...cluster } }],
    users: [{ name: contextName, user }],
    contexts: [{ name: contextName, context: { cluster: contextName, user: contextName } }],
    'current-context': contextName,
  });
}

export function apiServerUrl(): string {
  return `https://${nodeAddress}:${ports.apiServer}`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The API server's environment, which differs between the cluster and a test. */
export type ApiServerSettings = {
  address: string;
  port: number;
  etcd: string;
  pki: string;
  auditPolicy: string;
  auditLog: string;
  /** False where no node can be reached: nothing then registers the address of the service `kubernetes`. */
  node: boolean;
};

export function apiServerArgs(settings: ApiServerSettings): string[] {
  const key = (name: string) => path.join(settings.pki, name);
  const flags: Record<string, string | number | boolean> = {
    'etcd-servers': settings.etcd,
    'bind-address': settings.address,
    'advertise-address': settings.address,
    'secure-port': settings.port,
    'service-cluster-ip-range': serviceNetwork,
    'client-ca-file': key('ca.crt'),
    'tls-cert-file': key('apiserver.crt'),
    'tls-private-key-file': key('apiserver.key'),
    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
    'service-account-key-file': key('sa.pub'),
    'service-account-signing-key-file': key('sa.key'),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': true,
    'audit-policy-file': settings.auditPolicy,
    'audit-log-path': settings.auditLog,
    'audit-log-maxsize': 100,
    'audit-log-maxbackup': 2,
    profiling: false,
    'requestheader-client-ca-file': key('front-proxy-ca.crt'),
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'proxy-client-cert-file': key('front-proxy-client.crt'),
    'proxy-client-key-file': key('front-proxy-client.key'),
  };
  const nodeFlags: Record<string, string> = {
    'kubelet-certificate-authority': key('ca.crt'),
    'kubelet-client-certificate': key('apiserver-kubelet-client.crt'),
    'kubelet-client-key': key('apiserver-kubelet-client.key'),
    'kubelet-preferred-address-types': 'InternalIP',
  };
  return toArgs({ ...flags, ...(settings.node ? nodeFlags : { 'endpoint-reconciler-type': 'none' }) });
}

export function etcdArgs(dataDir: string, clientUrl: string, peerUrl: string): string[] {
  return toArgs({
    name: 'default',
    'data-dir': dataDir,
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
    // A cluster for tests and demos may lose its state with the machine's power.
    'unsafe-no-fsync': true,
    'log-level': 'warn',
    'quota-backend-bytes': 4 * 1024 ** 3,
  });
}

export function controllerManagerArgs(pki: string, kubeconfigFile: string, port: number): string[] {
  return toArgs({
    kubeconfig: kubeconfigFile,
    'bind-address': loopback,
    'secure-port': port,
    'leader-elect': false,
    'use-service-account-credentials': true,
    'service-account-private-key-file': path.join(pki, 'sa.key'),
    'root-ca-file': path.join(pki, 'ca.crt'),
    'cluster-signing-cert-file': path.join(pki, 'ca.crt'),
    'cluster-signing-key-file': path.join(pki, 'ca.key'),
    // The default folder would be created on the machine.
    'flex-volume-plugin-dir': path.join(path.dirname(kubeconfigFile), 'flex-volume-plugins'),
    profiling: false,
  });
}

export function schedulerArgs(kubeconfigFile: string): string[] {
  return toArgs({
    kubeconfig: kubeconfigFile,
    'authentication-kubeconfig': kubeconfigFile,
    'authorization-kubeconfig': kubeconfigFile,
    'bind-address': loopback,
    'secure-port': ports.scheduler,
    'leader-elect': false,
  });
}

function toArgs(flags: Readonly<Record<string, string | number | boolean>>): string[] {
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}
