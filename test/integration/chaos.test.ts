/** A small, fixed part of `npm run chaos`, on a control plane of its own. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { faultScenario } from '../chaos/faults';
import { killScenario } from '../chaos/kill';
import { memoryScenario } from '../chaos/memory';
import type { Outcome } from '../chaos/outcome';
import { createRandom } from '../chaos/random';
import { replicaScenario } from '../chaos/replicas';
import { serverScenario, type ServerFault } from '../chaos/server';
import { openWorld, type World } from '../chaos/world';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const report = () => undefined;
// Each takes 10 to 20 s; on a machine under load, more.
vi.setConfig({ testTimeout: 120_000 });

function expectUnbroken({ checks }: Outcome): void {
  expect(checks.length).toBeGreaterThan(0);
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
}

describe.concurrent('on one API server', () => {
  it('an operator that is killed again and again makes no second Job and loses no result', async () => {
    const random = createRandom('kill');
    expectUnbroken(await killScenario(world, { runs: 10, inFlight: 10, random, report }));
  });

  it('an operator of whose requests every tenth is spoilt does its work with few more of them', async () => {
    // Silence is noticed after 30 s at the earliest, which is too long here.
    const without = ['silence', 'silent watch'];
    const random = createRandom('faults');
    const options = { seconds: 8, rate: 0.1, inFlight: 4, without, recoveryMs: 30_000, random, report };
    expectUnbroken(await faultScenario(world, options));
  });

  it('of two operators one takes over when the other dies, ends or freezes, and never do both write', async () => {
    const timing = { leaseMs: 4_000, renewDeadlineMs: 3_000, retryMs: 500 };
    const random = createRandom('replicas');
    expectUnbroken(await replicaScenario(world, { timing, rounds: 1, inFlight: 3, random, report }));
  });
});

it.each<ServerFault>(['API server crash', 'definitions made again'])(
  'work goes on after: %s',
  async (fault) => {
    const random = createRandom(fault);
    expectUnbroken(await serverScenario(world, { inFlight: 3, random, report, only: [fault] }));
  },
);

it('an operator whose heap is measured does its work at the toy API server', async () => {
  const { checks } = await memoryScenario({ reconciles: 1_000, report });
  // Too few for the line of the heap.
  expect(checks.filter(({ name }) => name === 'runs end')).toMatchObject([{ ok: true }]);
}, 240_000);
