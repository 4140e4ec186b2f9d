/**
 * `npm run bench:serving`: cost against latency of this operator's autoscaler, of Knative's rule and of the
 * HorizontalPodAutoscaler's, on the same requests, simulated faster than time. The last line is one JSON object.
 */
import { Command } from 'commander';
import { alignColumns } from '../../scripts/figures';
import type { ScalingConfig } from '../../src/autoscale/config';
import { createRandom } from '../chaos/random';
import { builtin, fixed, hpa, knative, type Rule } from './serving/rules';
import { simulate, type Result, type Setting } from './serving/simulate';
import { recordedTrace, syntheticTraces, type Trace } from './serving/traces';

const BOUNDS = { minReplicas: 1, maxReplicas: 10 };
/** A batch of 8 images in 2 s: a replica draws 4 images a second. */
const SETTING: Setting = {
  engine: { batchSeconds: 2, maxBatchSize: 8, maxQueue: 64, startSeconds: 30 },
  limitSeconds: 10,
};
/** Requests in a replica at 70 % of its batch, Knative's default utilization. */
const CONCURRENCY = 5.6;

const DEFAULTS: ScalingConfig = {
  ...BOUNDS,
  target: { figure: 'denoisingSeconds', value: 2 },
  scaleDownStabilizationSeconds: 300,
  idleSeconds: 0,
  panicPercent: 200,
};

function rules(): Rule[] {
  const short = { ...DEFAULTS, scaleDownStabilizationSeconds: 60 };
  const concurrency = { ...short, target: { figure: 'concurrency', value: CONCURRENCY } as const };
  return [
    builtin('builtin', DEFAULTS),
    builtin('builtin, down in 60 s', short),
    builtin('builtin, concurrency, 60 s', concurrency),
    knative(CONCURRENCY, BOUNDS),
    hpa(CONCURRENCY, BOUNDS),
    fixed(BOUNDS.maxReplicas),
  ];
}

function table(results: readonly Result[]): string {
  const head = ['', 'replica hours', 'p50 s', 'p95 s', 'p99 s', 'failed %', 'late %', 'changes'];
  const rows = results.map((result) => [
    `  ${result.rule}`,
    (result.replicaSeconds / 3600).toFixed(2),
    result.p50Seconds.toFixed(1),
    result.p95Seconds.toFixed(1),
    result.p99Seconds.toFixed(1),
    result.failedPercent.toFixed(2),
    result.latePercent.toFixed(2),
    String(result.changes),
  ]);
  return alignColumns([head, ...rows]);
}

function play(trace: Trace, seed: string): Result[] {
  return rules().map((rule) => simulate(trace, rule, SETTING, createRandom(`${seed}/${trace.name}`)));
}

const { seed } = new Command()
  .option('--seed <text>', 'makes the synthetic requests and the choice of replicas', '1')
  .parse()
  .opts<{ seed: string }>();
const results: Result[] = [];
for (const trace of [...syntheticTraces(createRandom(seed)), recordedTrace()]) {
  const played = play(trace, seed);
  results.push(...played);
  console.log(
    `${trace.name}: ${trace.arrivals.length} requests in ${Math.round(trace.seconds / 60)} minutes`,
  );
  console.log(`${table(played)}\n`);
}
console.log(JSON.stringify({ seed, setting: SETTING, bounds: BOUNDS, concurrency: CONCURRENCY, results }));
