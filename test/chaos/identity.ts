/** A user for each operator process, so that the audit log tells them apart. */
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadConnection } from '../../src/runtime/http/credentials';
import type { KubeObject, Resource } from '../../src/runtime/objects';
import { createAccount } from '../integration/stand-ins';
import type { World } from './world';

type Binding = KubeObject & { roleRef: object; subjects: object[] };

const bindings: Resource<Binding> = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
};

export type Identity = {
  user: string;
  kubeconfig: string;
  tokenFile: string;
};

export function userOf(namespace: string, account: string): string {
  return `system:serviceaccount:${namespace}:${account}`;
}

/** Gives every service account of the namespace all rights: the test is about who acts, not who may. */
export async function allowAccounts(world: World, namespace: string): Promise<void> {
  await world.server.client.apply(bindings, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: `chaos-${namespace}` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [
      { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: `system:serviceaccounts:${namespace}` },
    ],
  });
}

/** Makes a service account and returns a token for it. */
export async function issueToken(world: World, namespace: string, account: string): Promise<string> {
  await createAccount(world.server, namespace, account);
  const answer = await world.server.transport.request<{ status: { token: string } }>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3600 },
    },
  });
  return answer.status.token;
}

/** Atomic, as the kubelet does it: a reader sees the old token or the new one. */
export async function replaceFile(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** A kubeconfig for the world's API server with these fields of a user. */
export async function writeKubeconfig(world: World, file: string, user: object): Promise<string> {
  const connection = loadConnection({ kubeconfig: world.server.kubeconfig });
  const { tls } = await connection.credentials(true);
  const authority = Buffer.from(tls.ca ?? '').toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'chaos', cluster: { server: connection.server, 'certificate-authority-data': authority } },
    ],
    users: [{ name: 'chaos', user }],
    contexts: [{ name: 'chaos', context: { cluster: 'chaos', user: 'chaos' } }],
    'current-context': 'chaos',
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

export async function createIdentity(world: World, namespace: string, account: string): Promise<Identity> {
  const tokenFile = path.join(world.folder, `${namespace}-${account}.token`);
  await replaceFile(tokenFile, await issueToken(world, namespace, account));
  const kubeconfig = path.join(world.folder, `${namespace}-${account}.kubeconfig`);
  await writeKubeconfig(world, kubeconfig, { tokenFile });
  return { user: userOf(namespace, account), kubeconfig, tokenFile };
}
