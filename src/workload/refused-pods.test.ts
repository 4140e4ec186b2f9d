import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import type { KubeClient } from '../kube/client';
import type { Job } from '../kube/resources';
import { ApiError } from '../runtime/errors';
import { createPodRefusals } from './refused-pods';

const job = (uid: string, namespace = 'ml') => ({ metadata: { name: uid, namespace, uid } }) as Job;
const event = (uid: string, message: string, lastTimestamp = '2026-01-01T00:01:00Z') => ({
  involvedObject: { uid },
  message,
  lastTimestamp,
  metadata: { name: `${uid}.${message}` },
});
const noon = Date.parse('2026-01-01T00:00:00Z');

function setUp(list: () => Promise<object[]>) {
  const clock = new FakeClock('2026-01-01T00:00:00Z');
  const lists: object[] = [];
  const client = {
    list: (_: unknown, options: object) => {
      lists.push(options);
      return list();
    },
  } as unknown as KubeClient;
  return { clock, lists, refusals: createPodRefusals(client, clock) };
}

describe('why pods were refused', () => {
  it('is one list for all runs of a namespace, and a new one some seconds later', async () => {
    const { clock, lists, refusals } = setUp(() =>
      Promise.resolve([event('a', 'quota'), event('b', 'policy')]),
    );
    const ask = () =>
      Promise.all([refusals.of(job('a'), noon), refusals.of(job('b'), noon), refusals.of(job('c'), noon)]);
    expect(await ask()).toEqual(['quota', 'policy', undefined]);
    clock.advance(2_000);
    await ask();
    expect(lists).toEqual([
      { namespace: 'ml', fieldSelector: 'involvedObject.kind=Job,reason=FailedCreate' },
    ]);
    clock.advance(100);
    await ask();
    expect(lists).toHaveLength(2);
    await refusals.of(job('a', 'other'), noon);
    expect(lists).toHaveLength(3);
  });

  it('is asked for less often where there is much of it', async () => {
    const many = Array.from({ length: 1000 }, (_, at) => event(`job-${at}`, 'quota'));
    const { clock, lists, refusals } = setUp(() => Promise.resolve(many));
    for (let second = 0; second < 60; second++) {
      await refusals.of(job(`job-${second}`), noon);
      clock.advance(1_000);
    }
    expect(lists.length).toBeLessThanOrEqual(9);
  });

  it('is the newest word', async () => {
    const { refusals } = setUp(() =>
      Promise.resolve([event('a', 'new', '2026-01-01T00:02:00Z'), event('a', 'old')]),
    );
    expect(await refusals.of(job('a'), noon)).toBe('new');
  });

  it('is no news when a pod came later', async () => {
    const { refusals } = setUp(() => Promise.resolve([event('a', 'quota')]));
    expect(await refusals.of(job('a'), Date.parse('2026-01-01T00:01:00Z'))).toBeUndefined();
  });

  it('is not known without the right to list events', async () => {
    const forbidden = new ApiError({ status: 403, reason: 'Forbidden', message: 'no' });
    const { refusals } = setUp(() => Promise.reject(forbidden));
    expect(await refusals.of(job('a'), noon)).toBeUndefined();
  });

  it('is asked for again after an error', async () => {
    const error = new ApiError({ status: 500, reason: 'InternalError', message: 'no' });
    const { lists, refusals } = setUp(() => Promise.reject(error));
    await expect(refusals.of(job('a'), noon)).rejects.toBe(error);
    await expect(refusals.of(job('a'), noon)).rejects.toBe(error);
    expect(lists).toHaveLength(2);
  });
});
