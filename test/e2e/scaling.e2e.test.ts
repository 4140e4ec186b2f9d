/** The builtin autoscaler with real pods and real requests. */
import { expect, it } from 'vitest';
import type { SparseInferenceService } from '../../src/api/types';
import { findCondition } from '../../src/kube/conditions';
import {
  apply,
  applyClaim,
  explainFailure,
  get,
  inNotebook,
  kubectl,
  list,
  until,
  useNamespace,
} from './cluster';
import { endTraffic, startTraffic } from './traffic';

type Event = { reason: string; message: string; involvedObject: { name: string } };

const namespace = useNamespace('e2e-scaling');

/** A model that nobody has trained: whoever scales cares for its requests alone. */
const writeModel = `
from pathlib import Path

import torch

from sparsedm.artifact.artifact import Identity, save_artifact
from sparsedm.measure.macs import count_macs
from sparsedm.models import UViTConfig, build_model
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern

torch.manual_seed(5)
pattern = Pattern(2, 4)
config = UViTConfig(32, 8, 1, width=32, depth=3, heads=2, num_classes=2, final_conv=False, prediction="v")
model = build_model(config)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.normal_(std=0.2)
selection, state = select_layers(model, pattern), model.state_dict()
weights = bake_masks(state, masks_for(state, selection.selected, pattern))
folder = Path("/models/bags")
folder.mkdir()
identity = Identity("test", config, ["bag", "sandal"], pattern, selection)
macs = count_macs(config, selection.selected, pattern).status()
fid = {"metric": "fd-test", "dense": "1", "sparse": "2"}
save_artifact(folder, weights, identity, macs, fid, {"run": "${namespace}/bags", "configDigest": "x"})
`;

it('goes from one pod to three and back under load, and answers every request', async () => {
  explainFailure(namespace);
  await applyClaim(namespace);
  await inNotebook(namespace, 'writer', 'sh', '-c', `umask 022; python -c '${writeModel}'`);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'bags' },
    spec: {
      model: { uri: 'pvc://models/bags' },
      engine: { steps: 100, maxBatchSize: 2 },
      scaling: { maxReplicas: 3, target: { concurrency: 3 }, scaleDownStabilizationSeconds: 5 },
    },
  });
  await kubectl(['-n', namespace, 'wait', 'sis/bags', '--for=condition=Ready', '--timeout=120s']);
  const read = () => get<SparseInferenceService>(namespace, 'sis/bags');
  const active = (one: SparseInferenceService) => findCondition(one.status?.conditions, 'ScalingActive');
  await until(read, (one) => active(one)?.status === 'True', 'the first report of a load', 30_000);

  const host = `bags.${namespace}.svc`;
  const body = { prompt: 'a photo of a bag', seed: 1 };
  // One request at a time all along, and eight more for a while.
  await startTraffic(namespace, host, body, { name: 'steady', count: 1, keep: false });
  await startTraffic(namespace, host, body, { name: 'rush', count: 8, pauseSeconds: 0, keep: false });
  const up = await until(read, (one) => one.status?.readyReplicas === 3, 'three pods', 90_000);
  expect(up.status).toMatchObject({ desiredReplicas: 3 });
  expect(active(up)).toMatchObject({ status: 'True' });
  const rush = await endTraffic(namespace, 'rush');

  await until(read, (one) => one.status?.desiredReplicas === 1, 'the wish for one pod', 120_000);
  const pods = () => list<object>(namespace, 'pods', 'sparsedm.io/service=bags');
  await until(pods, (left) => left.length === 1, 'one pod');
  const steady = await endTraffic(namespace, 'steady');

  expect([...rush.failures, ...steady.failures]).toEqual([]);
  expect(rush.answers).toBeGreaterThan(20);
  expect(steady.answers).toBeGreaterThan(20);
  const told = (await list<Event>(namespace, 'events')).filter(
    ({ involvedObject, reason }) => involvedObject.name === 'bags' && reason.startsWith('Scaled'),
  );
  expect(told.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['ScaledUp', 'ScaledDown']));
  expect(told.find(({ reason }) => reason === 'ScaledUp')?.message).toContain('requests are in the replicas');
  expect(told.length).toBeLessThanOrEqual(4);
});
