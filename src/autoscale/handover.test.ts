import { describe, expect, it } from 'vitest';
import { handOver, type Engine } from './handover';

type Row = [
  title: string,
  before: Engine | undefined,
  engine: Engine,
  given: number,
  present: number | undefined,
  minReplicas: number,
  want: number | undefined,
];

const rows: Row[] = [
  ['builtin keeps what it has', 'builtin', 'builtin', 1, 4, 1, undefined],
  ['keda begins from what builtin left', 'builtin', 'keda', 1, 4, 1, 4],
  ['keda may begin from a sleeping service', 'builtin', 'keda', 1, 0, 0, 0],
  ['keda that may not let it sleep wakes it', 'builtin', 'keda', 2, 0, 1, 1],
  ['hpa begins from what builtin left', 'builtin', 'hpa', 1, 4, 1, 4],
  ['hpa, which rests at 0, wakes a sleeping service', 'builtin', 'hpa', 2, 0, 1, 1],
  ['nothing is written where the number is right', 'builtin', 'keda', 4, 4, 1, undefined],
  ['a service that builtin left stopped stays stopped', 'builtin', 'keda', 0, 0, 1, undefined],
  ['the operator before this one may have scaled', undefined, 'keda', 1, 4, 1, 4],
  ['a new service has no number to keep', undefined, 'keda', 2, undefined, 1, undefined],
  ['keda follows its own writes', 'keda', 'keda', 5, 3, 1, undefined],
  ['hpa goes on from what keda wrote', 'keda', 'hpa', 5, 3, 1, undefined],
  ['keda goes on from what a person wrote', 'none', 'keda', 5, 3, 1, undefined],
  ['a person has the last word', 'keda', 'none', 5, 3, 1, undefined],
  ['builtin begins from the Deployment', 'keda', 'builtin', 5, 3, 1, undefined],
  ['builtin does not take sleep under keda for a stop', 'keda', 'builtin', 0, 0, 0, 1],
  ['builtin gives at least minReplicas to what slept', 'keda', 'builtin', 0, 0, 2, 2],
  ['hpa gives at least minReplicas to what slept', 'keda', 'hpa', 0, 0, 1, 1],
  ['a service stopped under hpa stays stopped', 'hpa', 'builtin', 0, 0, 1, undefined],
];

describe('a handover', () => {
  it.each(rows)('%s', (_, before, engine, given, present, minReplicas, want) => {
    expect(handOver({ before, engine, given, present, minReplicas })).toBe(want);
  });

  it('is done once', () => {
    for (const [, before, engine, given, present, minReplicas] of rows) {
      const written = handOver({ before, engine, given, present, minReplicas }) ?? given;
      const again = {
        engine,
        given: written,
        present: engine === 'builtin' ? present : written,
        minReplicas,
      };
      expect(handOver({ ...again, before: engine })).toBeUndefined();
    }
  });
});
