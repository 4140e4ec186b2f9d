import { describe, expect, it } from 'vitest';
import { NO_LOAD, type Load, type Target } from './load';
import { needOf } from './need';

const concurrency: Target = { figure: 'concurrency', value: 4 };
const queue: Target = { figure: 'denoisingSeconds', value: 2 };
const load = (some: Partial<Load>): Load => ({ ...NO_LOAD, ...some });

type Row = [
  title: string,
  target: Target,
  loads: Load[],
  others: { silent?: number; loading?: number },
  held: number,
  want: number | undefined,
];

const rows: Row[] = [
  ['the requests of all pods', concurrency, [load({ requests: 3 }), load({ requests: 5 })], {}, 0, 8],
  ['no load, where all pods say so', concurrency, [NO_LOAD, NO_LOAD], {}, 0, 0],
  ['not known without a pod', concurrency, [], {}, 0, undefined],
  ['not known while no pod reports', concurrency, [], { silent: 2 }, 0, undefined],
  ['what runs, while pods load for what gateways hold', concurrency, [], { silent: 2 }, 6, 8],
  ['what gateways hold, where that needs more', concurrency, [], { silent: 2 }, 12, 12],
  ['a replica for held requests of an unknown size', queue, [], {}, 6, 2],
  [
    'a silent pod at its target where fewer are needed',
    concurrency,
    [load({ requests: 1 })],
    { silent: 1 },
    0,
    5,
  ],
  [
    'a silent pod as empty where more are needed',
    concurrency,
    [load({ requests: 20 })],
    { silent: 1 },
    0,
    20,
  ],
  [
    'never more than what runs because of a silent pod',
    concurrency,
    [load({ requests: 6 })],
    { silent: 1 },
    0,
    8,
  ],
  ['the seconds that wait', queue, [load({ denoisingSeconds: 7 })], {}, 0, 7],
  ['at least what draws the arrivals', queue, [load({ denoisingSeconds: 1, offeredLoad: 2.1 })], {}, 0, 6],
  ['not known while the first pods load', concurrency, [], { loading: 2 }, 0, undefined],
  ['what the ready pods need, whatever loads', concurrency, [load({ requests: 5 })], { loading: 2 }, 0, 5],
];

describe('the load as one number', () => {
  it.each(rows)('is %s', (_, target, loads, { silent = 0, loading = 0 }, held, want) => {
    const value = needOf(target, { loads, silent, loading, held });
    if (want === undefined) expect(value).toBeUndefined();
    else expect(value).toBeCloseTo(want, 9);
  });
});
