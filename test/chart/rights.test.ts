/**
 * The operator as a process, with exactly the rights and arguments that the chart gives it, against a real API server.
 * The audit log shows what it requested and what was refused.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { freePorts } from '../cluster/control-plane';
import { exec } from '../cluster/exec';
import { startControlPlane, type ControlPlane } from '../cluster/index';
import { waitFor } from '../cluster/wait';
import { chart, helm, operatorContainer, render, whenEstablished } from './helm';

const root = path.join(import.meta.dirname, '..', '..');
const system = 'sparsedm-system';
const work = 'work';
const account = `system:serviceaccount:${system}:sparsedm-operator`;
const values = { watchNamespaces: [work] };

let plane: ControlPlane;
let operator: ChildProcess;
let log = '';
let reports = '';
const scratch = mkdtempSync(path.join(tmpdir(), 'sparsedm-rights-'));

function kubectl(args: readonly string[], object?: object): Promise<string> {
  const command = ['kubectl', '--kubeconfig', plane.kubeconfig, ...args];
  return exec(plane.binaries.k8s, command, object ? { input: JSON.stringify(object) } : {});
}

async function read<T>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl([...args, '-o', 'json'])) as T;
}

/** A kubeconfig for the ServiceAccount of the chart, and for nothing else. */
async function operatorKubeconfig(): Promise<string> {
  const token = await kubectl(['-n', system, 'create', 'token', 'sparsedm-operator', '--duration=1h']);
  type Raw = { clusters: { name: string; cluster: object }[] };
  const { clusters } = await read<Raw>('config', 'view', '--raw', '--flatten');
  const file = path.join(scratch, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters,
    users: [{ name: 'operator', user: { token: token.trim() } }],
    contexts: [{ name: 'it', context: { cluster: clusters[0]?.name, user: 'operator' } }],
    'current-context': 'it',
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** Runs the arguments of the chart's container; only ports and the way to the API server differ. */
async function startOperator(): Promise<void> {
  const [metrics, health, reportsPort] = await freePorts(3);
  reports = `http://127.0.0.1:${reportsPort}`;
  const { args } = operatorContainer(await render(values));
  const ports = [`--metrics-port=${metrics}`, `--health-port=${health}`, `--reports-port=${reportsPort}`];
  const kubeconfig = await operatorKubeconfig();
  operator = spawn(
    process.execPath,
    ['--import', 'tsx', path.join(root, 'src', 'main.ts'), ...args, ...ports, '--kubeconfig', kubeconfig],
    { cwd: root, env: { ...process.env, POD_NAME: 'operator-0', POD_NAMESPACE: system }, stdio: 'pipe' },
  );
  operator.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  operator.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ready = () =>
    fetch(`http://127.0.0.1:${health}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitFor(ready, {
    what: 'the operator to be ready',
    timeoutMs: 60_000,
    abort: () => {
      if (operator.exitCode !== null) throw new Error(`the operator ended:\n${log}`);
    },
  });
}

beforeAll(async () => {
  plane = await startControlPlane({ controllerManager: true });
  for (const name of [system, work]) await kubectl(['create', 'namespace', name]);
  await helm(
    ['install', 'sparsedm', chart, '-n', system, '--kubeconfig', plane.kubeconfig, '--values', '-'],
    JSON.stringify(values),
  );
  // Its pods would wait for a node for ever; this test runs the operator itself.
  await kubectl(['-n', system, 'scale', 'deployment/sparsedm-operator', '--replicas=0']);
  await whenEstablished(kubectl);
  await startOperator();
});

afterAll(async () => {
  if (operator?.exitCode === null) {
    const ended = new Promise((resolve) => operator.once('exit', resolve));
    operator.kill('SIGTERM');
    await ended;
  }
  await plane?.stop();
  rmSync(scratch, { recursive: true, force: true });
});

function finetune(name: string, extra: object = {}) {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name },
    spec: {
      model: {
        preset: 'fashion-mnist-uvit-tiny',
        pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
      },
      dataset: { format: 'fashion-mnist', uri: 'file:///opt/sparsedm/data/fashion-mnist' },
      output: { uri: `pvc://models/${name}` },
      ...extra,
    },
  };
}

const service = {
  apiVersion: 'sparsedm.io/v1alpha1',
  kind: 'SparseInferenceService',
  metadata: { name: 'served' },
  spec: { model: { uri: 'pvc://models/served' } },
};

type Status = { status?: { conditions?: { type: string; reason: string }[]; progress?: { step?: number } } };

const reasonOf = (name: string, type: string) => async () => {
  const { status } = await read<Status>('-n', work, 'get', name);
  return status?.conditions?.find((each) => each.type === type)?.reason;
};

const firstPod = (selector: string) => async () =>
  (
    await kubectl(['-n', work, 'get', 'pods', '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}'])
  ).split(' ')[0];

const patient = { timeout: 30_000, interval: 250 };

function explain(): void {
  onTestFailed(() => console.error(log.split('\n').slice(-40).join('\n')));
}

/** Reports as the given pod does: with a token of its own for the operator alone. */
async function report(pod: string, url: string, body: object): Promise<number> {
  const bound = ['--bound-object-kind=Pod', `--bound-object-name=${pod}`, '--audience=sparsedm.io'];
  const token = await kubectl(['-n', work, 'create', 'token', 'default', ...bound]);
  const answer = await fetch(`${reports}${url}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token.trim()}` },
    body: JSON.stringify(body),
  });
  return answer.status;
}

async function podOf(selector: string): Promise<string> {
  await expect.poll(firstPod(selector), patient).toBeTruthy();
  return (await firstPod(selector)()) ?? '';
}

