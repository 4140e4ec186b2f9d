/** A service that sleeps without a pod, with a real gateway, real pods and real requests. */
import { expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { findCondition } from '../../src/kube/conditions';
import { apply, applyClaim, explainFailure, get, kubectl, list, until, useNamespace } from './cluster';
import { killOperator } from './faults/bags';
import { askOnce, endTraffic, startTraffic, type Asked } from './traffic';
import { writeUntrainedModel } from './untrained';

/** How often it goes to sleep and is woken: SPARSEDM_E2E_WAKES=10 for more. */
const wakes = Number(process.env.SPARSEDM_E2E_WAKES ?? 1);
const namespace = useNamespace('e2e-sleep');
const read = () => get<SparseInferenceService>(namespace, 'sis/bags');
const pods = () => list<Pod>(namespace, 'pods', 'sparsedm.io/service=bags');

type Pod = {
  metadata: { name: string; creationTimestamp: string };
  status: {
    conditions?: { type: string; lastTransitionTime: string }[];
    containerStatuses?: { state: { running?: { startedAt: string } } }[];
  };
};

/** The parts of a wake. Those of Kubernetes' objects are in whole seconds; a line of a log has its own time. */
function partsOf({ metadata, status }: Pod, log: string, { began, held, seconds }: Asked): string {
  const secondsUntil = (timestamp = '') => (Date.parse(timestamp) - began) / 1000;
  const after = (timestamp?: string) => `${secondsUntil(timestamp).toFixed(0)} s`;
  const own = secondsUntil(/^(\S+) .*"Ready\."/m.exec(log)?.[1]);
  const readyAt = status.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  const startedAt = status.containerStatuses?.[0]?.state.running?.startedAt;
  return `pod created after ${after(metadata.creationTimestamp)}, its server started after ${after(startedAt)}, it was ready after ${own.toFixed(2)} s and for Kubernetes after ${after(readyAt)}; sent on after ${held.toFixed(2)} s (${(1000 * (held - own)).toFixed(0)} ms later), answered after ${seconds} s`;
}

const reasonOf = ({ status }: SparseInferenceService) => findCondition(status?.conditions, 'Ready')?.reason;

it('wakes for a request, answers it, and goes back to sleep, and loses none', async () => {
  explainFailure(namespace);
  await applyClaim(namespace);
  await writeUntrainedModel(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'bags' },
    spec: {
      model: { uri: 'pvc://models/bags' },
      engine: { steps: 20, maxBatchSize: 2 },
      scaling: { minReplicas: 0, maxReplicas: 2, idleSeconds: 10, scaleDownStabilizationSeconds: 5 },
    },
  });
  const asleep = async () => {
    await until(read, (one) => reasonOf(one) === 'Asleep', 'sleep', 180_000);
    await until(pods, (left) => left.length === 0, 'the end of the last pod', 60_000);
  };
  // Whoever wakes it is another operator each time: first one that began while it slept.
  await asleep();
  await killOperator();
  for (let wake = 1; wake <= wakes; wake++) {
    if (wake > 1) await asleep();
    const asked = await askOnce(namespace, `client-${wake}`, `bags.${namespace}.svc`);
    await kubectl(['-n', namespace, 'wait', 'sis/bags', '--for=condition=Ready', '--timeout=30s']);
    const [pod] = await pods();
    const log = await kubectl(['-n', namespace, 'logs', '--timestamps', pod!.metadata.name]);
    console.log(`wake ${wake}: ${partsOf(pod!, log, asked)}`);
  }

  // Then one that began during the wake; and requests go on across the switch from the gateway to the pods, over
  // connections that are kept.
  await asleep();
  const bag = { prompt: 'a photo of a bag', seed: 1 };
  const started = startTraffic(namespace, `bags.${namespace}.svc`, bag, { count: 2 });
  await until(read, (one) => reasonOf(one) === 'Waking', 'a wake', 60_000);
  await killOperator();
  await started;
  const direct = await until(read, (one) => one.status?.traffic?.mode === 'Direct', 'the switch to the pods');
  expect(Number(direct.status?.traffic?.wakeSeconds)).toBeGreaterThan(0);
  const answered = await endTraffic(namespace);
  expect(answered.failures).toEqual([]);
  expect(answered.answers).toBeGreaterThan(0);
}, 900_000);
