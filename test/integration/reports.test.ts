/** The report endpoint with real tokens from the real API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sparseFinetunes, sparseInferenceServices, type SparseFinetune } from '../../src/api/types';
import { deployments, pods, type Pod } from '../../src/kube/resources';
import { eventually, openApiServer, waitForObject, type ApiServer } from './harness';
import {
  completeJob,
  conditionOf,
  createAccount,
  endPod,
  finetuneWhere,
  isFinished,
  results,
  runFinetune,
  startOperator,
  type RunningOperator,
} from './operator';
import { createServingPod, podToken } from './serving';
import { service, type Changes } from './specs';

let server: ApiServer;
let operator: RunningOperator;

beforeAll(async () => {
  server = await openApiServer();
  await createAccount(server, server.namespace);
  operator = await startOperator(server);
});
afterAll(async () => {
  await operator.stop();
  await server.close();
});

const keyOf = (name: string) => ({ namespace: server.namespace, name });

/** A token as the kubelet mounts it: bound to the pod. */
const tokenFor = (pod: Pod | undefined, audience?: string, namespace?: string) =>
  podToken(server, pod, audience, namespace);

type Answer = { status: number; body: { code?: string; message?: string }; retryAfter: string | null };

async function post(
  path: string,
  token: string | undefined,
  body: unknown,
  method = 'POST',
): Promise<Answer> {
  const response = await fetch(`${operator.reportsUrl}${path}`, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(method === 'POST' ? { body: typeof body === 'string' ? body : JSON.stringify(body) } : {}),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Answer['body']),
    retryAfter: response.headers.get('retry-after'),
  };
}

const progressPath = (name: string, namespace = server.namespace) =>
  `/v1/finetunes/${namespace}/${name}/progress`;
const enginePath = (name: string) => `/v1/services/${server.namespace}/${name}/engine`;

const progress = {
  step: 120,
  totalSteps: 300,
  percent: 40,
  display: '40%',
  stage: 2,
  stages: 5,
  stagePattern: '6:8',
  maskFlips: 512,
  phase: 'training',
  loss: '0.21',
  eta: '1m20s',
};

/** The operator's cache has its first report. */
const isReporting = (finetune: SparseFinetune) => conditionOf(finetune, 'Reporting')?.status === 'True';

