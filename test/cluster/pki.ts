/** Keys and certificates, made by the `certs` command of the Go program, and kubeconfigs that use them. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { kubeconfig } from './configs';
import { exec } from './exec';
import { writeIfDifferent } from './files';
import { nodeName } from './settings';

export type User =
  'admin' | 'controller-manager' | 'scheduler' | 'kubelet' | 'kube-proxy' | 'coredns' | 'provisioner';

/** Makes the folder of keys unless it is there: it appears complete or not at all. */
export async function ensurePki(k8s: string, folder: string, addresses: readonly string[]): Promise<void> {
  if (existsSync(folder)) return;
  const scratch = `${folder}.new`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(path.dirname(folder), { recursive: true });
  await exec(k8s, ['certs', scratch, '--node', nodeName, '--addresses', addresses.join(',')]);
  await rename(scratch, folder);
}

function files(pki: string, user: User) {
  const at = (name: string) => path.join(pki, name);
  return { authority: at('ca.crt'), certificate: at(`${user}.crt`), key: at(`${user}.key`) };
}

export type TlsFiles = { ca: string; cert: string; key: string };

export function readCredentials(pki: string, user: User): TlsFiles {
  const { authority, certificate, key } = files(pki, user);
  const read = (file: string) => readFileSync(file, 'utf8');
  return { ca: read(authority), cert: read(certificate), key: read(key) };
}

export async function writeComponentKubeconfig(
  file: string,
  server: string,
  pki: string,
  user: User,
): Promise<void> {
  await writeIfDifferent(file, kubeconfig(server, files(pki, user), 'paths'), 0o600);
}

/** The administrator's, with the keys inside, so that the file may be copied. */
export async function writeAdminKubeconfig(file: string, server: string, pki: string): Promise<void> {
  const { ca, cert, key } = readCredentials(pki, 'admin');
  const text = kubeconfig(server, { authority: ca, certificate: cert, key }, 'contents');
  await writeIfDifferent(file, text, 0o600);
}
