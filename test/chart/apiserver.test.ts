/** The chart against a real API server: it accepts every rendered object, and releases install, upgrade and uninstall. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { SparseFinetune } from '../../src/api/types';
import { buildJob } from '../../src/finetune/job';
import type { PodDefaults } from '../../src/workload/pod';
import { exec } from '../cluster/exec';
import { ensureBinaries, startControlPlane, type ControlPlane } from '../cluster/index';
import { cases } from './cases';
import { chart, deploymentSpec, helm, operatorContainer, render, type Values, whenEstablished } from './helm';

let plane: ControlPlane;

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { k8s } = await ensureBinaries();
  const command = ['kubectl', '--kubeconfig', plane.kubeconfig, ...args];
  return exec(k8s, command, input === undefined ? {} : { input });
}

function helmHere(args: readonly string[]): Promise<string> {
  return helm([...args, '--kubeconfig', plane.kubeconfig]);
}

async function makeNamespace(name: string): Promise<void> {
  await kubectl(['create', 'namespace', name]);
  await kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
}

beforeAll(async () => {
  // The controller manager aggregates roles.
  plane = await startControlPlane({ controllerManager: true });
  for (const name of ['sparsedm-system', 'team-a', 'team-b', 'first', 'second']) await makeNamespace(name);
});

afterAll(async () => {
  await plane.stop();
});

describe('the API server', () => {
  it.each(cases)('accepts every object, installed with $name', async ({ values, options }) => {
    // The Prometheus operator's kinds are not installed here.
    const manifests = (await render(values, options)).filter(({ kind }) => kind !== 'ServiceMonitor');
    const items = { apiVersion: 'v1', kind: 'List', items: manifests };
    const output = await kubectl(
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--filename', '-'],
      JSON.stringify(items),
    );
    expect(output.trim().split('\n')).toHaveLength(manifests.length);
  });
});

/** Names that a release may have and a Service may not, or that YAML reads as something else. */
const oddNames = ['v1.2', '7b', '1.2', '1e3', 'null', `${'a'.repeat(50)}.bc`, 'x'.repeat(53)];

describe('a release whose name is odd', () => {
  it.each(oddNames)('%s installs', async (release) => {
    const manifests = await render({ replicas: 2, networkPolicy: { enabled: true } }, { release });
    const items = { apiVersion: 'v1', kind: 'List', items: manifests };
    await kubectl(
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '--filename', '-'],
      JSON.stringify(items),
    );
  });
});

const crdNames = ['sparsefinetunes.sparsedm.io', 'sparseinferenceservices.sparsedm.io'];

/** The text without the first property of this name and everything indented under it. */
function withoutProperty(text: string, name: string): string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.trim() === `${name}:`);
  if (start < 0) throw new Error(`no property ${name}`);
  const depth = (line: string) => line.length - line.trimStart().length;
  const rest = lines.slice(start + 1);
  const length = rest.findIndex((line) => line.trim() !== '' && depth(line) <= depth(lines[start] ?? ''));
  return [...lines.slice(0, start), ...rest.slice(length)].join('\n');
}

/** A chart as an earlier version would have been, whose SparseFinetune lacks ttlSecondsAfterFinished. */
function earlierChart(folder: string): string {
  const copy = path.join(folder, 'sparsedm-operator');
  cpSync(chart, copy, { recursive: true });
  const edit = (name: string, change: (text: string) => string) => {
    const file = path.join(copy, name);
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  };
  edit('templates/crd-sparsefinetunes.yaml', (text) => withoutProperty(text, 'ttlSecondsAfterFinished'));
  edit('Chart.yaml', (text) => text.replace('version: 0.1.0', 'version: 0.0.9'));
  return copy;
}

/** A chart of before `workloads` was a value, with nothing but an account. */
function olderChart(folder: string): string {
  const copy = path.join(folder, 'older', 'sparsedm-operator');
  for (const name of ['Chart.yaml', 'templates/_helpers.tpl', 'templates/serviceaccount.yaml']) {
    cpSync(path.join(chart, name), path.join(copy, name));
  }
  const { workloads, ...values } = parse(readFileSync(path.join(chart, 'values.yaml'), 'utf8')) as Values;
  expect(workloads).toBeDefined();
  writeFileSync(path.join(copy, 'values.yaml'), stringify(values));
  return copy;
}

