import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { silentLogger } from '../../test/support/silent-logger';
import { createController, type Reconciler } from './controller';
import { ApiError } from './errors';
import type { ObjectKey } from './objects';
import type { Logger } from './telemetry/logger';
import { createMetrics } from './telemetry/metrics';

const key = (name: string): ObjectKey => ({ namespace: 'a', name });
const tick = () => new Promise((resolve) => setImmediate(resolve));

function start(reconcile: Reconciler['reconcile'], concurrency = 2, logger: Logger = silentLogger) {
  const clock = new FakeClock();
  const metrics = createMetrics();
  const controller = createController({
    name: 'thing',
    reconciler: { reconcile },
    concurrency,
    clock,
    logger,
    metrics,
    backoff: { baseMs: 10, capMs: 1000 },
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  return { clock, metrics, controller, stop, running };
}

describe('reconciles', () => {
  test('never run twice at once for one key, and no more than the bound in all', async () => {
    const active = new Map<string, number>();
    let most = 0;
    const finish: (() => void)[] = [];
    const { controller, stop, running } = start(async ({ name }) => {
      active.set(name, (active.get(name) ?? 0) + 1);
      expect(active.get(name)).toBe(1);
      most = Math.max(
        most,
        [...active.values()].reduce((sum, count) => sum + count, 0),
      );
      await new Promise<void>((resolve) => finish.push(resolve));
      active.set(name, 0);
    }, 3);
    for (let round = 0; round < 5; round++) {
      for (const name of ['a', 'b', 'c', 'd', 'e']) controller.enqueue(key(name));
      await tick();
      for (const done of finish.splice(0)) done();
      await tick();
    }
    stop.abort();
    for (const done of finish.splice(0)) done();
    await running;
    expect(most).toBe(3);
  });

  test('that ask for it run again later', async () => {
    const at: number[] = [];
    const { clock, controller, stop, running } = start(() => {
      at.push(clock.monotonic());
      return Promise.resolve(at.length < 3 ? { requeueAfterMs: 500 } : undefined);
    });
    controller.enqueue(key('a'));
    await clock.advanceAsync(5000);
    expect(at).toEqual([0, 500, 1000]);
    stop.abort();
    await running;
  });
});

describe('an error', () => {
  test('is retried with growing delays and spoils no other key', async () => {
    const at: number[] = [];
    let others = 0;
    const { clock, controller, metrics, stop, running } = start(({ name }) => {
      if (name === 'other') {
        others++;
        return Promise.resolve();
      }
      at.push(clock.monotonic());
      return at.length < 4 ? Promise.reject(new Error('broken')) : Promise.resolve();
    });
    controller.enqueue(key('bad'));
    controller.enqueue(key('other'));
    await clock.advanceAsync(5000);
    expect(at).toEqual([0, 10, 30, 70]);
    expect(others).toBe(1);
    const text = await metrics.registry.metrics();
    expect(text).toContain('controller_runtime_reconcile_total{controller="thing",result="error"} 3');
    expect(text).toContain('controller_runtime_reconcile_total{controller="thing",result="success"} 2');
    expect(text).toContain('controller_runtime_reconcile_errors_total{controller="thing"} 3');
    expect(text).toContain('controller_runtime_active_workers{controller="thing"} 0');
    expect(text).toContain('controller_runtime_reconcile_time_seconds_count{controller="thing"} 5');
    stop.abort();
    await running;
  });

  test('thrown outside of a promise is an error like any other', async () => {
    let calls = 0;
    const { clock, controller, stop, running } = start(() => {
      calls++;
      if (calls === 1) throw new Error('at once');
      return Promise.resolve();
    });
    controller.enqueue(key('a'));
    await clock.advanceAsync(100);
    expect(calls).toBe(2);
    stop.abort();
    await running;
  });

  test('with Retry-After waits as long as the server asks', async () => {
    const at: number[] = [];
    const busy = new ApiError({
      status: 429,
      reason: 'TooManyRequests',
      message: 'busy',
      retryAfterSeconds: 3,
    });
    const { clock, controller, stop, running } = start(() => {
      at.push(clock.monotonic());
      return at.length === 1 ? Promise.reject(busy) : Promise.resolve();
    });
    controller.enqueue(key('a'));
    await clock.advanceAsync(5000);
    expect(at).toEqual([0, 3000]);
    stop.abort();
    await running;
  });

  test.each([
    ['a lost race', new ApiError({ status: 409, reason: 'Conflict', message: 'modified' }), 'debug'],
    ['a failure that will be retried', new Error('no route'), 'warn'],
  ])('%s is logged at its level', async (_, error, want) => {
    const levels: string[] = [];
    const log = (level: string) => () => void levels.push(level);
    const logger: Logger = {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: () => logger,
    };
    const { clock, controller, stop, running } = start(() => Promise.reject(error), 1, logger);
    controller.enqueue(key('a'));
    await clock.advanceAsync(0);
    stop.abort();
    await running;
    expect(levels).toEqual([want]);
  });
});

test('a stop waits for what runs, starts nothing more and then ends', async () => {
  let finish = () => {};
  const seen: string[] = [];
  const { controller, stop, running } = start(({ name }) => {
    seen.push(name);
    return new Promise<void>((resolve) => (finish = resolve));
  }, 1);
  controller.enqueue(key('a'));
  controller.enqueue(key('b'));
  await tick();
  let ended = false;
  const end = running.then(() => (ended = true));
  stop.abort();
  await tick();
  expect(ended).toBe(false);
  finish();
  await end;
  expect(seen).toEqual(['a']);
});
