/** The real KEDA scales a service by the ScaledObject that the operator wrote; Prometheus scrapes operator and pods. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
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
import { endTraffic, startTraffic } from '../e2e/traffic';
import { writeUntrainedModel } from '../e2e/untrained';

const namespace = useNamespace('interop-keda');
type Addressed = { status: { podIP: string } };

it('KEDA goes from one pod to three and back by the load that the operator tells', async () => {
  explainFailure(namespace);
  await applyClaim(namespace);
  await writeUntrainedModel(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'bags' },
    spec: {
      model: { uri: 'pvc://models/bags' },
      engine: { steps: 100, maxBatchSize: 2 },
      scaling: {
        engine: 'keda',
        maxReplicas: 3,
        target: { concurrency: 3 },
        scaleDownStabilizationSeconds: 5,
      },
    },
  });
  await kubectl(['-n', namespace, 'wait', 'sis/bags', '--for=condition=Ready', '--timeout=120s']);
  const read = () => get<SparseInferenceService>(namespace, 'sis/bags');
  const active = (one: SparseInferenceService) => findCondition(one.status?.conditions, 'ScalingActive');
  const ready = await until(read, (one) => active(one)?.status === 'True', "KEDA's word that it works");
  expect(active(ready)).toMatchObject({ reason: 'ScaledByOther' });

  const host = `bags.${namespace}.svc`;
  const body = { prompt: 'a photo of a bag', seed: 1 };
  await startTraffic(namespace, host, body, { name: 'steady', count: 1, keep: false });
  await startTraffic(namespace, host, body, { name: 'rush', count: 8, pauseSeconds: 0, keep: false });
  const up = await until(read, (one) => one.status?.readyReplicas === 3, 'three pods', 180_000);
  expect(up.spec.replicas).toBe(3);
  const rush = await endTraffic(namespace, 'rush');
  const down = await until(read, (one) => one.spec.replicas === 1, "KEDA's wish for one pod", 240_000);
  expect(active(down)).toMatchObject({ status: 'True' });
  const pods = () => list<object>(namespace, 'pods', 'sparsedm.io/service=bags');
  await until(pods, (left) => left.length === 1, 'one pod');
  const steady = await endTraffic(namespace, 'steady');
  expect([...rush.failures, ...steady.failures]).toEqual([]);
  console.log(`KEDA: 1 -> 3 -> 1, ${rush.answers + steady.answers} answers, no failure`);
});

/** What the operator's pods and the servers show; pods are reached from the node. */
async function endpoints(): Promise<{ job: string; address: string }[]> {
  const operators = await list<Addressed>(
    operatorNamespace(),
    'pods',
    'app.kubernetes.io/name=sparsedm-operator',
  );
  const servers = await list<Addressed>(namespace, 'pods', 'sparsedm.io/service=bags');
  const at = (job: string) => (pod: Addressed) => ({ job, address: `${pod.status.podIP}:8080` });
  return [...operators.map(at('operator')), ...servers.map(at('server'))];
}

it('promtool accepts the metrics of operator and servers', async () => {
  for (const { address } of await endpoints()) {
    const text = await (await fetch(`http://${address}/metrics`)).text();
    expect(text).toContain('# TYPE sparsedm_');
    await exec('promtool', ['check', 'metrics'], { input: text });
  }
});

it('Prometheus scrapes operator and servers', async () => {
  const scraped = await endpoints();
  const jobs = ['operator', 'server'];
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
  } finally {
    prometheus.kill();
    await ended;
    await rm(scratch, { recursive: true, force: true });
  }
});
