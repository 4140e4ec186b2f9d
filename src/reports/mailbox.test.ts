import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import type { KubeClient, StatusOptions } from '../kube/client';
import { ObjectStore } from '../runtime/cache/store';
import { ApiError } from '../runtime/errors';
import type { KubeObject } from '../runtime/objects';
import { count, object, reader, yesOrNo } from './fields';
import type { ReportKind } from './kind';
import { createMailbox, WrongReportError } from './mailbox';

type Count = { step?: number; done?: boolean };
type Counter = KubeObject & { status?: Count };
type CountReport = { count?: Count };

/** A kind of object that the operator does not have: its pods count. */
const counts: ReportKind<Counter, CountReport> = {
  name: 'counter',
  resource: { group: 'x', version: 'v1', plural: 'counters', kind: 'Counter', namespaced: true },
  address: { objects: 'counters', topic: 'count' },
  controllers: [],
  parse: reader<CountReport>({ count: object<Count>({ step: count, done: yesOrNo }) }),
  isUrgent: (_, report) => report.count?.done === true,
  apply: ({ status }, report) => (status?.done === true ? undefined : { ...status, ...report.count }),
};

function aCounter(version: string, status: Count = {}, uid = 'u'): Counter {
  const metadata = { name: 'a', namespace: 'ml', uid, resourceVersion: version };
  return { apiVersion: 'x/v1', kind: 'Counter', metadata, status };
}

const conflict = new ApiError({ status: 409, reason: 'Conflict', message: 'changed' });

/** A mailbox whose store holds version 1 of the object; the API server holds `live` and refuses writes to version 1. */
function setUp(live: Counter | undefined) {
  const clock = new FakeClock();
  const store = new ObjectStore<Counter>();
  store.applyEvent(aCounter('1'));
  const results: string[] = [];
  const patched: [version: string | undefined, status: Count, options: StatusOptions | undefined][] = [];
  const client = {
    get: () => Promise.resolve(live),
    patchStatus: (_: unknown, object: Counter, status: Count, options?: StatusOptions) => {
      patched.push([object.metadata.resourceVersion, status, options]);
      return object.metadata.resourceVersion === '1' ? Promise.reject(conflict) : Promise.resolve(true);
    },
  } as unknown as Pick<KubeClient, 'get' | 'patchStatus'>;
  const onWrite = (_: string, result: string) => results.push(result);
  const mailbox = createMailbox({ kind: counts, client, clock, store, onWrite });
  const reporter = { namespace: 'ml', podName: 'a-1', podUid: 'u', account: 'default' };
  const put = (sent: unknown) => mailbox.find({ namespace: 'ml', name: 'a' })!.put({ count: sent }, reporter);
  return { mailbox, store, clock, put, patched, results };
}

it('has no box for an object that is not there', () => {
  expect(setUp(undefined).mailbox.find({ namespace: 'ml', name: 'b' })).toBe(undefined);
});

it('takes no report with a wrong field, and names it', async () => {
  const { put, patched } = setUp(aCounter('2'));
  await expect(put({ step: -1 })).rejects.toThrow(WrongReportError);
  await expect(put({ step: -1 })).rejects.toThrow('count.step must be a whole number from 0');
  expect(patched).toEqual([]);
});

describe('a report that meets a change', () => {
  it('is written onto the object as it is then, under its own field manager', async () => {
    const { put, patched, results } = setUp(aCounter('2', { step: 1 }));
    await put({ done: true });
    expect(patched.map(([version, status]) => [version, status])).toEqual([
      ['1', { done: true }],
      ['2', { step: 1, done: true }],
    ]);
    expect(patched[0]?.[2]).toEqual({ fieldManager: 'sparsedm-reports', requireUnchanged: true });
    expect(results).toEqual(['written']);
  });

  it('whose object changes under it again and again is kept, and its sender told', async () => {
    const { mailbox, put, patched, results } = setUp(aCounter('1'));
    await expect(put({ done: true })).rejects.toBe(conflict);
    expect([patched.length, results, mailbox.waiting]).toEqual([5, ['failed'], 1]);
  });

  it('is dropped when the object takes no more reports', async () => {
    const { put, patched, results } = setUp(aCounter('2', { done: true }));
    await put({ step: 1 });
    expect([patched.length, results]).toEqual([1, ['dropped']]);
  });

  it('is dropped when another object has taken the name', async () => {
    const { put, results } = setUp(aCounter('2', {}, 'later'));
    await put({ step: 1 });
    expect(results).toEqual(['dropped']);
  });

  it('is dropped when the object is gone', async () => {
    const { put, results } = setUp(undefined);
    await put({ step: 1 });
    expect(results).toEqual(['dropped']);
  });
});

it('writes later reports together, and at the end what waits', async () => {
  const { mailbox, store, put, patched } = setUp(undefined);
  store.applyEvent(aCounter('2'));
  expect(await put({ step: 1 })).toBe('written');
  expect(await put({ step: 2 })).toBe('accepted');
  expect(await put({ step: 3 })).toBe('accepted');
  await mailbox.flush();
  expect(patched.map(([, status]) => status)).toEqual([{ step: 1 }, { step: 3 }]);
});
