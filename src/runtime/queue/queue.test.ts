import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock';
import { createMetrics } from '../telemetry/metrics';
import { WorkQueue, type Priority } from './queue';

function newQueue(backoff = { baseMs: 10, capMs: 1000 }) {
  const clock = new FakeClock();
  return { clock, queue: new WorkQueue({ clock, backoff }) };
}

/** Takes what is ready now. */
async function takeAll(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = [];
  while (queue.depth > 0) keys.push((await queue.take())!);
  return keys;
}

describe('keys', () => {
  test('come in the order added, each once', async () => {
    const { queue } = newQueue();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(await takeAll(queue)).toEqual(['a', 'b', 'c']);
  });

  test('added while processed come again, once, after done', async () => {
    const { queue } = newQueue();
    queue.add('a');
    expect(await queue.take()).toBe('a');
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a']);
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  test('of low priority wait behind the others and rise with a change', async () => {
    const { queue } = newQueue();
    for (const key of ['l1', 'l2', 'l3']) queue.add(key, 'low');
    queue.add('n1');
    queue.add('l3');
    queue.add('n1', 'low');
    queue.add('h1', 'high');
    queue.add('l2', 'high');
    queue.add('h1');
    expect(await takeAll(queue)).toEqual(['h1', 'l2', 'n1', 'l3', 'l1']);
  });

  test('added while processed come again with the highest priority asked for', async () => {
    const { queue } = newQueue();
    queue.add('a');
    await queue.take();
    queue.add('b');
    for (const priority of ['low', 'high', 'normal'] as const) queue.add('a', priority);
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a', 'b']);
  });

  test('of lower priority leave some workers to those of high priority, however many there are', async () => {
    const queue = new WorkQueue({ clock: new FakeClock(), mostLower: 2 });
    for (const key of ['n1', 'n2', 'n3', 'n4']) queue.add(key);
    queue.add('l1', 'low');
    const taken: (string | undefined)[] = [];
    const work = () => void queue.take().then((key) => taken.push(key));
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    for (let worker = 0; worker < 4; worker++) work();
    await settle();
    expect(taken).toEqual(['n1', 'n2']);
    queue.add('h1', 'high');
    await settle();
    expect(taken).toEqual(['n1', 'n2', 'h1']);
    // The fourth worker goes on where one of the lower ones ends, not where h1 does.
    queue.done('h1');
    await settle();
    expect(taken).toHaveLength(3);
    queue.done('n1');
    await settle();
    expect(taken).toEqual(['n1', 'n2', 'h1', 'n3']);
    queue.done('n2');
    queue.done('n3');
    work();
    work();
    await settle();
    expect(taken.slice(4)).toEqual(['n4', 'l1']);
  });

  test('added with high priority while they are processed with a lower one come again as high', async () => {
    const queue = new WorkQueue({ clock: new FakeClock(), mostLower: 1 });
    queue.add('a');
    queue.add('b');
    expect(await queue.take()).toBe('a');
    queue.add('a', 'high');
    queue.done('a');
    expect(await queue.take()).toBe('a');
    expect(await queue.take()).toBe('b');
  });

  test.each([
    { busy: ['high'], quiet: 'normal', handOuts: [4, 9, 14] },
    { busy: ['high'], quiet: 'low', handOuts: [4, 9, 14] },
    { busy: ['normal'], quiet: 'low', handOuts: [4, 9, 14] },
    { busy: ['high', 'normal'], quiet: 'low', handOuts: [24, 49, 74] },
  ] as const)('of $quiet priority get their share while $busy come without end', async (row) => {
    const { queue } = newQueue();
    for (let index = 0; index < 3; index++) queue.add(`quiet/${index}`, row.quiet);
    const order: string[] = [];
    for (let round = 0; round < 80; round++) {
      for (const priority of row.busy) queue.add(`${priority}/${round}`, priority);
      const key = (await queue.take())!;
      order.push(key.split('/')[0]!);
      queue.done(key);
    }
    const quiet = order.flatMap((namespace, index) => (namespace === 'quiet' ? [index] : []));
    expect(quiet).toEqual(row.handOuts);
  });

  test('of namespaces that wait take turns, in the order in which the namespaces came', async () => {
    const { queue } = newQueue();
    for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'c/1', 'c/2', '/cluster']) queue.add(key);
    expect(await takeAll(queue)).toEqual(['a/1', 'b/1', 'c/1', '/cluster', 'a/2', 'c/2', 'a/3']);
  });

  test('go to a worker that waits', async () => {
    const { queue } = newQueue();
    const taken = queue.take();
    queue.add('a');
    expect(await taken).toBe('a');
  });
});

