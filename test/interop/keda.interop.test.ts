/** The real KEDA scales services by the ScaledObjects that the operator wrote; Prometheus scrapes operator, gateways and servers. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { findCondition } from '../../src/kube/conditions';
import { exec } from '../cluster/exec';
import {
  apply,
  applyClaim,
  explainFailure,
  get,
  kubectl,
  list,
  operatorNamespace,
  until,
  useNamespace,
} from '../e2e/cluster';
import { askOnce, endTraffic, startTraffic } from '../e2e/traffic';
import { writeUntrainedModel } from '../e2e/untrained';

const namespace = useNamespace('interop-keda');

beforeAll(async () => {
  await applyClaim(namespace);
  await writeUntrainedModel(namespace);
});

type Addressed = { status: { podIP: string } };

const read = (name: string) => get<SparseInferenceService>(namespace, `sis/${name}`);
const podsOf = (name: string) => list<object>(namespace, 'pods', `sparsedm.io/service=${name}`);
const reasonOf = ({ status }: SparseInferenceService, type: string) =>
  findCondition(status?.conditions, type)?.reason;

function serve(name: string, scaling: object): Promise<string> {
  return apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name },
    spec: {
      model: { uri: 'pvc://models/bags' },
      engine: { steps: 100, maxBatchSize: 2 },
      scaling: {
        engine: 'keda',
        maxReplicas: 3,
        target: { concurrency: 3 },
        scaleDownStabilizationSeconds: 5,
        ...scaling,
      },
    },
  });
}

it('KEDA goes from one pod to three and back by the load that the operator tells', async () => {
  explainFailure(namespace);
  await serve('bags', {});
  await kubectl(['-n', namespace, 'wait', 'sis/bags', '--for=condition=Ready', '--timeout=120s']);
  const bags = () => read('bags');
  const active = (one: SparseInferenceService) => findCondition(one.status?.conditions, 'ScalingActive');
  const ready = await until(bags, (one) => active(one)?.status === 'True', "KEDA's word that it works");
  expect(active(ready)).toMatchObject({ reason: 'ScaledByOther' });

  const host = `bags.${namespace}.svc`;
  const body = { prompt: 'a photo of a bag', seed: 1 };
  await startTraffic(namespace, host, body, { name: 'steady', count: 1, keep: false });
  await startTraffic(namespace, host, body, { name: 'rush', count: 8, pauseSeconds: 0, keep: false });
  const up = await until(bags, (one) => one.status?.readyReplicas === 3, 'three pods', 180_000);
  expect(up.spec.replicas).toBe(3);
  const rush = await endTraffic(namespace, 'rush');
  const down = await until(bags, (one) => one.spec.replicas === 1, "KEDA's wish for one pod", 240_000);
  expect(active(down)).toMatchObject({ status: 'True' });
  await until(
    () => podsOf('bags'),
    (left) => left.length === 1,
    'one pod',
  );
  const steady = await endTraffic(namespace, 'steady');
  expect([...rush.failures, ...steady.failures]).toEqual([]);
  console.log(`KEDA: 1 -> 3 -> 1, ${rush.answers + steady.answers} answers, no failure`);

  // KEDA owns the number: what kubectl scale writes holds until its next look.
  await kubectl(['-n', namespace, 'scale', 'sis/bags', '--replicas=3']);
  await until(bags, (one) => one.spec.replicas === 1, "KEDA's wish for one pod again", 240_000);
});

type OperatorEvent = { reason: string; message: string };

it('KEDA goes from no pod to three and back, and every request from the first on is answered', async () => {
  explainFailure(namespace);
  await serve('naps', { minReplicas: 0, idleSeconds: 10 });
  const naps = () => read('naps');
  const host = `naps.${namespace}.svc`;
  const asleep = async () => {
    const found = await until(naps, (one) => reasonOf(one, 'Ready') === 'Asleep', 'sleep', 180_000);
    // It is KEDA that has written the 0.
    expect(found.spec.replicas).toBe(0);
    await until(
      () => podsOf('naps'),
      (left) => left.length === 0,
      'the end of the last pod',
    );
  };
  await asleep();
  console.log(`KEDA: one request from zero: ${JSON.stringify(await askOnce(namespace, 'one', host))}`);
  await asleep();

  const body = { prompt: 'a photo of a bag', seed: 1 };
  await startTraffic(namespace, host, body, { name: 'many', count: 8, pauseSeconds: 0, keep: false });
  const up = await until(naps, (one) => one.status?.readyReplicas === 3, 'three pods', 180_000);
  expect(up.spec.replicas).toBe(3);
  expect(reasonOf(up, 'ScalingActive')).toBe('ScaledByOther');
  const many = await endTraffic(namespace, 'many');
  await asleep();
  expect(many.failures).toEqual([]);
  const { wakeSeconds } = (await naps()).status?.traffic ?? {};
  console.log(`KEDA: 0 -> 3 -> 0, ${many.answers} answers, no failure; the wake took ${wakeSeconds} s`);

  const args = [
    '-n',
    namespace,
    'get',
    'events',
    '-o',
    'json',
    '--field-selector',
    'involvedObject.name=naps',
  ];
  const { items } = JSON.parse(await kubectl(args)) as { items: OperatorEvent[] };
  const reasons = items.map(({ reason }) => reason);
  expect(reasons).toEqual(expect.arrayContaining(['Asleep', 'Waking', 'Awake']));
  expect(items.filter(({ reason }) => reason === 'ScalerFails')).toEqual([]);
});

/** What the pods of operator, gateway and servers show; pods are reached from the node. */
async function endpoints(): Promise<{ job: string; address: string }[]> {
  const at = async (job: string, within: string, selector: string) => {
    const found = await list<Addressed>(within, 'pods', selector);
    expect(found, job).not.toEqual([]);
    return found.map(({ status }) => ({ job, address: `${status.podIP}:8080` }));
  };
  const found = await Promise.all([
    at('operator', operatorNamespace(), 'app.kubernetes.io/name=sparsedm-operator'),
    at('gateway', operatorNamespace(), 'app.kubernetes.io/component=gateway'),
    at('server', namespace, 'sparsedm.io/service=bags'),
  ]);
  return found.flat();
}