describe('with the rights of the chart, the operator', () => {
  it('makes a Job, and takes a report of its pod', async () => {
    explain();
    await kubectl(['-n', work, 'apply', '-f', '-'], finetune('run'));
    const pod = await podOf('sparsedm.io/finetune=run');
    expect(await report(pod, `/v1/finetunes/${work}/run/progress`, { progress: { step: 7 } })).toBe(204);
    const step = async () => (await read<Status>('-n', work, 'get', 'sft/run')).status?.progress?.step;
    await expect.poll(step, patient).toBe(7);
  });

  it('makes a Deployment and a Service, and takes a report of its pod', async () => {
    explain();
    await kubectl(['-n', work, 'apply', '-f', '-'], service);
    const pod = await podOf('sparsedm.io/service=served');
    expect(await report(pod, `/v1/services/${work}/served/engine`, { engine: { backend: 'dense' } })).toBe(
      204,
    );
    await kubectl(['-n', work, 'get', 'service/served']);
  });

  it('follows changes of both', async () => {
    explain();
    await kubectl(['-n', work, 'scale', 'sis/served', '--replicas=2']);
    const replicas = () =>
      kubectl(['-n', work, 'get', 'deployment/served-server', '-o', 'jsonpath={.spec.replicas}']);
    await expect.poll(replicas, patient).toBe('2');
    await kubectl(['-n', work, 'patch', 'sft/run', '--type=merge', '-p', '{"spec":{"suspend":true}}']);
    const suspended = () => kubectl(['-n', work, 'get', 'job/run-train', '-o', 'jsonpath={.spec.suspend}']);
    await expect.poll(suspended, patient).toBe('true');
  });

  it('says why a quota refuses a pod', async () => {
    explain();
    await kubectl(['-n', work, 'create', 'quota', 'none', '--hard=pods=0']);
    await kubectl(['-n', work, 'apply', '-f', '-'], finetune('refused'));
    await expect.poll(reasonOf('sft/refused', 'JobReady'), patient).toBe('PodsRefused');
  });

  it('deletes a run when its time to live is over', async () => {
    explain();
    await kubectl(['-n', work, 'apply', '-f', '-'], finetune('brief', { ttlSecondsAfterFinished: 0 }));
    const job = () => kubectl(['-n', work, 'get', 'job/brief-train', '--ignore-not-found', '-o', 'name']);
    await expect.poll(job, patient).not.toBe('');
    // No kubelet runs here to end a pod, but a deadline ends the Job.
    const deadline = '{"spec":{"activeDeadlineSeconds":1}}';
    await kubectl(['-n', work, 'patch', 'sft/brief', '--type=merge', '-p', deadline]);
    const left = () => kubectl(['-n', work, 'get', 'sft/brief', '--ignore-not-found', '-o', 'name']);
    await expect.poll(left, { ...patient, timeout: 60_000 }).toBe('');
  });

  it('starts the runs of a study', async () => {
    explain();
    await kubectl(['-n', work, 'apply', '-f', '-'], {
      apiVersion: 'sparsedm.io/v1alpha1',
      kind: 'SparseStudy',
      metadata: { name: 'grid' },
      spec: {
        finetuneRef: { name: 'refused' },
        grid: { seeds: [1] },
        output: { uri: 'pvc://models/grid' },
      },
    });
    await expect.poll(reasonOf('sft/grid-1', 'JobReady'), patient).toBe('PodsRefused');
    await kubectl(['-n', work, 'patch', 'sst/grid', '--type=merge', '-p', '{"spec":{"suspend":true}}']);
    const suspended = () => kubectl(['-n', work, 'get', 'sft/grid-1', '-o', 'jsonpath={.spec.suspend}']);
    await expect.poll(suspended, patient).toBe('true');
  });

  it('stops well, and was refused nothing', async () => {
    explain();
    const ended = new Promise<number | null>((resolve) => operator.once('exit', resolve));
    operator.kill('SIGTERM');
    expect(await ended).toBe(0);
    const asked = auditedRequests();
    expect(asked.filter(({ code }) => code === 403).map(describeRequest)).toEqual([]);
    const used = new Set(asked.map(describeRequest));
    for (const want of wantUsed) expect(used).toContain(want);
  });
});

/** What the steps above must make the operator do; without this check, the test would prove less than it seems to. */
const wantUsed = [
  'watch sparsefinetunes',
  'watch sparseinferenceservices',
  'watch jobs',
  'watch deployments',
  'watch services',
  'watch pods',
  'create jobs',
  'patch jobs',
  'patch deployments',
  'create services',
  'patch sparsefinetunes/status',
  'patch sparseinferenceservices/status',
  'delete sparsefinetunes',
  'watch sparsestudies',
  'create sparsefinetunes',
  'patch sparsefinetunes',
  'patch sparsestudies/status',
  'get replicasets',
  'list events',
  'create events',
  'create tokenreviews',
  'create leases',
  'update leases',
];

type Audited = {
  verb: string;
  user: { username: string };
  objectRef?: { resource: string; subresource?: string } | undefined;
  responseStatus?: { code: number };
};

function auditedRequests() {
  return readFileSync(plane.auditLog, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Audited)
    .filter(({ user }) => user.username === account)
    .map(({ verb, objectRef, responseStatus }) => ({ verb, objectRef, code: responseStatus?.code }));
}

function describeRequest({ verb, objectRef }: Pick<Audited, 'verb' | 'objectRef'>): string {
  const { resource = '', subresource } = objectRef ?? {};
  return `${verb} ${resource}${subresource ? `/${subresource}` : ''}`;
}