describe('a trainer’s report', () => {
  it('reaches the status, and leaves everything else in it alone', async () => {
    const { pod } = await runFinetune(server, 'reports');
    const before = await finetuneWhere(server, 'reports', (one) => one.status?.phase === 'Running');
    const token = await tokenFor(pod);
    const report = {
      progress,
      checkpoint: results.checkpoint,
      attempt: { resumedFromStep: 100 },
      phase: 'Succeeded',
      conditions: [],
    };
    expect(await post(progressPath('reports'), token, report)).toMatchObject({ status: 204 });
    const { status } = await finetuneWhere(server, 'reports', (one) => one.status?.progress?.step === 120);
    expect(status).toMatchObject({ progress, checkpoint: results.checkpoint, phase: 'Running' });
    expect(status?.attempts).toEqual({ ...before.status?.attempts, resumedFromStep: 100 });
    const reporting = await finetuneWhere(server, 'reports', isReporting);
    expect(reporting.status?.progress?.step).toBe(120);
  });

  it('of which several come within 2 s becomes one write, and the last one wins', async () => {
    const { pod } = await runFinetune(server, 'coalesced');
    await finetuneWhere(server, 'coalesced', (one) => one.status?.phase === 'Running');
    const token = await tokenFor(pod);
    await post(progressPath('coalesced'), token, { progress });
    // The operator knows the phase and the stage, a change of either being urgent.
    await finetuneWhere(server, 'coalesced', isReporting);
    const written = async () =>
      (await operator.metrics.registry.getSingleMetric('sparsedm_report_writes_total')!.get()).values.find(
        ({ labels }) => labels.kind === 'finetune' && labels.result === 'written',
      )?.value;
    const before = await written();
    for (const step of [121, 122, 123, 124, 125]) {
      expect(await post(progressPath('coalesced'), token, { progress: { ...progress, step } })).toMatchObject(
        { status: 202 },
      );
    }
    const { status } = await finetuneWhere(
      server,
      'coalesced',
      (one) => one.status?.progress?.step === 125,
      5_000,
    );
    expect(status?.progress?.loss).toBe('0.21');
    // Answered once all writes up to its own have been counted.
    const urgent = { progress: { ...progress, step: 180, stage: 3 } };
    expect(await post(progressPath('coalesced'), token, urgent)).toMatchObject({ status: 204 });
    expect(await written()).toBe(before! + 2);
  });

  it('that is still on its way when the run ends never overwrites its last word', async () => {
    const { job, pod } = await runFinetune(server, 'late');
    await finetuneWhere(server, 'late', (one) => one.status?.phase === 'Running');
    const token = await tokenFor(pod);
    await post(progressPath('late'), token, { progress });
    await post(progressPath('late'), token, { progress: { ...progress, step: 299 } });
    await endPod(server, pod, 0, results);
    await completeJob(server, job);
    await finetuneWhere(server, 'late', isFinished);
    expect(
      await post(progressPath('late'), token, { progress: { ...progress, phase: 'evaluating' } }),
    ).toMatchObject({ status: 204 });
    const dropped = async () =>
      (await operator.metrics.registry.getSingleMetric('sparsedm_report_writes_total')!.get()).values.find(
        ({ labels }) => labels.kind === 'finetune' && labels.result === 'dropped',
      )?.value ?? 0;
    await eventually(async () => (await dropped()) >= 1);
    const { status } = (await server.client.get(sparseFinetunes, keyOf('late')))!;
    expect(status).toMatchObject({ ...results, progress: { percent: 100, step: 300, phase: 'done' } });
  });

  it('is refused without a token, or with one that is not for it', async () => {
    const { pod } = await runFinetune(server, 'guarded');
    const path = progressPath('guarded');
    expect(await post(path, undefined, { progress })).toMatchObject({
      status: 401,
      body: { code: 'Unauthorized' },
    });
    expect(await post(path, 'nonsense', { progress })).toMatchObject({ status: 401 });
    const wrongAudience = await post(path, await tokenFor(pod, 'https://kubernetes.default.svc'), {
      progress,
    });
    expect(wrongAudience).toMatchObject({ status: 401 });
    expect(wrongAudience.body.message).toContain('audience sparsedm.io');
    expect(await post(path, await tokenFor(undefined), { progress })).toMatchObject({ status: 401 });
  });

  it('is refused from a pod that another object owns, or none', async () => {
    await runFinetune(server, 'mine');
    const { pod: other } = await runFinetune(server, 'other');
    const want = {
      status: 403,
      body: { code: 'Forbidden', message: 'A pod can report only for the object that owns it.' },
    };
    expect(await post(progressPath('mine'), await tokenFor(other), { progress })).toMatchObject(want);

    const loose: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'loose',
        namespace: server.namespace,
        labels: { 'sparsedm.io/finetune': 'mine', 'app.kubernetes.io/managed-by': 'sparsedm-operator' },
      },
      spec: { containers: [{ name: 'trainer', image: 'x' }] },
    };
    expect(
      await post(progressPath('mine'), await tokenFor(await server.client.create(pods, loose)), { progress }),
    ).toMatchObject(want);

    const elsewhere = await server.createNamespace();
    await createAccount(server, elsewhere);
    const stranger = await server.client.create(pods, {
      ...loose,
      metadata: { name: 'mine-train-a', namespace: elsewhere },
    });
    expect(
      await post(progressPath('mine'), await tokenFor(stranger, 'sparsedm.io', elsewhere), { progress }),
    ).toMatchObject(want);
  });

  it('is told to wait when it tries another’s object again and again', async () => {
    await runFinetune(server, 'target');
    const { pod: other } = await runFinetune(server, 'intruder');
    const token = await tokenFor(other);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(progressPath('target'), token, { progress })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403, 429]));
  });

  it('is refused with a sentence when it is wrong', async () => {
    const { pod } = await runFinetune(server, 'strict');
    const token = await tokenFor(pod);
    const path = progressPath('strict');
    const negative = await post(path, token, { progress: { step: -1, loss: 'Infinity' } });
    expect(negative).toMatchObject({ status: 400, body: { code: 'BadRequest' } });
    expect(negative.body.message).toContain('progress.step must be a whole number');
    expect(negative.body.message).toContain('progress.loss must be a decimal');
    expect(await post(path, token, 'not JSON')).toMatchObject({ status: 400 });
    expect(await post(path, token, `{"progress": {"eta": "${'x'.repeat(70_000)}"}}`)).toMatchObject({
      status: 413,
    });
    expect(await post(path, token, undefined, 'GET')).toMatchObject({ status: 405 });
    expect(await post(progressPath('nobody'), token, { progress })).toMatchObject({ status: 404 });
    expect(await post('/v1/finetunes', token, { progress })).toMatchObject({ status: 404 });
    const { status } = (await server.client.get(sparseFinetunes, keyOf('strict')))!;
    expect(status?.progress).toBeUndefined();
  });

  it('is told to wait when it comes too often', async () => {
    const { pod } = await runFinetune(server, 'eager');
    const token = await tokenFor(pod);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post(progressPath('eager'), token, { progress })),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ body: { code: 'TooManyRequests' }, retryAfter: '1' });
  });
});

