/** Gateways that are evicted and killed under load, and a drain of all that a request passes. */
import { beforeAll, expect, it } from 'vitest';
import { explainFailure, operatorNamespace, useNamespace } from '../cluster';
import { killProcesses, processesOf } from '../kill';
import { drain, endTraffic, evict, moreAnswers, startTraffic, type Failure } from '../traffic';
import { bagsOf, body, createBags, gatewayMetric, gateways, killOperator, operators, type Pod } from './bags';

const namespace = useNamespace('e2e-gateways');
const bags = bagsOf(namespace);
const ELSEWHERE = 'The nodes are on other machines, so nobody here can kill a process.';
let isLocal = false;

const load = (count: number) => startTraffic(namespace, bags.host, body, { count, pauseSeconds: 0.05 });
const byKind = (failures: readonly Failure[], kind: Failure['kind']) =>
  failures.filter((failure) => failure.kind === kind);
/** Its connections of clients. */
const connectionsOf = (pod: Pod) => gatewayMetric('sparsedm_gateway_connections', '', [pod]);

beforeAll(async () => {
  isLocal = processesOf((await gateways().serving(2))[0]!.metadata.name).length > 0;
  await createBags(namespace, { replicas: 2, engine: { steps: 20, maxBatchSize: 2 }, gateway: 'Always' });
  await bags.settled();
  await bags.reachedBy('Gateway');
  await bags.pods.serving(2);
});

it('loses no request with a gateway that is evicted', async () => {
  explainFailure(namespace);
  await load(6);
  await moreAnswers(namespace, 10);
  const pods = await gateways().serving(2);
  const gone: string[] = [];
  for (const { metadata } of pods) {
    await evict(operatorNamespace(), metadata.name);
    gone.push(metadata.name);
    await gateways().serving(2, gone);
    await moreAnswers(namespace, 10);
  }
  const { failures, answers } = await endTraffic(namespace);
  console.log(`both gateways evicted: ${answers} answers, ${failures.length} failed`);
  expect(failures).toEqual([]);
});

it('loses what is in the hands of a gateway that is killed, and nothing else', async ({ skip }) => {
  explainFailure(namespace);
  if (!isLocal) return skip(ELSEWHERE);
  await load(6);
  await moreAnswers(namespace, 10);
  const pods = await gateways().serving(2);
  const counts = await Promise.all(pods.map(connectionsOf));
  const most = counts.indexOf(Math.max(...counts));
  killProcesses(pods[most]!.metadata.name);
  await gateways().restarted(pods[most]!);
  await moreAnswers(namespace, 10);
  const { failures, answers } = await endTraffic(namespace);
  const lost = byKind(failures, 'broken').length;
  const refused = byKind(failures, 'refused').length;
  console.log(
    `a gateway of ${counts[most]} connections killed, another one with ${counts[1 - most]}: ${answers} answers, ${lost} lost with it, ${refused} refused before they were accepted`,
  );
  expect(byKind(failures, 'answer')).toEqual([]);
  expect(lost).toBeLessThanOrEqual(counts[most]!);
});

it('loses no request with the operator that is killed', async () => {
  explainFailure(namespace);
  await load(3);
  await killOperator();
  await moreAnswers(namespace, 10);
  const { failures, answers } = await endTraffic(namespace);
  console.log(`the operator killed: ${answers} answers, ${failures.length} failed`);
  expect(failures).toEqual([]);
});

it('loses no request in a drain of operator, gateways and servers', async () => {
  explainFailure(namespace);
  await load(3);
  for (const set of [operators(), gateways(), bags.pods]) {
    await drain(
      set.namespace,
      (await set.now()).map(({ metadata }) => metadata.name),
    );
  }
  await moreAnswers(namespace, 5);
  const { failures, answers } = await endTraffic(namespace);
  console.log(`a drain of everything: ${answers} answers, ${failures.length} failed`);
  expect(failures).toEqual([]);
});
