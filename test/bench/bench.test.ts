import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Request, Transport } from '../../src/runtime/http/transport';
import type { KubeObject } from '../../src/runtime/objects';
import { nodeFlags } from './contender';
import { createJobController } from './job-controller';
import type { Figures } from './measure';
import { Arrivals } from './observer';
import { summary, table } from './report';
import { kwokConfig } from './stages';
import { cpuSeconds, peakMiB } from './usage';

describe('what a process has used', () => {
  test('CPU time is user and system time, whatever the program is called', () => {
    const stat = '7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 4 0 1234 1 1';
    expect(cpuSeconds(stat)).toBe(3);
  });

  test('the peak is the high-water mark, not the size of the moment', () => {
    expect(peakMiB('Name:\tnode\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n')).toBe(200);
  });
});

describe('Node’s flags in a Dockerfile', () => {
  test('are those of its last ENTRYPOINT, without program and file', () => {
    const text =
      'FROM a\nENTRYPOINT ["x"]\nFROM b\nENTRYPOINT ["node", "--one", "--two=2", "/app/main.mjs"]\n';
    expect(nodeFlags(text)).toEqual(['--one', '--two=2']);
  });

  test.each([
    ['no ENTRYPOINT', 'FROM a\n', 'no ENTRYPOINT'],
    ['another program', 'ENTRYPOINT ["deno", "/main.ts"]', 'deno'],
  ])('%s is an error', (_, text, want) => {
    expect(() => nodeFlags(text)).toThrow(want);
  });
});

describe('arrivals', () => {
  const finetune = (name: string, status?: object): KubeObject =>
    ({ apiVersion: 'a', kind: 'SparseFinetune', metadata: { name }, status }) as KubeObject;
  const job = (name: string): KubeObject => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: `${name}-train`, labels: { 'sparsedm.io/finetune': name } },
  });
  const finished = [{ type: 'Finished', status: 'True' }];

  test('the time to the Job is from the first event of one to the first of the other', () => {
    const arrivals = new Arrivals();
    arrivals.takeFinetune({ type: 'ADDED', object: finetune('a') }, 100);
    arrivals.takeFinetune({ type: 'ADDED', object: finetune('without-job') }, 100);
    arrivals.takeJob({ type: 'ADDED', object: job('a') }, 107);
    arrivals.takeJob({ type: 'MODIFIED', object: job('a') }, 150);
    expect(arrivals.untilJob()).toEqual([7]);
  });

  test('a run has ended when it is first seen finished', () => {
    const arrivals = new Arrivals();
    const over = finetune('a', { phase: 'Succeeded', conditions: finished });
    arrivals.takeFinetune({ type: 'MODIFIED', object: finetune('a', { phase: 'Running' }) }, 1);
    arrivals.takeFinetune({ type: 'MODIFIED', object: over }, 2);
    arrivals.takeFinetune({ type: 'MODIFIED', object: over }, 3);
    expect([...arrivals.finished]).toEqual([['a', 2]]);
    expect(arrivals.failed.size).toBe(0);
  });

  test('a run that failed is told', () => {
    const arrivals = new Arrivals();
    const over = finetune('a', { phase: 'Failed', conditions: finished });
    arrivals.takeFinetune({ type: 'MODIFIED', object: over }, 2);
    expect([...arrivals.failed]).toEqual(['a']);
  });
});

test('kwok ends a pod with a message that is JSON and short enough for a pod’s status', () => {
  const stages = parseAllDocuments(kwokConfig()).map(
    (document) =>
      document.toJS() as { metadata: { name: string }; spec: { next: { statusTemplate: string } } },
  );
  const template = stages.find(({ metadata }) => metadata.name === 'pod-succeeded')?.spec.next.statusTemplate;
  const message = /message: '(.*)'/.exec(template ?? '')?.[1] ?? '';
  expect(JSON.parse(message)).toMatchObject({ model: { uri: 'pvc://models/run' } });
  expect(Buffer.byteLength(message)).toBeLessThan(4096);
});

describe('the Job controller', () => {
  const job = { apiVersion: 'batch/v1', kind: 'Job', spec: { template: { spec: {} } } };
  const metadata = { name: 'a-train', namespace: 'bench', uid: 'job-uid' };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a-train-0',
      namespace: 'bench',
      ownerReferences: [{ name: 'a-train', uid: 'job-uid' }],
    },
    status: { phase: 'Succeeded' },
  } as unknown as KubeObject;

  /** Notes what is sent; each request is answered when told. */
  function setUp() {
    const sent: { what: string; answer: (error?: Error) => void }[] = [];
    const transport = {
      request({ method, body }: Request) {
        const { status } = body as { status?: { active: number; succeeded?: number } };
        const { promise, resolve, reject } = Promise.withResolvers<object>();
        const what = status === undefined ? `${method} pod` : status.succeeded ? 'complete' : 'started';
        sent.push({ what, answer: (error) => (error === undefined ? resolve({}) : reject(error)) });
        return promise;
      },
    } as unknown as Transport;
    const controller = createJobController(transport, ['node']);
    const answer = async (error?: Error) => {
      sent.at(-1)?.answer(error);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const whats = () => sent.map(({ what }) => what);
    controller.takeJob({ type: 'ADDED', object: { ...job, metadata } });
    return { controller, answer, whats };
  }

  test('completes a Job once, after it has started, however late that is answered', async () => {
    const { controller, answer, whats } = setUp();
    await answer();
    controller.takePod({ type: 'MODIFIED', object: pod });
    controller.takePod({ type: 'MODIFIED', object: pod });
    expect(whats()).toEqual(['POST pod', 'started']);
    await answer();
    await answer();
    expect(whats()).toEqual(['POST pod', 'started', 'complete']);
    controller.check();
  });

  test('tells of a write that has failed, and completes nothing then', async () => {
    const { controller, answer, whats } = setUp();
    controller.takePod({ type: 'MODIFIED', object: pod });
    await answer(new Error('refused'));
    expect(whats()).toEqual(['POST pod']);
    expect(() => controller.check()).toThrow('the Job controller could not write');
  });
});

describe('the report', () => {
  const figures = (changes: Partial<Figures>): Figures => ({
    p50Ms: 10,
    p99Ms: 20,
    requests: { 'create jobs': 100, 'patch sparsefinetunes/status': 300 },
    requestsPerObject: 4,
    cpuSeconds: 2,
    peakMiB: 100,
    loadPeakMiB: 100,
    restartPeakMiB: 80,
    resyncSeconds: 1,
    readySeconds: 0.5,
    restPercent: 0.1,
    createSeconds: 2,
    totalSeconds: 5,
    ...changes,
  });
  const ours = figures({ p50Ms: 8 });
  const baseline = figures({ cpuSeconds: 4 });

  test('says ours by the baseline’s', () => {
    expect(summary({ ours, baseline }, 100)).toMatchObject({
      objects: 100,
      ours: { p50_ms: 8, rss_mb: 100 },
      baseline: { p50_ms: 10, cpu_s: 4 },
      ratio: { p50_ms: 0.8, p99_ms: 1, ended_s: 1, cpu_s: 0.5 },
      requests_by_verb: { ours: { create: 1, patch: 3 } },
    });
  });

  test('of one alone has no ratio', () => {
    const alone = summary({ ours }, 100);
    expect(alone).not.toHaveProperty('ratio');
    expect(alone).not.toHaveProperty('baseline');
    expect(table({ ours }, 100)).toContain('8.0 ms');
  });
});
