/** A small run of the operator's benchmark, without the baseline, so that it keeps working. */
import { expect, test } from 'vitest';
import { buildOperator } from '../bench/contender';
import { measure } from '../bench/measure';

test('the benchmark measures the operator from a SparseFinetune to its end', async () => {
  const objects = 20;
  const options = {
    objects,
    rate: 20,
    parallel: 4,
    restarts: 1,
    restSeconds: 1,
    settleSeconds: 1,
    keep: false,
  };
  const figures = await measure(await buildOperator([]), options, () => undefined);
  expect(figures.requests).toMatchObject({ 'create jobs': objects });
  // The end of each is always written; what comes before may be overtaken where the machine is slow.
  expect(figures.requests['patch sparsefinetunes/status']).toBeGreaterThanOrEqual(objects);
  expect(figures.p50Ms).toBeGreaterThan(0);
  expect(figures.p99Ms).toBeGreaterThanOrEqual(figures.p50Ms);
  expect(figures.cpuSeconds).toBeGreaterThan(0);
  expect(figures.peakMiB).toBeGreaterThan(20);
  expect(figures.resyncSeconds).toBeGreaterThan(0);
}, 240_000);