describe('a server’s report', () => {
  const engine = {
    backend: 'dense',
    sparseLayers: 0,
    totalLayers: 26,
    speedup: '1.0',
    latencyMilliseconds: { p50: '410', p99: '455.5' },
    device: 'cpu',
    reason: 'no GPU',
  };

  /** A Deployment's pod with its ReplicaSet, as the controllers make them. */
  async function servingPod(name: string, spec: Changes = {}): Promise<Pod> {
    await server.client.create(sparseInferenceServices, service(name, server.namespace, spec), {
      fieldManager: 'test',
    });
    const deployment = await eventually(
      async () => (await server.client.get(deployments, keyOf(`${name}-server`))) ?? false,
    );
    return createServingPod(server, deployment, 'a');
  }

  it('reaches the status with the digest of a model that was given by its URI', async () => {
    const pod = await servingPod('served');
    const sha256 = 'e'.repeat(64);
    await eventually(
      async () =>
        (await server.client.get(sparseInferenceServices, keyOf('served')))?.status?.wanted?.uri !==
        undefined,
    );
    expect(
      await post(enginePath('served'), await tokenFor(pod), {
        engine,
        model: { sha256, uri: 'pvc://models/shirts' },
      }),
    ).toMatchObject({ status: 204 });
    const { status } = (await server.client.get(sparseInferenceServices, keyOf('served')))!;
    expect(status?.engine).toEqual(engine);
    expect(status?.wanted).toEqual({ uri: 'pvc://models/shirts', sha256 });
    const elsewhere = { sha256: 'f'.repeat(64), uri: 'pvc://elsewhere/x' };
    await post(enginePath('served'), await tokenFor(pod), { engine: { backend: 'x' }, model: elsewhere });
    expect((await server.client.get(sparseInferenceServices, keyOf('served')))!.status).toEqual(status);
  });

  it('carries what its gate found, which decides whether the version may serve', async () => {
    const pod = await servingPod('gated', { qualityGate: { minSpeedup: '1.2' } });
    const token = await tokenFor(pod);
    const gateWhere = (status: string, reason: string) =>
      waitForObject(server, sparseInferenceServices, keyOf('gated'), (one) => {
        const found = conditionOf(one, 'QualityGatePassed');
        return found?.status === status && found.reason === reason;
      });
    await gateWhere('Unknown', 'NotMeasured');
    const gate = {
      uri: 'pvc://models/shirts',
      bounds: '{"minSpeedup":"1.2"}',
      passed: false,
      reason: 'TooSlow',
      message: 'It is 1.1 times as fast as the dense model.',
    };
    const later = { ...gate, bounds: '{"minSpeedup":"2"}', passed: true, reason: 'GatePassed' };
    expect(await post(enginePath('gated'), token, { gate: later })).toMatchObject({ status: 204 });
    const open = (await server.client.get(sparseInferenceServices, keyOf('gated')))!;
    expect(conditionOf(open, 'QualityGatePassed')?.reason).toBe('NotMeasured');

    expect(await post(enginePath('gated'), token, { gate })).toMatchObject({ status: 204 });
    const refused = await gateWhere('False', 'TooSlow');
    expect(refused.status?.gate).toEqual(gate);
    expect(conditionOf(refused, 'QualityGatePassed')?.message).toBe(gate.message);

    const passed = { ...gate, passed: true, reason: 'GatePassed', message: 'It is 1.3 times as fast.' };
    const halves = await post(enginePath('gated'), token, { gate: { ...passed, bounds: undefined } });
    expect(halves).toMatchObject({ status: 400 });
    expect(halves.body.message).toContain('gate.bounds');
    await post(enginePath('gated'), token, { gate: passed });
    await gateWhere('True', 'GatePassed');
  });

  it('is refused from the pod of another service', async () => {
    const pod = await servingPod('first');
    await servingPod('second');
    expect(await post(enginePath('second'), await tokenFor(pod), { engine })).toMatchObject({ status: 403 });
  });
});