describe('delays', () => {
  test('the earliest of several stands', async () => {
    const { clock, queue } = newQueue();
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 80);
    clock.advance(49);
    expect(queue.depth).toBe(0);
    clock.advance(1);
    expect(await takeAll(queue)).toEqual(['a']);
    queue.done('a');
    clock.advance(1000);
    expect(queue.depth).toBe(0);
  });

  test('is added with the priority that was asked for', async () => {
    const { clock, queue } = newQueue();
    queue.addAfter('later', 10, 'low');
    queue.addAfter('a', 10);
    clock.advance(10);
    expect(await takeAll(queue)).toEqual(['a', 'later']);
  });

  test('is not lost to an earlier one of lower priority', () => {
    const { clock, queue } = newQueue();
    queue.addAfter('first', 20, 'high');
    queue.addAfter('first', 10);
    expect(queue.delayed).toBe(1);
    queue.add('other');
    clock.advance(10);
    clock.advance(10);
    expect(queue.depth).toBe(2);
    // It rose: otherwise "other" would be first.
    return expect(takeAll(queue)).resolves.toEqual(['first', 'other']);
  });

  test('a pass that begins takes the pending delay with it', async () => {
    const { clock, queue } = newQueue();
    queue.addAfter('a', 100);
    queue.add('a');
    expect(await queue.take()).toBe('a');
    queue.done('a');
    clock.advance(1000);
    expect(queue.depth).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('failures double the delay up to the cap; forget starts over', () => {
    const { clock, queue } = newQueue();
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      queue.addRateLimited('a');
      waits.push(clock.untilNext!);
      clock.advance(clock.untilNext!);
      void queue.take();
      queue.done('a');
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    queue.forget('a');
    queue.addRateLimited('a');
    expect(clock.untilNext).toBe(10);
  });

  test('the server may ask for more than the back-off', () => {
    const { clock, queue } = newQueue();
    queue.addRateLimited('a', 7000);
    expect(clock.untilNext).toBe(7000);
  });
});

test('its state says what waits, runs, is delayed and fails, and names no more than a hundred of each', async () => {
  const { clock, queue } = newQueue();
  queue.add('a/runs');
  await queue.take();
  clock.advance(1500);
  for (const key of ['a/1', 'b/1', 'b/2', 'b/3', 'b/4']) queue.add(key);
  queue.add('a/2', 'low');
  queue.add('a/3', 'high');
  queue.addRateLimited('c/1');
  queue.addAfter('d/later', 60_000);
  expect(queue.state()).toEqual({
    waiting: {
      total: 7,
      namespaces: [
        { namespace: 'b', high: 0, normal: 4, low: 0 },
        { namespace: 'a', high: 1, normal: 1, low: 1 },
      ],
    },
    processing: [{ key: 'a/runs', since: new Date('2026-01-01T00:00:00Z') }],
    delayed: {
      total: 2,
      next: [
        { key: 'c/1', due: new Date('2026-01-01T00:00:01.510Z') },
        { key: 'd/later', due: new Date('2026-01-01T00:01:01.500Z') },
      ],
    },
    failing: { total: 1, worst: [{ key: 'c/1', failures: 1 }] },
  });
  for (let index = 0; index < 150; index++) queue.addRateLimited(`n${index}/x`);
  const { delayed, failing } = queue.state();
  expect([delayed.total, delayed.next.length]).toEqual([152, 100]);
  expect([failing.total, failing.worst.length]).toEqual([151, 100]);
});

test('a closed queue gives undefined, cancels delays and takes nothing more', async () => {
  const { clock, queue } = newQueue();
  const waiting = queue.take();
  queue.addAfter('a', 10);
  queue.close();
  expect(await waiting).toBeUndefined();
  expect(clock.pending).toBe(0);
  queue.add('b');
  queue.addAfter('b', 1);
  expect(queue.depth).toBe(0);
  expect(await queue.take()).toBeUndefined();
});

test('metrics carry client-go names', async () => {
  const clock = new FakeClock();
  const metrics = createMetrics();
  const queue = new WorkQueue({ clock, name: 'finetune', metrics });
  queue.add('a');
  queue.add('b');
  queue.add('a');
  void queue.take();
  clock.advance(2000);
  const text = await metrics.registry.metrics();
  const labels = '{name="finetune",controller="finetune"}';
  expect(text).toContain(`workqueue_adds_total${labels} 2`);
  expect(text).toContain(`workqueue_depth${labels} 1`);
  expect(text).toContain(`workqueue_unfinished_work_seconds${labels} 2`);
  expect(text).toContain(`workqueue_longest_running_processor_seconds${labels} 2`);
  queue.done('a');
  queue.addRateLimited('a');
  const after = await metrics.registry.metrics();
  expect(after).toContain(`workqueue_retries_total${labels} 1`);
  expect(after).toContain(`workqueue_work_duration_seconds_count${labels} 1`);
});

const ranked = ['high', 'normal', 'low'] as const;
const priorityArbitrary = fc.constantFrom(...ranked);
const keyArbitrary = fc.constantFrom('a', 'b', 'c', 'd');
const commands = fc.array(
  fc.oneof(
    fc.record({ op: fc.constant('add' as const), key: keyArbitrary, priority: priorityArbitrary }),
    fc.record({ op: fc.constant('after' as const), key: keyArbitrary, ms: fc.integer({ min: 0, max: 500 }) }),
    fc.record({ op: fc.constant('fail' as const), key: keyArbitrary }),
    fc.record({ op: fc.constant('take' as const) }),
    fc.record({ op: fc.constant('done' as const), key: keyArbitrary }),
    fc.record({ op: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 400 }) }),
  ),
  { maxLength: 60 },
);

