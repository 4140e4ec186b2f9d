/**
 * `npm run bench:serving`: cost against latency of this operator's autoscaler, of Knative's rule and of the
 * HorizontalPodAutoscaler's, on the same requests, simulated faster than time; then what the gateway's hop costs and how
 * it bears overload, measured. The last line is one JSON object.
 */
import { Command, Option } from 'commander';
import { alignColumns } from '../../scripts/figures';
import type { ScalingConfig } from '../../src/autoscale/config';
import { createRandom } from '../chaos/random';
import { GOAL_MS, measureGateway, type GatewayFigures } from './serving/gateway/measure';
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

function runRules(seed: string) {
  const results: Result[] = [];
  for (const trace of [...syntheticTraces(createRandom(seed)), recordedTrace()]) {
    const played = play(trace, seed);
    results.push(...played);
    console.log(
      `${trace.name}: ${trace.arrivals.length} requests in ${Math.round(trace.seconds / 60)} minutes`,
    );
    console.log(`${table(played)}\n`);
  }
  return { seed, setting: SETTING, bounds: BOUNDS, concurrency: CONCURRENCY, results };
}

function describe({ hop, heldRequests, waves, heapAfterMiB }: GatewayFigures): string {
  const ms = (value: number) => value.toFixed(2);
  const latencies = alignColumns([
    ['', 'requests', 'p50 ms', 'p99 ms'],
    ...(['direct', 'gateway'] as const).map((side) => {
      const { requests, p50Ms, p99Ms } = hop[side];
      return [`  ${side}`, String(requests), ms(p50Ms), ms(p99Ms)];
    }),
    ['  overhead', '', ms(hop.overheadP50Ms), ms(hop.overheadP99Ms)],
    ['  overhead, median of windows', '', '', ms(hop.medianOverheadP99Ms)],
  ]);
  const overload = alignColumns([
    ['', ...waves.map((_, index) => `wave ${index + 1}`)],
    ['  sent', ...waves.map(({ sent }) => String(sent))],
    ['  most held', ...waves.map(({ mostHeld }) => String(mostHeld))],
    ['  accepted', ...waves.map(({ accepted }) => String(accepted))],
    ['  of which answered with 200', ...waves.map(({ answered }) => String(answered))],
    ['  refused with 429', ...waves.map(({ refused }) => String(refused))],
    ['  connections broken', ...waves.map(({ broken }) => String(broken))],
    [
      '  Retry-After s, min/median/max',
      ...waves.map(({ retryAfterSeconds: { min, median, max } }) => `${min}/${median}/${max}`),
    ],
    ['  in use before, MiB', ...waves.map(({ heapBeforeMiB }) => heapBeforeMiB.toFixed(1))],
    ['  RSS before, MiB', ...waves.map(({ rssBeforeMiB }) => rssBeforeMiB.toFixed(1))],
    ['  RSS peak so far, MiB', ...waves.map(({ rssPeakMiB }) => rssPeakMiB.toFixed(1))],
    ['  others direct, p99 ms', ...waves.map(({ others }) => ms(others.direct.p99Ms))],
    ['  others gateway, p99 ms', ...waves.map(({ others }) => ms(others.gateway.p99Ms))],
    ['  others failed', ...waves.map(({ others }) => String(others.failed))],
  ]);
  return [
    `gateway, ${hop.perSecond} requests a second each way, ${hop.windows} windows (goal: p99 overhead <= ${GOAL_MS} ms)`,
    latencies,
    `  ${hop.cpuMicroseconds} us of the gateway's CPU for a request; requests were sent ${ms(hop.lateP99Ms)} ms late (p99)\n`,
    `overload: ten times the ${heldRequests} requests that may wait, none of which has a pod until all are sent`,
    overload,
    `  in use after the last wave: ${heapAfterMiB.toFixed(1)} MiB\n`,
  ].join('\n');
}

async function runGateway(): Promise<GatewayFigures> {
  const figures = await measureGateway();
  console.log(describe(figures));
  return figures;
}

const { seed, only } = new Command()
  .option('--seed <text>', 'makes the synthetic requests and the choice of replicas', '1')
  .addOption(new Option('--only <part>', 'one part alone').choices(['rules', 'gateway']))
  .parse()
  .opts<{ seed: string; only?: 'rules' | 'gateway' }>();
const rulesFigures = only === 'gateway' ? {} : runRules(seed);
const gatewayFigures = only === 'rules' ? {} : { gateway: await runGateway() };
console.log(JSON.stringify({ ...rulesFigures, ...gatewayFigures }));
