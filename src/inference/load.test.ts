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
  const mailbox = createLoadMailbox({ store, isLeader: () => true, hear: (...given) => heard.push(given) });
  return { mailbox, heard, put: (body: unknown) => mailbox.find(key)!.put(body, reporter) };
}

const scaled = aService({ replicas: 1, scaling: { maxReplicas: 3 } });

describe('a report of load', () => {
  it('reaches the autoscaler with its pod, and the pod learns when to report again', async () => {
    const { put, heard } = start(scaled);
    await expect(put({ ...load, stepsPerSecond: 40 })).resolves.toEqual({
      answer: { everySeconds: 2, idleSeconds: 10 },
    });
    expect(heard).toEqual([[key, 'service-uid', 'pod-uid', load]]);
  });

  it('is wanted more rarely where nothing scales by it', async () => {
    const { put, heard } = start(aService());
    await expect(put(load)).resolves.toEqual({ answer: { everySeconds: 30, idleSeconds: 30 } });
    expect(heard).toEqual([]);
  });

  it.each<[string, unknown, string]>([
    ['a negative number', { ...load, requests: -1 }, 'load.requests must be a number from 0'],
    ['a text', { ...load, offeredLoad: '1' }, 'load.offeredLoad must be a number'],
    ['a missing figure', { requests: 1 }, 'load.queuedImages must be there'],
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
