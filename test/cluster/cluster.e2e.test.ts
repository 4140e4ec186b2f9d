/**
 * What the embedded cluster promises to its users, checked with real pods. Their image holds nothing but the Kubernetes
 * program, which is enough for a test: etcd is an HTTP server with state, kubectl a client.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exec } from './exec';
import { request } from './http';
import { scratchImage } from './images';
import { clusterIsUp, clusterUp, ensureBinaries, kubeconfigPath, loadedSource, loadImage } from './index';
import { waitFor } from './wait';

const embedded = !process.env['KUBECONFIG'] || process.env['KUBECONFIG'] === kubeconfigPath();
const image = 'sparsedm.io/kubernetes:e2e';
const namespace = 'cluster-e2e';

let k8s = '';

function kubectl(args: readonly string[], input?: string): Promise<string> {
  const options = { env: { KUBECONFIG: kubeconfigPath() }, ...(input === undefined ? {} : { input }) };
  return exec(k8s, ['kubectl', '--namespace', namespace, ...args], options);
}

const restrictedPod = { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } };
const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

function container(args: readonly string[], extra: Record<string, unknown> = {}) {
  return {
    name: 'main',
    image,
    imagePullPolicy: 'IfNotPresent',
    args,
    securityContext: restricted,
    ...extra,
  };
}

const claim = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: 'data' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
};

const server = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'server', labels: { app: 'server' } },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    securityContext: restrictedPod,
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
    containers: [
      container(
        [
          'etcd',
          '--data-dir=/data/etcd',
          '--listen-client-urls=http://0.0.0.0:2379',
          '--advertise-client-urls=http://server:2379',
        ],
        {
          ports: [{ containerPort: 2379 }],
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
          readinessProbe: { httpGet: { path: '/readyz', port: 2379 }, periodSeconds: 1 },
        },
      ),
    ],
  },
};

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'server' },
  spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: 2379 }] },
};

function job(name: string, args: readonly string[], extra: Record<string, unknown> = {}) {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      backoffLimit: 2,
      template: {
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          securityContext: restrictedPod,
          containers: [container(args, extra)],
        },
      },
    },
  };
}

/** A Job that asks a URL from inside the cluster and prints the answer. */
function client(name: string, url: string) {
  const { origin, pathname } = new URL(url);
  return job(name, ['kubectl', 'get', '--raw', pathname, '--server', origin]);
}

async function apply(...objects: object[]): Promise<void> {
  await kubectl(['apply', '-f', '-'], objects.map((object) => stringify(object)).join('---\n'));
}

async function outputOf(name: string): Promise<string> {
  await kubectl(['wait', `job/${name}`, '--for=condition=Complete', '--timeout=60s']);
  return kubectl(['logs', `job/${name}`]);
}

async function loadTestImage(): Promise<void> {
  // The folder's name is a hash of the program's sources.
  const source = path.basename(path.dirname(k8s));
  if ((await loadedSource(image)) === source) return;
  const content = await readFile(k8s);
  const archive = scratchImage(image, [{ name: 'k8s', content }], { entrypoint: ['/k8s'] });
  await loadImage(image, Readable.from([archive]), source);
}

