/**
 * The chart with the real operator: installed for one namespace beside other installations, upgraded without a gap, and
 * removed without a trace, in the order that people get wrong: the operator first, its resources later.
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageValues } from '../../scripts/deploy';
import type { SparseFinetune } from '../../src/api/types';
import { ensureBinaries } from '../cluster/index';
import { exec } from '../cluster/exec';
import { apply, explainFailure, fashionMnist, forward, get, kubectl, list, required, until } from './cluster';

type Meta = { metadata: { name: string; uid: string; annotations?: Record<string, string> } };
type Deployment = Meta & {
  spec: { replicas: number };
  status: { readyReplicas?: number; updatedReplicas?: number; replicas?: number };
};
type Pod = Meta & {
  status: { conditions?: { type: string; status: string }[]; containerStatuses?: { restartCount: number }[] };
};
type Lease = Meta & { spec: { holderIdentity?: string } };

const release = 'chart-e2e';
const namespace = 'chart-e2e-system';
const watched = 'chart-e2e-work';
const fullname = 'chart-e2e-sparsedm-operator';
const chart = path.join(import.meta.dirname, '..', '..', 'charts', 'sparsedm-operator');
const crds = ['sparsefinetunes.sparsedm.io', 'sparseinferenceservices.sparsedm.io'];
const ofRelease = `app.kubernetes.io/instance=${release}`;
const everyKind = [
  'deployments,services,serviceaccounts,roles,rolebindings,leases,poddisruptionbudgets,networkpolicies,pods,secrets',
  'clusterroles,clusterrolebindings',
] as const;

/** The cluster that kubectl in these tests talks to. */
function helmAccess(): string[] {
  const command = JSON.parse(required('SPARSEDM_E2E_KUBECTL')) as string[];
  const context = command.indexOf('--context');
  if (context >= 0) return ['--kube-context', command[context + 1] ?? ''];
  return ['--kubeconfig', required('KUBECONFIG')];
}

async function helm(args: readonly string[]): Promise<string> {
  return exec((await ensureBinaries()).helm, [...args, ...helmAccess()]);
}

function images() {
  return {
    operator: required('SPARSEDM_OPERATOR_IMAGE'),
    trainer: required('SPARSEDM_TRAINER_IMAGE'),
    serving: required('SPARSEDM_SERVING_IMAGE'),
  };
}

let crdsWereThere = false;

function upgradeArgs(...extra: string[]): string[] {
  return [
    'upgrade',
    '--install',
    release,
    chart,
    '--namespace',
    namespace,
    ...imageValues(images()),
    '--set',
    `watchNamespaces={${watched}}`,
    '--set',
    `crds.install=${!crdsWereThere}`,
    '--wait',
    '--timeout',
    '120s',
    ...extra,
  ];
}

/** Our resource definitions in the cluster, from any release. */
async function presentCrds(): Promise<Meta[]> {
  return (await list<Meta>('default', 'customresourcedefinitions')).filter(({ metadata }) =>
    crds.includes(metadata.name),
  );
}

async function leftovers(): Promise<string> {
  const found = await Promise.all(
    everyKind.map((kinds) => kubectl(['get', kinds, '--all-namespaces', '-l', ofRelease, '-o', 'name'])),
  );
  return found.join('').trim();
}

async function removeAll(): Promise<void> {
  await helm([
    'uninstall',
    release,
    '--namespace',
    namespace,
    '--ignore-not-found',
    '--wait',
    '--timeout',
    '120s',
  ]);
  for (const name of [watched, namespace]) {
    await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=120s']);
  }
}

const leader = async () => (await get<Lease>(namespace, `lease/${fullname}`)).spec.holderIdentity ?? '';
// Those of the gateways have another name.
const operatorPods = () =>
  list<Pod>(namespace, 'pods', `${ofRelease},app.kubernetes.io/name=sparsedm-operator`);
const isReady = (pod: Pod) =>
  pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

