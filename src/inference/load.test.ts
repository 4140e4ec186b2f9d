import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceService } from '../api/types';
import type { Load } from '../autoscale/load';
import { WrongReportError } from '../reports/mailbox';
import { ObjectStore } from '../runtime/cache/store';
import { createLoadMailbox } from './load';

const key = { namespace: 'ml', name: 'shirts' };
const load: Load = { requests: 1.5, queuedImages: 4, denoisingSeconds: 2.25, offeredLoad: 0.5 };
const reporter = { namespace: 'ml', podName: 'shirts-a', podUid: 'pod-uid', account: 'default' };

function start(service: SparseInferenceService) {
  const store = new ObjectStore<SparseInferenceService>();
  store.applyEvent(service);
  const heard: unknown[] = [];
  const heardQuality: unknown[] = [];
  const mailbox = createLoadMailbox({
    store,
    isLeader: () => true,
    hear: (...given) => heard.push(given),
    hearQuality: (...given) => heardQuality.push(given),
  });
  return { mailbox, heard, heardQuality, put: (body: unknown) => mailbox.find(key)!.put(body, reporter) };
}

const scaled = aService({ replicas: 1, scaling: { maxReplicas: 3 } });

describe('a report of load', () => {
  it('reaches the autoscaler with its pod, and the pod learns when to report again', async () => {
    const { put, heard } = start(scaled);
    await expect(put({ ...load, stepsPerSecond: 40 })).resolves.toEqual({
      answer: { everySeconds: 2, idleSeconds: 10, byGateway: false },
    });
    expect(heard).toEqual([[key, 'service-uid', 'pod-uid', load]]);
  });

  it('is wanted more rarely where nothing scales by it', async () => {
    const { put, heard } = start(aService());
    const answer = { everySeconds: 30, idleSeconds: 30, byGateway: false };
    await expect(put(load)).resolves.toEqual({ answer });
    expect(heard).toEqual([]);
  });

  it.each([
    ['Direct', false],
    ['Gateway', true],
  ] as const)('hears with mode %s whether clients should come by the gateway', async (mode, byGateway) => {
    const { put } = start(aService({}, { traffic: { mode, gatewayPort: 20001 } }));
    await expect(put(load)).resolves.toEqual({ answer: { everySeconds: 5, idleSeconds: 30, byGateway } });
  });

  it('tells beside it what the pod measured of its images, also where nothing scales by the load', async () => {
    const { put, heardQuality } = start(aService());
    const quality = { metric: 'fd-x', distance: '3.42', images: 500, window: 500, seed: 7 };
    await put({ ...load, quality });
    const { seed: _, ...known } = quality;
    expect(heardQuality).toEqual([[key, 'service-uid', 'pod-uid', known]]);
  });

  it.each<[string, unknown, string]>([
    ['a negative number', { ...load, requests: -1 }, 'load.requests must be a number from 0'],
    ['a text', { ...load, offeredLoad: '1' }, 'load.offeredLoad must be a number'],
    ['a missing figure', { requests: 1 }, 'load.queuedImages must be there'],
    [
      'a distance that is none',
      { ...load, quality: { distance: 'NaN' } },
      'quality.distance must be a decimal',
    ],
    ['a list', [], 'load must be an object'],
    ['nothing', null, 'The report must be a JSON object'],
  ])('with %s is refused', async (_, body, says) => {
    const { put, heard } = start(scaled);
    const refused = put(body);
    await expect(refused).rejects.toThrow(WrongReportError);
    await expect(refused).rejects.toThrow(says);
    expect(heard).toEqual([]);
  });
});