const finetune = {
  apiVersion: 'sparsedm.io/v1alpha1',
  kind: 'SparseFinetune',
  metadata: { name: 'kept' },
  spec: {
    model: {
      preset: 'fashion-mnist-uvit-tiny',
      pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
    },
    dataset: { format: 'fashion-mnist', uri: 'file:///opt/sparsedm/data/fashion-mnist' },
    output: { uri: 'pvc://models/kept' },
  },
};

const setTtl = [
  '-n',
  'first',
  'patch',
  'sft/kept',
  '--type=merge',
  '-p',
  '{"spec":{"ttlSecondsAfterFinished":60}}',
];
const readTtl = ['-n', 'first', 'get', 'sft/kept', '-o', 'jsonpath={.spec.ttlSecondsAfterFinished}'];
const crdsPresent = () => kubectl(['get', 'crd', '-o', 'name', '--ignore-not-found', ...crdNames]);

describe('a release', () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'sparsedm-chart-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('of an earlier version installs its resource definitions', async () => {
    await helmHere(['install', 'first', earlierChart(scratch), '--namespace', 'first']);
    await whenEstablished(kubectl, crdNames);
    await kubectl(['-n', 'first', 'apply', '--filename', '-'], JSON.stringify(finetune));
    await kubectl(setTtl);
    expect(await kubectl(readTtl)).toBe('');
  });

  it('upgrades them together with the operator, and keeps the resources', async () => {
    await helmHere(['upgrade', 'first', chart, '--namespace', 'first']);
    const read = async () => {
      await kubectl(setTtl);
      return kubectl(readTtl);
    };
    await expect.poll(read, { timeout: 30_000, interval: 500 }).toBe('60');
  });

  it('runs a pod that the restricted security standard admits', async () => {
    const { metadata, spec } = deploymentSpec(
      await render({}, { release: 'first', namespace: 'first' }),
    ).template;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'operator' }, spec };
    await kubectl(['-n', 'first', 'create', '--dry-run=server', '--filename', '-'], JSON.stringify(pod));
    const [container] = spec.containers;
    const privileged = { ...spec, containers: [{ ...container, securityContext: {} }] };
    await expect(
      kubectl(
        ['-n', 'first', 'create', '--dry-run=server', '--filename', '-'],
        JSON.stringify({ ...pod, spec: privileged }),
      ),
    ).rejects.toThrow('violates PodSecurity "restricted');
  });

  it.each([
    ['as user 10001', {}, 10001],
    ['on OpenShift, as no user in particular', { apiVersions: ['security.openshift.io/v1'] }, undefined],
  ])('has training pods that the standard admits too, %s', async (_, options, wantUser) => {
    const flag = '--pod-security-context=';
    const args = operatorContainer(await render({}, options)).args;
    const securityContext = JSON.parse(
      args.find((arg) => arg.startsWith(flag))!.slice(flag.length),
    ) as PodDefaults['securityContext'];
    expect(securityContext.runAsUser).toBe(wantUser);
    const stored = JSON.parse(
      await kubectl(['-n', 'first', 'get', 'sft/kept', '-o', 'json']),
    ) as SparseFinetune;
    const { spec } = buildJob(stored, {
      image: 'trainer:1',
      reportsUrl: 'http://operator.system.svc:8082',
      podDefaults: { imagePullSecrets: ['registry'], securityContext },
    }).spec!.template;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'trainer' }, spec };
    await kubectl(['-n', 'first', 'create', '--dry-run=server', '--filename', '-'], JSON.stringify(pod));
  });

  it.each([
    ['watch', 'sparsefinetunes.sparsedm.io', 'team-a', 'yes'],
    ['patch', 'sparsefinetunes.sparsedm.io/status', 'team-a', 'yes'],
    ['update', 'sparseinferenceservices.sparsedm.io/finalizers', 'team-a', 'yes'],
    ['create', 'jobs.batch', 'team-a', 'yes'],
    ['patch', 'deployments.apps', 'team-b', 'yes'],
    ['get', 'replicasets.apps', 'team-b', 'yes'],
    ['list', 'replicasets.apps', 'team-b', 'no'],
    ['watch', 'pods', 'team-b', 'yes'],
    ['create', 'events.events.k8s.io', 'team-b', 'yes'],
    ['create', 'tokenreviews.authentication.k8s.io', 'default', 'yes'],
    ['update', 'leases.coordination.k8s.io/first-sparsedm-operator', 'first', 'yes'],
    ['watch', 'leases.coordination.k8s.io/first-sparsedm-operator', 'first', 'yes'],
    ['update', 'leases.coordination.k8s.io/another', 'first', 'no'],
    ['get', 'leases.coordination.k8s.io/first-sparsedm-operator', 'team-a', 'no'],
    ['update', 'sparsefinetunes.sparsedm.io', 'team-a', 'no'],
    ['get', 'secrets', 'first', 'no'],
    ['list', 'configmaps', 'team-a', 'no'],
    ['create', 'pods', 'team-a', 'no'],
    ['create', 'pods/exec', 'team-a', 'no'],
    ['create', 'serviceaccounts/token', 'first', 'no'],
    ['create', 'clusterrolebindings.rbac.authorization.k8s.io', 'default', 'no'],
    ['list', 'nodes', 'default', 'yes'],
    ['get', 'nodes', 'default', 'no'],
    ['watch', 'nodes', 'default', 'no'],
    ['list', 'events', 'team-a', 'yes'],
    ['delete', 'jobs.batch', 'team-a', 'yes'],
    ['delete', 'deployments.apps', 'team-a', 'yes'],
    ['delete', 'pods', 'team-a', 'no'],
  ])('may its operator %s %s in %s: %s', async (verb, target, namespace, want) => {
    const account = '--as=system:serviceaccount:first:first-sparsedm-operator';
    const [resource = '', second] = target.split('/');
    const isName = resource.startsWith('leases');
    const what =
      second && !isName ? [resource, '--subresource', second] : [second ? `${resource}/${second}` : resource];
    const answer = await kubectl(['auth', 'can-i', verb, ...what, '-n', namespace, account]).catch(
      () => 'no',
    );
    expect(answer.trim().split('\n').at(-1)).toBe(want);
  });

  it.each([
    ['edit', 'create', 'sparsefinetunes.sparsedm.io', 'yes'],
    ['edit', 'delete', 'sparseinferenceservices.sparsedm.io', 'yes'],
    ['edit', 'patch', 'sparsefinetunes.sparsedm.io/status', 'no'],
    ['view', 'watch', 'sparsefinetunes.sparsedm.io', 'yes'],
    ['view', 'create', 'sparsefinetunes.sparsedm.io', 'no'],
  ])('lets a user with the role %s %s %s: %s', async (role, verb, target, want) => {
    await kubectl([
      '-n',
      'team-a',
      'create',
      'rolebinding',
      role,
      `--clusterrole=${role}`,
      `--user=${role}or`,
    ]).catch((error: Error) => expect(error.message).toContain('already exists'));
    const [resource = '', subresource] = target.split('/');
    const what = subresource ? [resource, '--subresource', subresource] : [resource];
    const ask = () =>
      kubectl(['auth', 'can-i', verb, ...what, '-n', 'team-a', `--as=${role}or`]).then(
        (answer) => answer.trim(),
        () => 'no',
      );
    await expect.poll(ask, { timeout: 15_000, interval: 500 }).toBe(want);
  });

  it('whose Deployment was scaled by hand upgrades with its own number, or when told to force it', async () => {
    const upgrade = ['upgrade', 'first', chart, '--namespace', 'first'];
    const deployment = 'deployment/first-sparsedm-operator';
    const replicas = () =>
      kubectl(['-n', 'first', 'get', deployment, '-o', 'jsonpath={.spec.replicas}']).then(Number);
    await kubectl(['-n', 'first', 'scale', deployment, '--replicas=2']);
    await expect(helmHere(upgrade)).rejects.toThrow(/conflict with "kubectl".*\.spec\.replicas/s);
    await helmHere([...upgrade, '--set', 'replicas=2']);
    expect(await replicas()).toBe(2);
    await kubectl(['-n', 'first', 'scale', deployment, '--replicas=3']);
    await helmHere([...upgrade, '--force-conflicts']);
    // An upgrade that is given no values keeps those of the release.
    expect(await replicas()).toBe(2);
    await helmHere(upgrade);
  });

  it('that a chart without newer values installed is told how to keep its own', async () => {
    const older = olderChart(scratch);
    await helmHere(['install', 'older', older, '--namespace', 'second', '--set', 'log.level=debug']);
    const upgrade = ['upgrade', 'older', chart, '--namespace', 'second', '--set', 'crds.install=false'];
    await expect(helmHere([...upgrade, '--reuse-values'])).rejects.toThrow('--reset-then-reuse-values');
    await helmHere([...upgrade, '--reset-then-reuse-values']);
    const args = await kubectl(['-n', 'second', 'get', 'deployment/older-sparsedm-operator', '-o', 'yaml']);
    expect(args).toContain('--log-level=debug');
    await helmHere(['uninstall', 'older', '--namespace', 'second']);
  });

  it('is not robbed of its definitions by another one, which may go without', async () => {
    const install = ['install', 'second', chart, '--namespace', 'second'];
    await expect(helmHere(install)).rejects.toThrow(/invalid ownership metadata/);
    await helmHere([...install, '--set', 'crds.install=false']);
    await helmHere(['uninstall', 'second', '--namespace', 'second']);
    expect((await crdsPresent()).trim().split('\n')).toHaveLength(2);
  });

  it('leaves definitions and resources when it is uninstalled, and nothing else', async () => {
    await helmHere(['uninstall', 'first', '--namespace', 'first']);
    expect((await crdsPresent()).trim().split('\n')).toHaveLength(2);
    expect(await kubectl(readTtl)).toBe('60');
    const kinds = 'deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings';
    const left = await kubectl(['get', kinds, '-A', '-l', 'app.kubernetes.io/instance=first', '-o', 'name']);
    expect(left).toBe('');
  });

  it('takes over what an earlier one left, under its name or, when asked to, under another', async () => {
    await helmHere(['install', 'first', chart, '--namespace', 'first']);
    await helmHere(['uninstall', 'first', '--namespace', 'first']);
    await helmHere(['install', 'second', chart, '--namespace', 'second', '--take-ownership']);
    expect(await kubectl(readTtl)).toBe('60');
  });

  it('removes the definitions, and with them every resource, only when told not to keep them', async () => {
    await helmHere(['upgrade', 'second', chart, '--namespace', 'second', '--set', 'crds.keep=false']);
    // As an operator would have read them. The API server opens a kind's storage at the first request for it. When that
    // request is its own, part of the removal, it may answer itself 'storage is (re)initializing'; it then takes the
    // conflict of its second try for success, and the definition stays until its informer's next resync.
    await kubectl(['get', 'sft,sis', '--all-namespaces']);
    await helmHere(['uninstall', 'second', '--namespace', 'second']);
    await expect.poll(crdsPresent, { timeout: 30_000, interval: 500 }).toBe('');
  });

  it('takes over definitions that kubectl applied, and upgrades them', async () => {
    const file = path.join(scratch, 'sparsefinetunes.yaml');
    const text = readFileSync(
      path.join(chart, '..', '..', 'crds', 'sparsedm.io_sparsefinetunes.yaml'),
      'utf8',
    );
    writeFileSync(file, text.replace('description: Phase of the run.', 'description: Earlier words.'));
    await kubectl(['apply', '--server-side', '--filename', file]);
    const install = ['install', 'third', chart, '--namespace', 'second'];
    await expect(helmHere(install)).rejects.toThrow(/invalid ownership metadata/);
    await expect(helmHere([...install, '--take-ownership'])).rejects.toThrow(/conflict with "kubectl"/);
    const upgrade = ['upgrade', '--install', ...install.slice(1), '--take-ownership', '--force-conflicts'];
    await helmHere(upgrade);
    expect(await kubectl(['get', 'crd', crdNames[0]!, '-o', 'yaml'])).toContain('Phase of the run.');
    await helmHere(['uninstall', 'third', '--namespace', 'second']);
  });
});
