/** Pods of a service that are killed, evicted and replaced while requests for it never stop. */
import { beforeAll, describe, expect, it } from 'vitest';
import { explainFailure, useNamespace, until } from '../cluster';
import { deleteByForce, killProcesses, processesOf, withLateRules } from '../kill';
import { drain, endTraffic, moreAnswers, senders, startTraffic } from '../traffic';
import { bagsOf, body, createBags, gatewayMetric, type Pod } from './bags';

const namespace = useNamespace('e2e-servers');
const bags = bagsOf(namespace);
const retries = () => gatewayMetric('sparsedm_gateway_retries_total', `namespace="${namespace}"`);

const ELSEWHERE = 'The nodes are on other machines, so nobody here can kill a process.';
/** Whether the nodes are on this machine, so that a process in a pod can be killed. */
let isLocal = false;

/** Seconds since the pod was told to end; -Infinity where it was not. */
function endsSince({ metadata: { deletionTimestamp, deletionGracePeriodSeconds = 0 } }: Pod): number {
  if (deletionTimestamp === undefined) return -Infinity;
  return (Date.now() - Date.parse(deletionTimestamp)) / 1000 + deletionGracePeriodSeconds;
}

beforeAll(async () => {
  await createBags(namespace, { replicas: 2, engine: { steps: 40, maxBatchSize: 2 }, gateway: 'Always' });
  await bags.settled();
  await bags.reachedBy('Gateway');
  isLocal = processesOf((await bags.pods.serving(2))[0]!.metadata.name).length > 0;
});

const load = (pauseSeconds = 0.05) => startTraffic(namespace, bags.host, body, { pauseSeconds });

describe('by the gateway', () => {
  it('loses no request with a pod that is killed beside another one', async ({ skip }) => {
    explainFailure(namespace);
    if (!isLocal) return skip(ELSEWHERE);
    const before = await retries();
    await load();
    await moreAnswers(namespace, 5);
    const [killed, deleted] = await bags.pods.serving(2);
    killProcesses(killed!.metadata.name);
    await moreAnswers(namespace, 5);
    await bags.pods.restarted(killed!);
    // Now an object that is gone before its processes are.
    await deleteByForce(namespace, deleted!.metadata.name);
    await bags.pods.serving(2, [deleted!.metadata.name]);
    await moreAnswers(namespace, 5);
    const { failures, answers } = await endTraffic(namespace);
    expect(failures).toEqual([]);
    const again = (await retries()) - before;
    console.log(`a pod killed, another deleted by force: ${answers} answers, ${again} sent again, 0 failed`);
    expect(again).toBeGreaterThan(0);
  });

  it('loses no request in a drain, which the PodDisruptionBudget slows down', async () => {
    explainFailure(namespace);
    await load();
    const pods = await bags.pods.serving(2);
    const names = pods.map(({ metadata }) => metadata.name);
    const refused = await drain(namespace, names);
    await bags.pods.serving(2, names);
    const { failures, answers } = await endTraffic(namespace);
    console.log(`a drain: ${answers} answers, ${failures.length} failed`);
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(20);
    expect(refused.length).toBeGreaterThan(0);
    for (const problem of refused) expect(problem).toMatch(/would violate the pod's disruption budget/);
  });

  it('loses no request in a rollout', async () => {
    explainFailure(namespace);
    const names = (await bags.pods.serving(2)).map(({ metadata }) => metadata.name);
    await load();
    await bags.patch({ engine: { steps: 30 } });
    await bags.settled();
    await bags.pods.serving(2, names);
    await moreAnswers(namespace, 5);
    const { failures, answers } = await endTraffic(namespace);
    console.log(`a rollout: ${answers} answers, ${failures.length} failed`);
    expect(failures).toEqual([]);
  });
});

describe('by the gateway, without a second pod', () => {
  it('answers what the pod was drawing once it runs again', async ({ skip }) => {
    explainFailure(namespace);
    if (!isLocal) return skip(ELSEWHERE);
    await bags.patch({ replicas: 1 });
    const [pod] = await bags.pods.serving(1);
    await load();
    await moreAnswers(namespace, 5);
    killProcesses(pod!.metadata.name);
    await bags.pods.restarted(pod!);
    await moreAnswers(namespace, 5);
    const { failures, answers } = await endTraffic(namespace);
    console.log(`a lone pod killed: ${answers} answers, ${failures.length} failed`);
    expect(failures).toEqual([]);
  });

  it('ends a request that was lost with two pods by an error that says so', async ({ skip }) => {
    explainFailure(namespace);
    if (!isLocal) return skip(ELSEWHERE);
    // Long enough to be hit twice.
    await startTraffic(namespace, bags.host, { ...body, n: 16 });
    await until(
      () => gatewayMetric('sparsedm_gateway_requests_in_flight', `namespace="${namespace}"`),
      (count) => count === senders,
      'requests on their way',
    );
    for (let kill = 1; kill <= 2; kill++) {
      const [pod] = await bags.pods.serving(1);
      killProcesses(pod!.metadata.name);
      await bags.pods.restarted(pod!);
    }
    await moreAnswers(namespace, 1);
    const { failures, answers } = await endTraffic(namespace);
    console.log(`a lone pod killed twice: ${answers} answers, ${JSON.stringify(failures)}`);
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) {
      expect(failure).toMatchObject({ kind: 'answer', status: 502, code: 'replica_lost' });
      expect(Number(failure.retryAfter)).toBeGreaterThan(0);
    }
  });
});

describe('directly', () => {
  it('loses what a pod that is killed was drawing, and nothing else', async ({ skip }) => {
    explainFailure(namespace);
    if (!isLocal) return skip(ELSEWHERE);
    await bags.patch({ gateway: 'Auto', replicas: 2 });
    await bags.settled();
    await bags.reachedBy('Direct');
    const [killed] = await bags.pods.serving(2);
    // Each request over a connection of its own, so that both pods get some.
    await startTraffic(namespace, bags.host, body, { pauseSeconds: 0.05, keep: false });
    await moreAnswers(namespace, 5);
    killProcesses(killed!.metadata.name);
    await bags.pods.restarted(killed!);
    await moreAnswers(namespace, 5);
    const { failures, answers } = await endTraffic(namespace);
    const of = (kind: string) => failures.filter((failure) => failure.kind === kind);
    console.log(
      `a pod killed directly behind the Service: ${answers} answers, ${of('broken').length} lost with the pod, ${of('refused').length} refused before they were accepted`,
    );
    expect(of('answer')).toEqual([]);
    expect(of('broken').length).toBeLessThanOrEqual(senders);
  });

  it('loses no request with pods that end while Service rules still lead to them', async ({ skip }) => {
    explainFailure(namespace);
    if (!isLocal) return skip(ELSEWHERE);
    await bags.patch({ replicas: 3 });
    await bags.pods.serving(3);
    await startTraffic(namespace, bags.host, body, { keep: false });
    await withLateRules(async () => {
      await bags.patch({ replicas: 1 });
      // Half as long again as servers accept requests where none come.
      const areLate = (pods: Pod[]) => pods.filter((pod) => endsSince(pod) > 15).length === 2;
      await until(bags.pods.now, areLate, 'two pods that have been ending for 15 s');
    });
    await until(bags.pods.now, (pods) => pods.length === 1, 'the end of two pods');
    const { failures, answers } = await endTraffic(namespace);
    console.log(
      `rules that are 15 s late for two of three pods: ${answers} answers, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
  });
});
