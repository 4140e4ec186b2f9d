import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { silentLogger } from '../../test/support/silent-logger';
import type { DemandReport } from '../reports/demand';
import { createReporter, type Demand, type Reporter } from './reporter';

const key = { namespace: 'ml', name: 'shirts' };
let clock: FakeClock;
let demand: Demand | undefined;
let told: DemandReport[];
let isDeaf: boolean;
let reporter: Reporter;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  demand = { key, held: 0, requests: 0, revisions: {} };
  told = [];
  isDeaf = false;
  reporter = createReporter({
    clock,
    logger: silentLogger,
    read: () => demand,
    post: (_, report) => {
      if (isDeaf) return Promise.reject(new Error('status 421'));
      told.push(report);
      return Promise.resolve();
    },
  });
  stop = new AbortController();
  running = reporter.run(stop.signal);
});

const hold = (held: number) => (demand = { ...demand!, held, requests: held });

describe('a gateway tells', () => {
  it('at once that a request waits, and of those that follow in time', async () => {
    hold(1);
    reporter.due(key, true);
    await clock.advanceAsync(0);
    expect(told.map(({ held }) => held)).toEqual([1]);
    hold(2);
    reporter.due(key, true);
    await clock.advanceAsync(1_900);
    expect(told.length).toBe(1);
    await clock.advanceAsync(100);
    expect(told.map(({ held }) => held)).toEqual([1, 2]);
  });

  it('every two seconds while there are requests, and once that there are none', async () => {
    hold(1);
    reporter.due(key, false);
    await clock.advanceAsync(6_000);
    expect(told.map(({ requests }) => requests)).toEqual([1, 1, 1]);
    hold(0);
    await clock.advanceAsync(20_000);
    expect(told.map(({ requests }) => requests)).toEqual([1, 1, 1, 0]);
    expect(new Set(told.map(({ gateway }) => gateway)).size).toBe(1);
  });

  it('again until it is heard, with what is true then', async () => {
    isDeaf = true;
    hold(1);
    reporter.due(key, true);
    await clock.advanceAsync(5_000);
    hold(3);
    isDeaf = false;
    await clock.advanceAsync(1_000);
    expect(told[0]).toMatchObject({ held: 3 });
  });

  it('nothing of a service that is gone', async () => {
    reporter.due(key, true);
    await clock.advanceAsync(0);
    const before = told.length;
    demand = undefined;
    await clock.advanceAsync(10_000);
    expect(told.length).toBe(before);
  });

  it('the last figures when it ends', async () => {
    hold(1);
    reporter.due(key, true);
    await clock.advanceAsync(0);
    const figures = { requests: 1, failed: 0, latency: { count: 1, sumSeconds: 2 } };
    demand = { key, held: 0, requests: 0, revisions: { r1: figures } };
    stop.abort();
    await clock.advanceAsync(0);
    await running;
    expect(told.at(-1)).toMatchObject({ held: 0, revisions: { r1: figures } });
  });
});
