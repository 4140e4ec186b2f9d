/** The operator as its image has it: the bundle, in a process of its own, against a real API server. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sparseFinetunes } from '../../src/api/types';
import { leases } from '../../src/runtime/leader';
import type { ManagerState } from '../../src/runtime/manager';
import { freePorts } from '../cluster/control-plane';
import { exec } from '../cluster/exec';
import { eventually, openApiServer, type ApiServer } from './harness';
import { startOtlpReceiver, type OtlpReceiver } from './otlp-receiver';
import { finetune } from './specs';

const root = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;
let program: string;
let server: ApiServer;
let receiver: OtlpReceiver;
const atEnd: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-bundle-'));
  program = path.join(folder, 'main.mjs');
  await exec(process.execPath, ['scripts/build.mjs', program], { cwd: root });
  server = await openApiServer();
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  for (const end of atEnd.splice(0).reverse()) await end();
});
afterAll(async () => {
  await server.close();
  await receiver.close();
  await rm(folder, { recursive: true, force: true });
});

/** Those of Node's own modules that the program loads to say its version. */
function modulesOfNode(): Promise<string> {
  const report = 'process.on("exit", () => console.log(process.moduleLoadList.join("\\n")))';
  const flags = ['--import', `data:text/javascript,${report}`];
  return exec(process.execPath, [...flags, program, '--version']);
}

/** The files that are read before anything runs: the entry and its static imports. */
async function readAtStart(file: string, seen = new Map<string, string>()): Promise<Map<string, string>> {
  if (seen.has(file)) return seen;
  const text = await readFile(file, 'utf8');
  seen.set(file, text);
  const statements = /(?:^|[;}\n])\s*(?:import|export)\s*(?:[\w*{][^"'()]*?from\s*)?["'](\.[^"']+)["']/g;
  for (const [, target = ''] of text.matchAll(statements)) {
    await readAtStart(path.join(path.dirname(file), target), seen);
  }
  return seen;
}

async function startOperator(namespace: string, flags: readonly string[], env: Record<string, string> = {}) {
  const [metrics = 0, health = 0, reports = 0] = await freePorts(3);
  const child = spawn(
    process.execPath,
    [
      program,
      'operator',
      `--kubeconfig=${server.kubeconfig}`,
      `--namespace=${namespace}`,
      '--leader-elect=false',
      `--metrics-port=${metrics}`,
      `--health-port=${health}`,
      `--reports-port=${reports}`,
      ...flags,
    ],
    { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const log: { message: string; level: string }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.push(JSON.parse(line) as { message: string; level: string });
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    return exited;
  };
  atEnd.push(stop);
  const base = `http://127.0.0.1:${health}`;
  await eventually(async () => (await fetch(`${base}/readyz`)).ok);
  return { health: base, log, stop, closeLog: () => child.stdout.destroy() };
}

describe('the bundle', () => {
  test('reads nothing of OpenTelemetry’s SDK at the start, and has it', async () => {
    const files = await readAtStart(program);
    expect(files.size).toBeGreaterThan(1);
    const names = [...files].filter(([, text]) => text.includes('BatchSpanProcessor')).map(([name]) => name);
    expect(names).toEqual([]);
    const parts = await readFile(program, 'utf8');
    expect(parts).toMatch(/import\("\.\/main-parts\/opentelemetry-\w+\.mjs"\)/);
  });

  test('has client-node’s kubeconfig and none of its classes of Kubernetes’ kinds', async () => {
    const text = await readFile(program, 'utf8');
    const has = (declaration: string) => text.includes(declaration);
    expect([has('var KubeConfig=class'), has('V1Pod=class')]).toEqual([true, false]);
  });

  test('loads of Node’s own modules nothing that it does not use', async () => {
    const loaded = await modulesOfNode();
    expect(loaded).toContain('NativeModule _http_server');
    expect(loaded).not.toMatch(/internal\/deps\/undici|internal\/crypto\/webcrypto/);
  });

  test('starts from what Node has compiled before, as in its image', async () => {
    const env = { NODE_COMPILE_CACHE: path.join(folder, 'cache'), NODE_DEBUG_NATIVE: 'COMPILE_CACHE' };
    const told: string[] = [];
    const start = () =>
      exec(process.execPath, [program, '--version'], { env, onErrorLine: (line) => told.push(line) });
    await start();
    told.length = 0;
    await start();
    expect(told.join('\n')).toMatch(/code cache for ESM \S+\/main\.mjs was accepted/);
  });

  test('traces what it does, shows itself at /debug, and stops when told to', async () => {
    const namespace = await server.createNamespace();
    const { health, log, stop } = await startOperator(namespace, ['--debug-endpoints'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_RESOURCE_ATTRIBUTES: `k8s.namespace.name=${namespace}`,
    });
    await server.client.create(sparseFinetunes, finetune('traced', namespace));
    const created = await eventually(
      () =>
        receiver.spans.find(({ name }) => name === 'POST /apis/batch/v1/namespaces/{namespace}/jobs') ??
        false,
    );
    const root = await eventually(
      () => receiver.spans.find(({ spanId }) => spanId === created.parentSpanId) ?? false,
    );
    expect(created.attributes['http.response.status_code']).toBe(201);
    expect(root).toMatchObject({
      name: 'reconcile sparsefinetune',
      attributes: { controller: 'sparsefinetune', namespace, name: 'traced', result: 'requeue_after' },
      resource: { 'service.name': 'sparsedm-operator', 'k8s.namespace.name': namespace },
    });

    const response = await fetch(`${health}/debug`);
    const text = await response.text();
    const state = JSON.parse(text) as ManagerState & { version: string };
    expect(state.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(state.leader).toEqual({ leading: true });
    expect(state.controllers.map(({ name }) => name)).toEqual([
      'sparsefinetune',
      'sparsestudy',
      'sparseinferenceservice',
    ]);
    const cache = state.caches.find(({ resource }) => resource === 'sparsefinetunes.sparsedm.io');
    expect(cache).toMatchObject({
      namespace,
      phase: 'watching',
      lists: 'streamed',
      synced: true,
      objects: 1,
    });
    expect(text).not.toContain('"spec"');

    expect(await stop()).toBe(0);
    expect(log.map(({ message }) => message)).toEqual([
      'traces are exported',
      'starting',
      'report endpoint is listening',
      'Job created',
      'stopping',
      'stopping, waiting for running reconciles',
      'stopped',
    ]);
  });

  test('works on and lets the lease go when nobody reads its log any more', async () => {
    const namespace = await server.createNamespace();
    const flags = ['--leader-elect=true', `--lease-namespace=${namespace}`, '--log-level=debug'];
    const { closeLog, stop } = await startOperator(namespace, flags);
    closeLog();
    await server.client.create(sparseFinetunes, finetune('unheard', namespace));
    const key = { namespace, name: 'unheard' };
    await eventually(
      async () => (await server.client.get(sparseFinetunes, key))?.status?.phase === 'Pending',
    );
    expect(await stop()).toBe(0);
    const lease = await server.client.get(leases, { namespace, name: 'sparsedm-operator' });
    expect(lease?.spec?.holderIdentity ?? '').toBe('');
  });

  test('shows nothing at /debug unless it is told to', async () => {
    const { health } = await startOperator(await server.createNamespace(), []);
    expect((await fetch(`${health}/debug`)).status).toBe(404);
  });
});
