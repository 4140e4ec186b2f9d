/** A real S3 server, which keeps objects as files: versitygw, with a certificate that only its own authority vouches for. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Target } from '../../scripts/target';
import { exec } from '../cluster/exec';
import type { Report } from '../cluster/index';
import { VERSITYGW } from './modules';
import { ensurePrograms, loadProgram, type Project } from './programs';

const gateway = { package: 'versitygw', image: 'sparsedm-interop/versitygw', file: 'versitygw' };
const project: Project = { name: 's3', module: VERSITYGW, programs: [gateway], minutes: 4 };

export const s3Namespace = 'interop-s3-server';
export const endpoint = `https://s3.${s3Namespace}.svc`;
export const account = { AWS_ACCESS_KEY_ID: 'interop', AWS_SECRET_ACCESS_KEY: 'interop-secret' };

export const ensureS3 = (report: Report) => ensurePrograms(project, report);

export async function installS3(target: Target, folder: string): Promise<void> {
  const image = await loadProgram(project, gateway, folder);
  const { ca, cert, key } = await certificate();
  const labels = { app: 's3' };
  const env = { ROOT_ACCESS_KEY: account.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: account.AWS_SECRET_ACCESS_KEY };
  const args = ['--port', ':8443', '--cert', '/tls/tls.crt', '--key', '/tls/tls.key'];
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: s3Namespace } },
    // Where the tests find the authority.
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'authority' }, data: { 'ca.crt': ca } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'tls' },
      type: 'kubernetes.io/tls',
      stringData: { 'tls.crt': cert, 'tls.key': key },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's3' },
      spec: { selector: labels, ports: [{ port: 443, targetPort: 8443 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 's3', labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: { fsGroup: 65532 },
        containers: [
          {
            name: 's3',
            image,
            imagePullPolicy: 'Never',
            // Beside the objects and not in their extended attributes, which not every file system of a node has.
            args: [...args, 'posix', '--sidecar', '/data/attributes', '/data/objects'],
            env: Object.entries(env).map(([name, value]) => ({ name, value })),
            readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
            volumeMounts: [
              { name: 'objects', mountPath: '/data/objects' },
              { name: 'attributes', mountPath: '/data/attributes' },
              { name: 'tls', mountPath: '/tls' },
            ],
          },
        ],
        volumes: [
          { name: 'objects', emptyDir: {} },
          { name: 'attributes', emptyDir: {} },
          { name: 'tls', secret: { secretName: 'tls' } },
        ],
      },
    },
  ];
  const removal = ['delete', 'namespace', s3Namespace, '--ignore-not-found', '--timeout=120s'];
  await target.kubectl(removal);
  for (const object of objects) {
    const within = object.kind === 'Namespace' ? [] : ['-n', s3Namespace];
    await target.kubectl([...within, 'apply', '-f', '-'], { input: JSON.stringify(object) });
  }
  await target.kubectl(['-n', s3Namespace, 'wait', 'pod/s3', '--for=condition=Ready', '--timeout=120s']);
}

/** An authority, and a certificate of it for the Service. */
async function certificate(): Promise<{ ca: string; cert: string; key: string }> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'sparsedm-s3-'));
  const at = (name: string) => path.join(scratch, name);
  const make = (subject: string, name: string, more: readonly string[]) => {
    const fixed = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '30',
    ];
    const out = ['-subj', subject, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)];
    return exec('openssl', [...fixed, ...out, ...more]);
  };
  try {
    await make('/CN=interop authority', 'ca', []);
    const name = `subjectAltName=DNS:s3.${s3Namespace}.svc`;
    const signed = [
      '-CA',
      at('ca.crt'),
      '-CAkey',
      at('ca.key'),
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ];
    await make('/CN=s3', 's3', [...signed, '-addext', name]);
    const [ca, cert, key] = await Promise.all(
      ['ca.crt', 's3.crt', 's3.key'].map((file) => readFile(at(file), 'utf8')),
    );
    return { ca: ca!, cert: cert!, key: key! };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
