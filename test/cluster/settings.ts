/** Fixed names and addresses of the embedded cluster. There is one per machine. */
export const nodeName = 'sparsedm';
export const contextName = 'sparsedm';

/** The bridge holds the node's address too: the kubelet refuses a loopback address. */
export const bridge = 'cni0';
export const podNetwork = '10.244.0.0/24';
export const nodeAddress = '10.244.0.1';
export const serviceNetwork = '10.96.0.0/16';
/** The first address of the service network is the service `kubernetes`. */
export const kubernetesServiceAddress = '10.96.0.1';

export const loopback = '127.0.0.1';

export type Listener = { name: string; address: string; port: number };

/** Every port a component listens on. None is reachable from another machine. */
export const ports = {
  etcd: 12379,
  etcdPeer: 12380,
  apiServer: 6443,
  controllerManager: 10257,
  scheduler: 10259,
  kubelet: 10250,
  kubeletHealth: 10248,
  kubeProxyHealth: 10256,
  kubeProxyMetrics: 10249,
  dns: 53,
  dnsHealth: 10254,
  dnsReady: 10255,
} as const;

export const listeners: readonly Listener[] = [
  { name: 'etcd', address: loopback, port: ports.etcd },
  { name: 'etcd', address: loopback, port: ports.etcdPeer },
  { name: 'kube-apiserver', address: nodeAddress, port: ports.apiServer },
  { name: 'kube-controller-manager', address: loopback, port: ports.controllerManager },
  { name: 'kube-scheduler', address: loopback, port: ports.scheduler },
  { name: 'kubelet', address: nodeAddress, port: ports.kubelet },
  { name: 'kubelet', address: loopback, port: ports.kubeletHealth },
  { name: 'kube-proxy', address: loopback, port: ports.kubeProxyHealth },
  { name: 'kube-proxy', address: loopback, port: ports.kubeProxyMetrics },
  { name: 'coredns', address: nodeAddress, port: ports.dns },
  { name: 'coredns', address: loopback, port: ports.dnsHealth },
  { name: 'coredns', address: loopback, port: ports.dnsReady },
];

export const pauseImage = 'sparsedm.io/pause:1';
/** Name of the CNI network: it names the address reservations and the results that are ours to remove. */
export const networkName = 'sparsedm';
/** The nftables table with our one rule, beside kube-proxy's. */
export const natTable = 'sparsedm';