type Command = typeof commands extends fc.Arbitrary<(infer Item)[]> ? Item : never;

/** Works on a queue as commanded and checks at each hand-out that nobody else holds the key. */
function worker() {
  const { clock, queue } = newQueue();
  const inProcess = new Set<string>();
  /** Keys added since their last processing began: each must be handed out before the end. */
  const owed = new Set<string>();
  const finish = (key: string) => {
    if (inProcess.delete(key)) queue.done(key);
  };
  const takeOne = async () => {
    if (queue.depth === 0) return;
    const key = (await queue.take())!;
    expect(inProcess.has(key)).toBe(false);
    inProcess.add(key);
    owed.delete(key);
  };
  const add = (command: Command & { key: string }) => {
    if (command.op === 'add') queue.add(command.key, command.priority);
    if (command.op === 'after') queue.addAfter(command.key, command.ms);
    if (command.op === 'fail') queue.addRateLimited(command.key);
    owed.add(command.key);
  };
  const run = async (command: Command) => {
    if (command.op === 'take') await takeOne();
    else if (command.op === 'done') finish(command.key);
    else if (command.op === 'advance') clock.advance(command.ms);
    else add(command);
  };
  const finishAll = async () => {
    for (const key of inProcess) finish(key);
    while (queue.depth > 0 || clock.pending > 0) {
      clock.advance(clock.untilNext ?? 0);
      await takeOne();
      for (const key of inProcess) finish(key);
    }
  };
  return { run, finishAll, owed, queue };
}

test('property: never two workers on one key, no key lost, none left behind', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (steps) => {
      const { run, finishAll, owed, queue } = worker();
      for (const step of steps) await run(step);
      await finishAll();
      expect([...owed]).toEqual([]);
      expect([queue.processing, queue.delayed, queue.depth]).toEqual([0, 0, 0]);
    }),
  );
});

const namespaces = ['a', 'b', 'c', 'd', 'e'];
const fairnessSteps = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ op: fc.constant('take' as const) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        op: fc.constant('add' as const),
        namespace: fc.constantFrom(...namespaces),
        count: fc.integer({ min: 1, max: 30 }),
        priority: priorityArbitrary,
      }),
    },
  ),
  { maxLength: 120 },
);

