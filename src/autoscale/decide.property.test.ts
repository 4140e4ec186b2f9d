import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScalingConfig } from './config';
import { decide, initialState, type Sample, type ScalingState } from './decide';
import { isIdle, sumOf, type Load } from './load';

const amount = (max: number) => fc.double({ min: 0, max, noNaN: true });
const load: fc.Arbitrary<Load> = fc.record({
  requests: amount(200),
  queuedImages: amount(500),
  denoisingSeconds: amount(500),
  offeredLoad: amount(20),
});
/** What a live pod reports: nothing though it is ready, nothing because it is not, or a load. */
type Told = Load | undefined | 'loading';
const pods = fc.array(
  fc.oneof({ weight: 4, arbitrary: load }, fc.constant(undefined), fc.constant('loading' as const)),
  { maxLength: 12 },
);
const isLoad = (told: Told): told is Load => told !== undefined && told !== 'loading';

const config: fc.Arbitrary<ScalingConfig> = fc
  .record({
    low: fc.integer({ min: 0, max: 12 }),
    more: fc.integer({ min: 0, max: 20 }),
    figure: fc.constantFrom('concurrency', 'queuedImages', 'denoisingSeconds'),
    value: fc.double({ min: 0.1, max: 50, noNaN: true }),
    scaleDownStabilizationSeconds: fc.integer({ min: 0, max: 600 }),
    idleSeconds: fc.integer({ min: 0, max: 600 }),
    panicPercent: fc.integer({ min: 110, max: 1000 }),
  })
  .map(({ low, more, figure, value, ...rest }) => ({
    ...rest,
    minReplicas: low,
    maxReplicas: Math.max(1, low + more),
    target: { figure, value },
  }));

const steps = fc.array(fc.record({ seconds: fc.integer({ min: 1, max: 40 }), pods }), {
  minLength: 1,
  maxLength: 40,
});

function sampleOf(present: number, given: readonly Told[], now: number): Sample {
  return {
    present,
    gateways: { held: 0, requests: 0 },
    maySleep: true,
    pods: given.map((each) =>
      isLoad(each) ? { serves: true, report: { at: now, load: each } } : { serves: each === undefined },
    ),
  };
}

type Step = {
  now: number;
  before: number;
  replicas: number;
  state: ScalingState;
  given: readonly Told[];
};

function play(
  scaling: ScalingConfig,
  present: number,
  all: readonly { seconds: number; pods: Told[] }[],
): Step[] {
  let now = 0;
  let replicas = present;
  let state = initialState(present, now);
  return all.map(({ seconds, pods: given }) => {
    now += seconds * 1000;
    const before = replicas;
    ({ replicas, state } = decide(scaling, state, sampleOf(before, given, now), now));
    return { now, before, replicas, state, given };
  });
}

const present = fc.integer({ min: 0, max: 40 });

