/** Random specs, figures, pods and crashes of the operator, against what must hold in every canary. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { advance, sizeFor, type Config, type Decision, type Sample } from './advance';
import type { RolloutState } from './state';

const config: Config = {
  strategy: 'Canary',
  canary: {
    steps: [10, 40, 100].map((weight) => ({ weight, holdSeconds: 20 })),
    analysis: {
      maxErrorRatePercent: 5,
      maxLatencyIncreasePercent: undefined,
      minRequests: 10,
    },
    deadlineSeconds: 120,
    digest: 'x',
  },
};

/** What happens between two looks of the operator. */
type Happening = {
  /** The version that the spec asks for from now on. */
  wanted?: string | undefined;
  seconds: number;
  /** Failures of the canary among its requests, in per cent. */
  failing: number;
  /** Whether pods that should be there become ready. */
  pods: boolean;
  /** Whether the operator ends after it has changed the children and before it has stored the state. */
  crash: boolean;
  requests: boolean;
};

const happening = fc.record({
  wanted: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined, freq: 8 }),
  seconds: fc.integer({ min: 1, max: 40 }),
  failing: fc.constantFrom(0, 0, 0, 1, 30),
  pods: fc.boolean(),
  crash: fc.constantFrom(false, false, false, true),
  requests: fc.boolean(),
});

/** A cluster with Deployments whose controllers act when told to. */
class World {
  now = 0;
  wanted = 'a';
  state: RolloutState | undefined;
  readonly replicas = 3;
  stable = { revision: 'a', old: 'a', fresh: 3 };
  canary: { revision: string; replicas: number; available: number } | undefined;
  /** Revision of canary's pods that still end. */
  ending: string | undefined;
  readonly decisions: Decision[] = [];

  sample({ failing, requests }: Happening): Sample {
    const { revision, old, fresh } = this.stable;
    const alone = fresh === this.replicas || revision === old;
    return {
      wanted: this.wanted,
      stable: {
        revision,
        replicas: this.replicas,
        available: this.replicas,
        alone,
        arrived: alone,
        late: false,
      },
      canary: this.canary && { revision: this.canary.revision, available: this.canary.available },
      canaryPods: [this.canary?.revision, this.ending].filter((one) => one !== undefined),
      divided: true,
      sharePercent: 0,
      figures: requests
        ? {
            canary: { requests: 100, failed: failing, answered: 100 },
            stable: { requests: 100, failed: 0, answered: 100 },
          }
        : undefined,
    };
  }

  /** One pass of the operator. */
  look(given: Happening): Decision {
    const decision = advance(config, this.state, this.sample(given), new Date(this.now * 1000));
    if (decision.rolls && this.wanted !== this.stable.revision) {
      this.stable = { revision: this.wanted, old: this.stable.revision, fresh: 0 };
    }
    this.applyCanary(decision);
    if (!given.crash) this.state = decision.state;
    this.decisions.push(decision);
    return decision;
  }

  private applyCanary({ canary: wanted }: Decision): void {
    if (this.canary !== undefined && this.canary.revision !== wanted?.revision) {
      this.ending = this.canary.revision;
      this.canary = undefined;
      return;
    }
    if (wanted === undefined) return;
    this.canary ??= { revision: wanted.revision, replicas: 0, available: 0 };
    this.canary.replicas = wanted.replicas ?? this.canary.replicas;
  }

  /** The controllers' turn. */
  pass({ wanted, seconds, pods }: Happening): void {
    this.now += seconds;
    this.wanted = wanted ?? this.wanted;
    if (!pods) return;
    this.ending = undefined;
    if (this.canary !== undefined) this.canary.available = this.canary.replicas;
    this.stable.fresh = Math.min(this.replicas, this.stable.fresh + 1);
    if (this.stable.fresh === this.replicas) this.stable.old = this.stable.revision;
  }

  versions(): Set<string> {
    const { revision, old } = this.stable;
    const all = [revision, old, this.canary?.revision, this.ending];
    return new Set(all.filter((one) => one !== undefined));
  }
}

const good: Happening = { seconds: 25, failing: 0, pods: true, crash: false, requests: true };

it('never runs three versions, divides requests only among pods that are there, and changes what serves only after the steps', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), (happenings) => {
      const world = new World();
      for (const each of happenings) {
        const before = { serves: world.stable.revision, state: world.state };
        const decision = world.look(each);
        expect(world.versions().size).toBeLessThanOrEqual(2);
        const weight = decision.traffic?.weightPercent ?? 0;
        const isOnlyOne = world.versions().size === 1;
        if (weight > 0 && before.state?.phase === 'Progressing' && decision.state?.phase === 'Progressing') {
          expect(isOnlyOne ? 0 : world.canary?.available).toBeGreaterThan(0);
        }
        if (world.stable.revision !== before.serves) {
          expect(['Promoting', 'Withdrawing']).toContain(before.state?.phase);
        }
        world.pass(each);
      }
    }),
    { numRuns: 500 },
  );
});

it('takes a version that is good all along to its end, from wherever it is', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), fc.constantFrom('d', 'e'), (happenings, next) => {
      const world = new World();
      for (const each of happenings) {
        world.look(each);
        world.pass(each);
      }
      world.wanted = next;
      for (let turn = 0; turn < 40; turn++) {
        world.look(good);
        world.pass(good);
      }
      expect(world.state).toMatchObject({ phase: 'Complete', revision: next });
      expect(world.stable).toEqual({ revision: next, old: next, fresh: 3 });
      expect(world.canary).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

it('takes a version that fails back, and never tries it again', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 40, maxLength: 60 }), (crashes) => {
      const world = new World();
      world.look(good);
      world.wanted = 'b';
      for (const crash of crashes) {
        const turn = { ...good, failing: 50, crash };
        world.look(turn);
        world.pass(turn);
        expect(world.stable.revision).toBe('a');
      }
      for (let turn = 0; turn < 10; turn++) {
        world.look({ ...good, failing: 50 });
        world.pass(good);
      }
      expect(world.state).toMatchObject({ phase: 'RolledBack', revision: 'b', from: 'a' });
      expect(world.canary).toBeUndefined();
      world.decisions.length = 0;
      for (let turn = 0; turn < 20; turn++) world.look(good);
      expect(world.decisions.every(({ canary, traffic, rolls }) => !canary && !traffic && !rolls)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

it('comes to rest while nothing happens', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
      const world = new World();
      for (const each of happenings) {
        world.look(each);
        world.pass(each);
        const sample = world.sample(each);
        const look = (state: RolloutState | undefined) =>
          advance(config, state, sample, new Date(world.now * 1000)).state;
        let { state } = world;
        for (let pass = 0; pass < 6; pass++) state = look(state);
        expect(look(state)).toEqual(state);
      }
    }),
    { numRuns: 200 },
  );
});

it('gives a canary its part of the pods, and never none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 1000 }), (weight, replicas) => {
      const size = sizeFor(weight, replicas);
      expect(size).toBeGreaterThanOrEqual(1);
      expect(size).toBeLessThanOrEqual(replicas);
      expect(100 * size).toBeGreaterThanOrEqual(weight * replicas);
    }),
  );
});