/**
 * The lane of each key, as a model of the queue has it, and what each namespace had to watch since its own last
 * hand-out (or since it began to wait).
 */
function fairnessModel() {
  const keys = { high: new Set<string>(), normal: new Set<string>(), low: new Set<string>() };
  const watched = {
    high: new Map<string, string[]>(),
    normal: new Map<string, string[]>(),
    low: new Map<string, string[]>(),
  };
  const laneOf = (key: string) => ranked.find((lane) => keys[lane].has(key));
  const waits = (lane: Priority, namespace: string) =>
    [...keys[lane]].some((key) => key.startsWith(`${namespace}/`));
  return {
    add(key: string, lane: Priority) {
      const held = laneOf(key);
      if (held !== undefined && ranked.indexOf(held) <= ranked.indexOf(lane)) return;
      const namespace = key.split('/')[0]!;
      if (!waits(lane, namespace)) watched[lane].set(namespace, []);
      if (held !== undefined && keys[held].delete(key) && !waits(held, namespace)) {
        watched[held].delete(namespace);
      }
      keys[lane].add(key);
    },
    handOut(key: string): Priority {
      const lane = laneOf(key)!;
      keys[lane].delete(key);
      const namespace = key.split('/')[0]!;
      for (const [other, seen] of watched[lane]) {
        if (other !== namespace) seen.push(namespace);
      }
      if (waits(lane, namespace)) watched[lane].set(namespace, []);
      else watched[lane].delete(namespace);
      return lane;
    },
    waiting: () => ranked.filter((lane) => keys[lane].size > 0),
    watched,
  };
}

test('property: between two hand-outs for a namespace that waits, each other gets at most one', async () => {
  await fc.assert(
    fc.asyncProperty(fairnessSteps, async (steps) => {
      const { queue } = newQueue();
      const model = fairnessModel();
      let next = 0;
      let highest = 0;
      for (const step of steps) {
        if (step.op === 'add') {
          for (let count = 0; count < step.count; count++) {
            // Some keys come again, so that low ones rise.
            const key = `${step.namespace}/${next++ % 40}`;
            queue.add(key, step.priority);
            model.add(key, step.priority);
          }
        } else if (queue.depth > 0) {
          const [first, ...others] = model.waiting();
          const key = (await queue.take())!;
          queue.done(key);
          highest = model.handOut(key) === first && others.length > 0 ? highest + 1 : 0;
          // Four of each priority but the lowest, and the fifth turn goes further down.
          expect(highest).toBeLessThan(2 * 5);
        }
        for (const lane of Object.values(model.watched)) {
          for (const seen of lane.values()) expect(new Set(seen).size).toBe(seen.length);
        }
      }
    }),
  );
});

test('a namespace of 10,000 keys delays another by one hand-out, and all are handed out', async () => {
  const { queue } = newQueue();
  for (let index = 0; index < 10_000; index++) queue.add(`crowd/${index}`, 'low');
  queue.add('alone/1', 'low');
  expect([await queue.take(), await queue.take()]).toEqual(['crowd/0', 'alone/1']);
  const rest = await takeAll(queue);
  expect(new Set(rest).size).toBe(9_999);
});

test('property: every back-off lies between its base and its cap and never shrinks', () => {
  const options = fc.record({
    baseMs: fc.integer({ min: 1, max: 1000 }),
    factor: fc.integer({ min: 1, max: 10_000 }),
    failures: fc.integer({ min: 1, max: 1200 }),
  });
  fc.assert(
    fc.property(options, ({ baseMs, factor, failures }) => {
      const capMs = baseMs * factor;
      const { clock, queue } = newQueue({ baseMs, capMs });
      let previous = 0;
      for (let failure = 0; failure < failures; failure++) {
        queue.addRateLimited('a');
        const wait = clock.untilNext!;
        expect(wait).toBeGreaterThanOrEqual(Math.max(baseMs, previous));
        expect(wait).toBeLessThanOrEqual(capMs);
        previous = wait;
        clock.advance(wait);
        void queue.take();
        queue.done('a');
      }
    }),
    { numRuns: 30 },
  );
});
