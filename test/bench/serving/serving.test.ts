import { describe, expect, it } from 'vitest';
import { createRandom } from '../../chaos/random';
import { newMemory, Replica, type EngineModel, type Request } from './engine';
import { Timeline } from './events';
import { fixed, hpa, knative } from './rules';
import { simulate } from './simulate';
import { recordedTrace, syntheticTraces, type Trace } from './traces';

const engine: EngineModel = { batchSeconds: 2, maxBatchSize: 8, maxQueue: 16, startSeconds: 30 };
const bounds = { minReplicas: 1, maxReplicas: 10 };

describe('the timeline', () => {
  it('runs events in order, and what they add', () => {
    const timeline = new Timeline();
    const seen: number[] = [];
    const random = createRandom(1);
    const times = Array.from({ length: 200 }, () => Math.floor(random.between(0, 1000)));
    for (const at of times) timeline.at(at, () => seen.push(timeline.now));
    timeline.at(500, () => timeline.at(500.5, () => seen.push(timeline.now)));
    timeline.runUntil(1000);
    expect(seen).toEqual([...times, 500.5].sort((a, b) => a - b));
  });
});

describe('the model of a server', () => {
  function start(): {
    timeline: Timeline;
    replica: Replica;
    answered: number[];
    ask: (images: number) => boolean;
  } {
    const timeline = new Timeline();
    const answered: number[] = [];
    const replica = new Replica(0, engine, timeline, ({ arrived }: Request) =>
      answered.push(timeline.now - arrived),
    );
    const ask = (images: number) => replica.submit({ arrived: timeline.now, images, left: images });
    return { timeline, replica, answered, ask };
  }

  it('draws a batch in the same time, full or not, and the next ones after it', () => {
    const { timeline, answered, ask } = start();
    expect([ask(1), ask(8), ask(4)]).toEqual([true, true, true]);
    timeline.runUntil(10_000);
    // The first image is drawn alone, then eight, then the last four.
    expect(answered).toEqual([2000, 4000, 6000]);
  });

  it('refuses what the queue does not hold, and reports it as load', () => {
    const { timeline, replica, ask } = start();
    expect([ask(8), ask(16), ask(1)]).toEqual([true, true, false]);
    timeline.runUntil(1000);
    const { load } = replica.report(newMemory(replica));
    expect(load).toEqual({ requests: 2, queuedImages: 17, denoisingSeconds: 4.25, offeredLoad: 6.25 });
  });

  it('ends when what it accepted is drawn', () => {
    const { timeline, replica, answered, ask } = start();
    ask(8);
    timeline.runUntil(500);
    replica.leave();
    timeline.runUntil(5000);
    expect(answered).toEqual([2000]);
    expect(replica.ended).toBe(2000);
  });
});

describe('the rules beside ours', () => {
  function loaded(requests: number, count = 1): { timeline: Timeline; replicas: Replica[] } {
    const timeline = new Timeline();
    const replicas = Array.from({ length: count }, () => {
      const replica = new Replica(
        0,
        { ...engine, batchSeconds: 1e6, maxQueue: 1000 },
        timeline,
        () => undefined,
      );
      replica.readyAt = 0;
      for (let i = 0; i < requests / count; i++) replica.submit({ arrived: 0, images: 1, left: 1 });
      return replica;
    });
    return { timeline, replicas };
  }

  it('Knative: a burst is answered from the mean of 6 s, and the panic takes no pod', () => {
    const { timeline, replicas } = loaded(40);
    const rule = knative(4, bounds);
    const wanted = Array.from({ length: 6 }, (_, i) => {
      timeline.runUntil((i + 1) * 1000);
      return rule.decide(replicas, 1, timeline.now);
    });
    expect(wanted.at(-1)).toBe(10);
  });

  it('HPA: at most four pods more in a decision, and none less for five minutes', () => {
    const { timeline, replicas } = loaded(400);
    const rule = hpa(4, { minReplicas: 1, maxReplicas: 100 });
    timeline.runUntil(15_000);
    expect(rule.decide(replicas, 1, 15_000)).toBe(5);
    const idle = loaded(0, 5);
    const quiet = hpa(4, bounds);
    const wanted = [15, 300, 330].map((second) => quiet.decide(idle.replicas, 5, second * 1000));
    expect(wanted).toEqual([5, 5, 1]);
  });
});

describe('a simulation', () => {
  const trace: Trace = {
    name: 'two',
    seconds: 60,
    arrivals: [
      { at: 0, images: 1 },
      { at: 30_000, images: 17 },
    ],
  };

  it('counts replicas, latencies, refusals and late answers', () => {
    const result = simulate(trace, fixed(2), { engine, limitSeconds: 1 }, createRandom(1));
    expect(result).toMatchObject({
      requests: 2,
      replicaSeconds: 120,
      p50Seconds: 2,
      p99Seconds: 2,
      failedPercent: 50,
      latePercent: 50,
      changes: 0,
    });
  });

  it('is the same with the same seed', () => {
    const [poisson] = syntheticTraces(createRandom(7));
    const once = () =>
      simulate(poisson!, knative(5.6, bounds), { engine, limitSeconds: 10 }, createRandom(7));
    expect(once()).toEqual(once());
  });
});

describe('traces', () => {
  it('have the rate that their names say', () => {
    const [poisson] = syntheticTraces(createRandom(1));
    expect(poisson!.arrivals.length / poisson!.seconds).toBeCloseTo(6, 0);
    const times = poisson!.arrivals.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('hold the recorded hour', () => {
    const recorded = recordedTrace();
    expect(recorded).toMatchObject({ seconds: 3436 });
    expect(recorded.arrivals).toHaveLength(8819);
  });
});