it('promtool accepts the metrics of operator, gateways and servers', async () => {
  for (const { address } of await endpoints()) {
    const text = await (await fetch(`http://${address}/metrics`)).text();
    expect(text).toContain('# TYPE sparsedm_');
    await exec('promtool', ['check', 'metrics'], { input: text });
  }
});

it('Prometheus scrapes operator, gateways and servers', async () => {
  const scraped = await endpoints();
  const jobs = ['operator', 'gateway', 'server'];
  const scratch = await mkdtemp(path.join(tmpdir(), 'sparsedm-prometheus-'));
  const config = path.join(scratch, 'prometheus.yml');
  const scrape_configs = jobs.map((job) => ({
    job_name: job,
    scrape_interval: '2s',
    static_configs: [{ targets: scraped.filter((one) => one.job === job).map(({ address }) => address) }],
  }));
  await writeFile(config, JSON.stringify({ scrape_configs }));
  await exec('promtool', ['check', 'config', config]);
  const address = '127.0.0.1:29090';
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${scratch}/data`,
    `--web.listen-address=${address}`,
  ];
  const prometheus = spawn('prometheus', args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => prometheus.once('close', resolve));
  try {
    const ask = async (query: string) => {
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(query)}`;
      const answer = await fetch(url).then(
        (response) => response.json(),
        () => undefined,
      );
      return (answer as { data?: { result: { value: [number, string] }[] } } | undefined)?.data?.result ?? [];
    };
    const ups = await until(
      () => ask('up == 1'),
      (found) => found.length === scraped.length,
      'every target',
      60_000,
    );
    expect(ups).toHaveLength(scraped.length);
    expect(await ask('sum(avg_over_time(sparsedm_requests_in_flight{job="server"}[1m]))')).toHaveLength(1);
    const answered = await ask(
      'sum(sparsedm_gateway_requests_total{job="gateway",service="naps",code="200"})',
    );
    expect(Number(answered[0]?.value[1])).toBeGreaterThan(0);
  } finally {
    prometheus.kill();
    await ended;
    await rm(scratch, { recursive: true, force: true });
  }
});