describe('decide, whatever the loads', () => {
  it('stays between minReplicas and maxReplicas', () => {
    fc.assert(
      fc.property(config, present, steps, (scaling, start, all) => {
        for (const { replicas } of play(scaling, start, all)) {
          expect(replicas).toBeGreaterThanOrEqual(scaling.minReplicas);
          expect(replicas).toBeLessThanOrEqual(scaling.maxReplicas);
        }
      }),
    );
  });

  it('never goes to zero while a request waits, or while a replica is silent or loads', () => {
    const sleepy = config.map((each) => ({ ...each, minReplicas: 0, idleSeconds: 1 }));
    fc.assert(
      fc.property(sleepy, fc.integer({ min: 1, max: 10 }), steps, (scaling, start, all) => {
        for (const { before, replicas, given } of play(scaling, start, all)) {
          const known = given.filter(isLoad);
          const unsure = known.length < given.length || known.length === 0;
          if (before > 0 && (unsure || !isIdle(sumOf(known)))) expect(replicas).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('gives no fewer replicas to more load', () => {
    const more = fc.record({
      requests: amount(50),
      queuedImages: amount(50),
      denoisingSeconds: amount(50),
      offeredLoad: amount(5),
    });
    fc.assert(
      fc.property(config, present, steps, load, more, (scaling, start, all, base, added) => {
        const { state, replicas, now } = play(scaling, start, all).at(-1)!;
        const give = (each: Load) =>
          decide(scaling, state, sampleOf(replicas, [each], now + 2000), now + 2000).replicas;
        expect(give(sumOf([base, added]))).toBeGreaterThanOrEqual(give(base));
      }),
    );
  });

  it('takes no replica within the window after it was wanted', () => {
    const steady = config.map((each) => ({
      ...each,
      minReplicas: 1,
      maxReplicas: Math.max(each.maxReplicas, 2),
    }));
    fc.assert(
      fc.property(steady, fc.integer({ min: 1, max: 2 }), steps, (scaling, start, all) => {
        const played = play(scaling, start, all);
        played.forEach(({ now, before, replicas }, index) => {
          if (before > scaling.maxReplicas || replicas >= before) return;
          const since = now - scaling.scaleDownStabilizationSeconds * 1000;
          const given = played
            .slice(0, index)
            .filter((step) => step.now > since && step.replicas > step.before);
          for (const step of given) expect(replicas).toBeGreaterThanOrEqual(step.replicas);
        });
      }),
    );
  });

  it('does not flap where the load rises and falls by half again and again', () => {
    const spells = fc.array(fc.integer({ min: 30, max: 50 }), { minLength: 30, maxLength: 40 });
    const fixed: ScalingConfig = {
      minReplicas: 1,
      maxReplicas: 50,
      target: { figure: 'concurrency', value: 4 },
      scaleDownStabilizationSeconds: 300,
      idleSeconds: 0,
      panicPercent: 200,
    };
    fc.assert(
      fc.property(spells, fc.integer({ min: 4, max: 20 }), (all, replicas) => {
        const loads = all.flatMap((length, index) => {
          const requests = 4 * (index % 2 === 0 ? 0.5 : 1.5);
          const each = { requests, queuedImages: 0, denoisingSeconds: 0, offeredLoad: 0 };
          const pods = Array.from({ length: replicas }, () => each);
          return Array.from({ length }, () => ({ seconds: 2, pods }));
        });
        const changes = play(fixed, replicas, loads).filter((step) => step.replicas !== step.before);
        const isDown = changes.map((step) => step.replicas < step.before);
        const turns = isDown.filter((down, index) => down && isDown[index - 1] === false);
        expect(turns.length).toBeLessThanOrEqual((2 * loads.length) / fixed.scaleDownStabilizationSeconds);
      }),
    );
  }, 60_000);

  it('keeps the replicas where nothing reports', () => {
    const silent = fc.array(
      fc.record({
        seconds: fc.integer({ min: 1, max: 900 }),
        pods: fc.array(fc.constantFrom(undefined, 'loading' as const), { maxLength: 5 }),
      }),
      { minLength: 1, maxLength: 10 },
    );
    fc.assert(
      fc.property(config, fc.integer({ min: 1, max: 10 }), silent, (scaling, start, all) => {
        const bounded = Math.min(scaling.maxReplicas, Math.max(1, scaling.minReplicas, start));
        expect(play(scaling, start, all).map(({ replicas }) => replicas)).toEqual(all.map(() => bounded));
      }),
    );
  });

  it('remembers no more than its windows', () => {
    fc.assert(
      fc.property(config, present, steps, (scaling, start, all) => {
        for (const { state } of play(scaling, start, all)) {
          expect(state.measured.length).toBeLessThanOrEqual(60);
          expect(state.recommended.length).toBeLessThanOrEqual(all.length + 1);
          const replicas = state.recommended.map((each) => each.replicas);
          expect(replicas).toEqual([...replicas].sort((a, b) => b - a));
        }
      }),
    );
  });
});