/** Sum of a counter's samples whose labels contain `labels`, read from one pod. */
async function counter(pod: string, name: string, labels: string): Promise<number> {
  const text = await forward(namespace, `pod/${pod}`, 8080, async (url) =>
    (await fetch(`${url}/metrics`)).text(),
  );
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

const finetune = {
  apiVersion: 'sparsedm.io/v1alpha1',
  kind: 'SparseFinetune',
  metadata: { name: 'waiting' },
  spec: {
    model: {
      preset: 'fashion-mnist-uvit-tiny',
      pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
    },
    dataset: fashionMnist,
    output: { uri: 'pvc://none/waiting' },
    suspend: true,
  },
};

beforeAll(async () => {
  images();
  await removeAll();
  // Leftovers of an interrupted run of this test count as its own.
  const owner = 'meta.helm.sh/release-name';
  crdsWereThere = (await presentCrds()).some(({ metadata }) => metadata.annotations?.[owner] !== release);
  for (const name of [namespace, watched]) {
    await kubectl(['create', 'namespace', name]);
    await kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
  }
});

afterAll(async () => {
  await removeAll();
  if (!crdsWereThere) await kubectl(['delete', 'customresourcedefinitions', ...crds, '--ignore-not-found']);
});

describe('the chart', () => {
  it('installs an operator that is ready, leads, and handles the namespace it was given', async () => {
    explainFailure(watched);
    await helm(upgradeArgs());
    const [pod, ...more] = await operatorPods();
    expect(more).toEqual([]);
    expect(await leader()).toContain(pod!.metadata.name);

    await apply(watched, finetune);
    const seen = await until(
      () => get<SparseFinetune>(watched, 'sft/waiting'),
      ({ status }) => status?.phase === 'Suspended',
      'a suspended run',
      30_000,
    );
    expect(seen.status?.observedGeneration).toBe(1);
    const reconciled = await counter(
      pod!.metadata.name,
      'controller_runtime_reconcile_total',
      'result="success"',
    );
    expect(reconciled).toBeGreaterThan(0);
  });

  it('answers reports on its Service, and refuses one without a token', async () => {
    const status = await forward(namespace, `service/${fullname}`, 8082, async (url) => {
      const answer = await fetch(`${url}/v1/finetunes/${watched}/waiting/progress`, {
        method: 'POST',
        body: '{}',
      });
      return answer.status;
    });
    expect(status).toBe(401);
  });

  it('upgrades to two replicas, hands the lease over, and drops nothing', async () => {
    explainFailure(watched);
    const before = await leader();
    await helm(upgradeArgs('--set', 'replicas=2', '--set', 'log.level=debug'));
    const pods = await until(operatorPods, (found) => found.length === 2, 'the old pod gone', 60_000);
    expect(pods.filter(isReady)).toHaveLength(2);
    const after = await until(leader, (holder) => holder !== '' && holder !== before, 'a new leader', 30_000);
    expect(pods.some(({ metadata }) => after.includes(metadata.name))).toBe(true);
    expect(
      pods.flatMap(({ status }) => status.containerStatuses ?? []).map((one) => one.restartCount),
    ).toEqual([0, 0]);
    await kubectl(['-n', namespace, 'get', `poddisruptionbudget/${fullname}`]);
    expect((await get<SparseFinetune>(watched, 'sft/waiting')).status?.phase).toBe('Suspended');
  });

  it('lacks no right for what it does', async () => {
    const logs = await kubectl(['-n', namespace, 'logs', '--prefix', '--tail=-1', '-l', ofRelease]);
    expect(logs).not.toBe('');
    expect(logs.split('\n').filter((line) => /forbidden|\b403\b/i.test(line))).toEqual([]);
  });

  it('goes back to the revision before', async () => {
    await helm(['rollback', release, '1', '--namespace', namespace, '--wait', '--timeout', '120s']);
    expect((await get<Deployment>(namespace, `deployment/${fullname}`)).spec.replicas).toBe(1);
  });

  it('leaves nothing behind when it is uninstalled before its resources', async () => {
    await helm(['uninstall', release, '--namespace', namespace, '--wait', '--timeout', '120s']);
    expect((await presentCrds()).map(({ metadata }) => metadata.name).sort()).toEqual(crds);
    await get(watched, 'sft/waiting');
    await kubectl(['delete', 'namespace', watched, '--timeout=60s']);
    // The Lease is not Helm's: the operator made it, so it goes with the namespace.
    await kubectl(['delete', 'namespace', namespace, '--timeout=60s']);
    await until(leftovers, (names) => names === '', 'nothing left of the release', 30_000);
  });
});
