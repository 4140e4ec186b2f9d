import type { RequestOptions } from 'node:https';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { KubeConfig, type Cluster } from '@kubernetes/client-node';
import { loadKubeConfig, type Environment } from './kubeconfig';
import { proxyFromEnvironment } from './proxy';

export type TlsMaterial = {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  servername?: string;
  rejectUnauthorized?: boolean;
};

export type Credentials = { headers: Readonly<Record<string, string>>; tls: TlsMaterial };

/** Address of the API server and the credentials for it. */
export type Connection = {
  server: string;
  proxyUrl?: string;
  /** With `fresh`, everything is read again from its source: files, the exec plugin. */
  credentials(fresh: boolean): Promise<Credentials>;
};

export type KubeConfigSource = {
  /** Path of a kubeconfig; absent: $KUBECONFIG, ~/.kube/config, then the pod's service account. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
};

function configFrom(source: KubeConfigSource, env: Environment): KubeConfig {
  const config = loadKubeConfig(source.kubeconfig, env);
  if (source.context !== undefined) {
    if (config.getContextObject(source.context) === null) {
      throw new Error(`the kubeconfig has no context "${source.context}"`);
    }
    config.setCurrentContext(source.context);
  }
  instructPlugin(config);
  return config;
}

type ExecPlugin = {
  apiVersion?: string;
  env?: { name: string; value: string }[] | null;
  provideClusterInfo?: boolean;
};

/**
 * An exec plugin reads from KUBERNETES_EXEC_INFO the version to answer in and, if it has asked for that, the cluster.
 * kubectl sets the variable, and some plugins fail without it; client-node does not set it.
 */
function instructPlugin(config: KubeConfig): void {
  const plugin = config.getCurrentUser()?.exec as ExecPlugin | null | undefined;
  const cluster = config.getCurrentCluster();
  if (plugin === null || plugin === undefined) return;
  const info = {
    apiVersion: plugin.apiVersion,
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(plugin.provideClusterInfo === true && cluster !== null
        ? { cluster: describeCluster(cluster) }
        : {}),
    },
  };
  plugin.env = [...(plugin.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }];
}

function describeCluster(cluster: Cluster) {
  const { server, caFile, caData, tlsServerName, skipTLSVerify, proxyUrl } = cluster;
  return {
    server,
    'certificate-authority-data': caData ?? (caFile ? readFileSync(caFile).toString('base64') : undefined),
    'tls-server-name': tlsServerName,
    'insecure-skip-tls-verify': skipTLSVerify || undefined,
    'proxy-url': proxyUrl,
  };
}

/** client-node reads the sources (files, in-cluster token, exec plugins, OIDC); requests go over our own transport. */
export function loadConnection(source: KubeConfigSource = {}, env: Environment = process.env): Connection {
  let config = configFrom(source, env);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig names no current cluster');
  const proxyUrl = cluster.proxyUrl ?? proxyFromEnvironment(new URL(cluster.server), env);
  return {
    server: cluster.server,
    ...(proxyUrl === undefined ? {} : { proxyUrl }),
    async credentials(fresh) {
      // A new KubeConfig drops every cached token, so that rotated files and revoked tokens take effect.
      if (fresh) config = configFrom(source, env);
      return credentialsOf(config);
    },
  };
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const user = config.getCurrentUser();
  const cluster = config.getCurrentCluster();
  const options: RequestOptions & { servername?: string } = {};
  // Through a copy that says skipTLSVerify, because client-node refuses plain http (a local proxy) otherwise.
  const plain = cluster?.server.startsWith('http:') === true;
  await (plain ? withoutTls(config) : config).applyToHTTPSOptions(options);
  const basic =
    user?.username === undefined
      ? {}
      : {
          authorization: `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`,
        };
  return { headers: { ...basic, ...headersOf(options) }, tls: plain ? {} : tlsOf(options) };
}

function withoutTls(config: KubeConfig): KubeConfig {
  const copy = new KubeConfig();
  copy.loadFromOptions({
    clusters: config.clusters.map((cluster) => ({ ...cluster, skipTLSVerify: true })),
    users: config.users,
    contexts: config.contexts,
    currentContext: config.currentContext,
  });
  return copy;
}

function headersOf(options: RequestOptions): Record<string, string> {
  const entries = Object.entries(options.headers ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value).trim()]));
}

function tlsOf(options: RequestOptions & { servername?: string }): TlsMaterial {
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  const material = { ca, cert, key, servername, rejectUnauthorized };
  return Object.fromEntries(Object.entries(material).filter(([, value]) => value !== undefined));
}

/** Throws for unusable credentials, such as a certificate whose key has not been replaced yet. */
export function checkTls({ ca, cert, key }: TlsMaterial): void {
  createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
}

function sameBytes(a: string | Buffer | undefined, b: string | Buffer | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.from(a).equals(Buffer.from(b));
}

/** Whether connections made with one are still valid for the other. */
export function sameTls(a: TlsMaterial | undefined, b: TlsMaterial): boolean {
  return (
    a !== undefined &&
    sameBytes(a.ca, b.ca) &&
    sameBytes(a.cert, b.cert) &&
    sameBytes(a.key, b.key) &&
    a.servername === b.servername &&
    a.rejectUnauthorized === b.rejectUnauthorized
  );
}
