/** Rollouts of real pods while requests never stop: where no other pod fits, and by canaries. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SparseInferenceService } from '../../../src/api/types';
import { findCondition } from '../../../src/kube/conditions';
import type { Deployment } from '../../../src/kube/resources';
import { explainFailure, get, kubectl, list, until, useNamespace } from '../cluster';
import { endTraffic, moreAnswers, startTraffic } from '../traffic';
import { bagsOf, body, createBags, gatewayMetric, type Bags } from './bags';

const engine = (steps: number) => ({ engine: { steps, maxBatchSize: 2 } });

/** Steps of the engine of the Deployment that serves. */
async function stepsIn(namespace: string): Promise<number | undefined> {
  const { spec } = await get<Deployment>(namespace, 'deploy/bags-server');
  const env = spec?.template.spec?.containers[0]?.env ?? [];
  const text = env.find(({ name }) => name === 'SPARSEDM_ENGINE')?.value ?? '{}';
  return (JSON.parse(text) as { steps?: number }).steps;
}

type Event = { reason: string; message: string; involvedObject: { kind: string } };

async function reasonsOf(namespace: string): Promise<string[]> {
  const events = await list<Event>(namespace, 'events');
  return events
    .filter(({ involvedObject }) => involvedObject.kind === 'SparseInferenceService')
    .map(({ reason }) => reason);
}

const eventOf = (namespace: string, reason: string) =>
  until(
    () => reasonsOf(namespace),
    (reasons) => reasons.includes(reason),
    `the event ${reason}`,
    120_000,
  );

const senders = { count: 2, pauseSeconds: 0.2 };

describe('on the last two GPUs', () => {
  const namespace = useNamespace('e2e-last-gpu');
  const gpu = 'example.com/gpu';
  let node = '';

  /** As a device plugin would offer it; a null takes it away again. */
  async function offer(amount: string | null): Promise<void> {
    const changed = { [gpu]: amount };
    const patch = JSON.stringify({ status: { capacity: changed, allocatable: changed } });
    await kubectl(['patch', 'node', node, '--subresource=status', '--type=merge', '-p', patch]);
  }

  beforeAll(async () => {
    node = await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}']);
    await offer('2');
  });
  afterAll(() => offer(null));

  it('goes on one by one, and loses no request', async () => {
    explainFailure(namespace);
    const bags = await createBags(namespace, {
      replicas: 2,
      server: { resources: { limits: { [gpu]: '1' } }, terminationGracePeriodSeconds: 30 },
      ...engine(20),
    });
    await bags.settled();
    await bags.pods.serving(2);
    await startTraffic(namespace, bags.host, body, senders);
    await bags.patch(engine(21));
    await eventOf(namespace, 'Replacing');
    await bags.settled();
    await bags.pods.serving(2);
    const { failures, answers } = await endTraffic(namespace);
    console.log(`the last two GPUs: ${answers} answers, ${failures.length} failed`);
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(10);
    expect(await reasonsOf(namespace)).toContain('Replacing');
    expect(await stepsIn(namespace)).toBe(21);
  });
});

describe('on a claim that one pod may use', () => {
  const namespace = useNamespace('e2e-one-pod');

  it('replaces its pod and goes back to the version before, and the gateway holds what comes in between', async () => {
    explainFailure(namespace);
    const bags = await createBags(
      namespace,
      { replicas: 1, server: { terminationGracePeriodSeconds: 30 }, ...engine(20) },
      'ReadWriteOncePod',
    );
    await bags.settled();
    const { number } = (await bags.read()).status?.revisions?.at(-1) ?? {};
    await startTraffic(namespace, bags.host, body, senders);
    await bags.patch(engine(21));
    await eventOf(namespace, 'Replacing');
    await bags.settled();
    expect(await stepsIn(namespace)).toBe(21);
    await moreAnswers(namespace, 4);
    await bags.patch({ rollout: { undoTo: number } });
    await bags.settled();
    expect(await stepsIn(namespace)).toBe(20);
    await moreAnswers(namespace, 4);
    const { failures, answers } = await endTraffic(namespace);
    console.log(`a claim for one pod, there and back: ${answers} answers, ${failures.length} failed`);
    expect(failures).toEqual([]);
  });
});

describe('by a canary', () => {
  const namespace = useNamespace('e2e-canary');
  const canary = {
    steps: [
      { weight: 25, holdSeconds: 5 },
      { weight: 50, holdSeconds: 5 },
    ],
    analysis: { minRequests: 5 },
  };
  let bags: Bags = bagsOf(namespace);

  const phase =
    (...phases: string[]) =>
    ({ status }: SparseInferenceService) =>
      phases.includes(status?.rollout?.phase ?? '') &&
      status?.rollout?.revision !== status?.revisions?.[0]?.name;
  const requestsTo = (revision = '') =>
    gatewayMetric('sparsedm_gateway_requests_total', `revision="${revision}"`);

  beforeAll(async () => {
    bags = await createBags(namespace, {
      replicas: 1,
      server: { terminationGracePeriodSeconds: 30 },
      rollout: { strategy: 'Canary', canary },
      ...engine(20),
    });
    await bags.settled();
  });

  it('that does as well walks its steps, takes the place of what served, and loses no request', async () => {
    explainFailure(namespace);
    // Over connections that are kept from before the canary: they have to follow it.
    await startTraffic(namespace, bags.host, body, senders);
    await moreAnswers(namespace, 4);
    await bags.patch(engine(21));
    const walking = await until(bags.read, phase('Progressing', 'Promoting'), 'a canary');
    const { revision } = walking.status?.rollout ?? {};
    await until(bags.read, phase('Complete'), 'the end of the canary', 300_000);
    await bags.settled();
    const { failures, answers } = await endTraffic(namespace);
    const share = await requestsTo(revision);
    console.log(
      `a canary that passes: ${answers} answers, ${share} of them its own, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
    expect(share).toBeGreaterThanOrEqual(10);
    expect(await stepsIn(namespace)).toBe(21);
    expect(await reasonsOf(namespace)).toEqual(
      expect.arrayContaining(['CanaryStarted', 'CanaryStep', 'CanaryPassed', 'CanaryEnded']),
    );
  });

  it('that is slower is rolled back, and loses no request', async () => {
    explainFailure(namespace);
    await bags.patch({
      rollout: { canary: { ...canary, analysis: { minRequests: 5, maxLatencyIncreasePercent: 200 } } },
    });
    await bags.settled();
    await startTraffic(namespace, bags.host, body, senders);
    await moreAnswers(namespace, 4);
    await bags.patch(engine(400));
    const back = await until(bags.read, phase('RolledBack'), 'the end of the canary', 300_000);
    await moreAnswers(namespace, 4);
    const { failures, answers } = await endTraffic(namespace);
    const { message } = findCondition(back.status?.conditions, 'UpToDate') ?? {};
    console.log(`a slower canary: ${answers} answers, ${failures.length} failed; ${message}`);
    expect(failures).toEqual([]);
    expect(message).toContain('Its mean latency is');
    expect(await stepsIn(namespace)).toBe(21);
  });
});