describe.skipIf(!embedded)('the embedded cluster', () => {
  beforeAll(async () => {
    k8s = (await ensureBinaries()).k8s;
    if (!(await clusterIsUp())) await clusterUp();
    await loadTestImage();
    await kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=60s']);
    await kubectl(['create', 'namespace', namespace]);
    await kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
    await waitFor(
      () =>
        kubectl(['get', 'serviceaccount', 'default']).then(
          () => true,
          () => false,
        ),
      { what: 'the service account', timeoutMs: 30_000 },
    );
    await apply(claim, server, service);
    await kubectl(['wait', 'pod/server', '--for=condition=Ready', '--timeout=90s']);
  }, 180_000);

  afterAll(async () => {
    if (k8s) await kubectl(['delete', 'namespace', namespace, '--timeout=60s']);
  }, 90_000);

  it('runs the version it says', async () => {
    const { serverVersion, clientVersion } = JSON.parse(await kubectl(['version', '-o', 'json'])) as Record<
      string,
      { gitVersion: string }
    >;
    expect([serverVersion?.gitVersion, clientVersion?.gitVersion]).toEqual(['v1.36.3', 'v1.36.3']);
  });

  it('lets a restricted pod write to a claim of the default storage class', async () => {
    const volume = await kubectl([
      'get',
      'pvc',
      'data',
      '-o',
      'jsonpath={.spec.storageClassName} {.status.phase}',
    ]);
    expect(volume).toBe('standard Bound');
  });

  it('leads the machine itself to a service', async () => {
    const address = await kubectl(['get', 'service', 'server', '-o', 'jsonpath={.spec.clusterIP}']);
    // kube-proxy writes the rules a moment after the pod is ready; until then a connection is refused.
    const answer = await waitFor(() => request(`http://${address}/health`).catch(() => undefined), {
      what: 'the rules of the service',
      timeoutMs: 30_000,
    });
    expect(answer.body).toContain('"health":"true"');
  });

  it('leads a pod to a service by its short and its full name', async () => {
    const { short, full } = {
      short: client('short', 'http://server/health'),
      full: client('full', `http://server.${namespace}.svc.cluster.local/health`),
    };
    await apply(short, full);
    expect(await Promise.all([outputOf('short'), outputOf('full')])).toEqual([
      expect.stringContaining('"health":"true"'),
      expect.stringContaining('"health":"true"'),
    ]);
  });

  it('runs a command in a container', async () => {
    const output = await kubectl(['exec', 'server', '--', '/k8s', 'kubectl', 'version', '--client']);
    expect(output).toContain('v1.36.3');
  });

  it('shows logs', async () => {
    expect(await kubectl(['logs', 'server'])).toContain('ready to serve client requests');
  });

  it('forwards a port', async () => {
    const forward: ChildProcess = spawn(
      k8s,
      ['kubectl', '--namespace', namespace, 'port-forward', 'service/server', ':80'],
      { env: { ...process.env, KUBECONFIG: kubeconfigPath() }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      let output = '';
      forward.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const port = await waitFor(() => /127\.0\.0\.1:(\d+)/.exec(output)?.[1], {
        what: 'the forwarded port',
        timeoutMs: 20_000,
      });
      expect((await request(`http://127.0.0.1:${port}/health`)).body).toContain('"health":"true"');
    } finally {
      forward.kill();
    }
  });

  it('counts fake GPUs: a pod that asks for one runs, a pod that asks for too many waits', async () => {
    await clusterUp({ gpus: 4 });
    const gpus = (count: number) => ({ resources: { limits: { 'nvidia.com/gpu': count } } });
    const version = ['kubectl', 'version', '--client'];
    await apply(job('one-gpu', version, gpus(1)), job('five-gpus', version, gpus(5)));
    expect(await outputOf('one-gpu')).toContain('v1.36.3');
    const pods = await kubectl([
      'get',
      'pods',
      '--selector=job-name=five-gpus',
      '-o',
      'jsonpath={.items[*].status.conditions[?(@.type=="PodScheduled")].message}',
    ]);
    expect(pods).toContain('Insufficient nvidia.com/gpu');
  });

  it('refuses a pod that is not restricted', async () => {
    const root = { ...server, metadata: { name: 'root' }, spec: { containers: [{ name: 'main', image }] } };
    await expect(apply(root)).rejects.toThrow('violates PodSecurity "restricted');
  });

  it('writes down who called the API and with which program, without bodies', async () => {
    const { auditLog } = await clusterUp();
    type Entry = {
      verb: string;
      userAgent?: string;
      level: string;
      objectRef?: { resource: string; namespace?: string };
    };
    const entries = (await readFile(auditLog, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Entry);
    const ours = entries.filter(({ objectRef }) => objectRef?.namespace === namespace);
    expect(ours.some(({ verb, objectRef }) => verb === 'patch' || objectRef?.resource === 'services')).toBe(
      true,
    );
    expect(ours.every(({ userAgent }) => userAgent !== undefined)).toBe(true);
    expect(new Set(ours.map(({ level }) => level))).toEqual(new Set(['Metadata']));
  });
});
