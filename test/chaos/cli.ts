/** `npm run chaos`: real faults, and the invariants that must hold under them. */
import { Command, InvalidArgumentError } from 'commander';
import { defaultTiming } from '../../src/runtime/leader';
import { faultScenario } from './faults';
import { electedScenario, killScenario } from './kill';
import { memoryScenario } from './memory';
import type { Outcome } from './outcome';
import { createRandom, type Random } from './random';
import { replicaScenario } from './replicas';
import { serverScenario } from './server';
import { openWorld, type World } from './world';

type Settings = { runs: number; inFlight: number; seed: string; seconds: number; reconciles: number };
type Report = (line: string) => void;
type Context = Settings & { random: Random; report: Report };
type Scenario = (context: Context) => Promise<Outcome>;

/** Each scenario breaks a cluster of its own, so that none starts from another's damage. */
function inWorld(scenario: (world: World, context: Context) => Promise<Outcome>): Scenario {
  return async (context) => {
    const world = await openWorld(context.report);
    try {
      return await scenario(world, context);
    } finally {
      await world.close();
    }
  };
}

const scenarios: Record<string, Scenario> = {
  kill: inWorld(killScenario),
  elected: inWorld((world, context) =>
    electedScenario(world, { ...context, runs: Math.ceil(context.runs / 20), inFlight: 4 }),
  ),
  // A silent watch is noticed after two minutes without a byte.
  faults: inWorld((world, context) =>
    faultScenario(world, { ...context, rate: 0.1, inFlight: 8, without: [], recoveryMs: 135_000 }),
  ),
  server: inWorld((world, context) => serverScenario(world, { ...context, inFlight: 5 })),
  replicas: inWorld((world, context) =>
    replicaScenario(world, { ...context, timing: defaultTiming, rounds: 3, inFlight: 6 }),
  ),
  memory: memoryScenario,
};

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('Write a whole number from 1 on.');
  return value;
}

function elapsed(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => line.trimEnd())
    .join('\n');
}

/** A scenario that fails to finish does not keep the others from running. */
function broken(error: unknown): Outcome {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { checks: [{ name: 'the scenario ends', ok: false, detail }], figures: {} };
}

async function runAll(names: readonly string[], settings: Settings): Promise<Record<string, Outcome>> {
  const started = performance.now();
  console.log(`seed ${settings.seed}`);
  const outcomes: Record<string, Outcome> = {};
  for (const [name, scenario] of Object.entries(scenarios).filter(([each]) => names.includes(each))) {
    const begun = performance.now();
    const report = (line: string) => console.log(`[${elapsed(started)}] ${name}: ${line}`);
    const random = createRandom(`${settings.seed}/${name}`);
    const { checks, figures } = await scenario({ ...settings, random, report }).catch(broken);
    for (const { ok, name: what, detail } of checks) report(`${ok ? 'ok' : 'BROKEN'}: ${what} (${detail})`);
    const wallSeconds = Math.round((performance.now() - begun) / 1000);
    outcomes[name] = { checks, figures: { ...figures, wallSeconds } };
  }
  return outcomes;
}

async function main(options: { scenario?: string[]; seed: string } & Omit<Settings, 'seed'>): Promise<void> {
  const names = options.scenario ?? Object.keys(scenarios);
  const outcomes = await runAll(names, options);
  const rows = Object.entries(outcomes).flatMap(([scenario, { checks }]) =>
    checks.map(({ name, ok, detail }) => [scenario, `${ok ? 'ok    ' : 'BROKEN'} ${name}`, detail]),
  );
  console.log(`\n${table(rows)}`);
  const ok = Object.values(outcomes).every(({ checks }) => checks.every((each) => each.ok));
  console.log(JSON.stringify({ ok, seed: options.seed, scenarios: outcomes }));
  if (!ok) process.exitCode = 1;
}

function scenarioName(text: string, previous: string[] | undefined): string[] {
  if (!Object.hasOwn(scenarios, text)) {
    throw new InvalidArgumentError(`The scenarios are ${Object.keys(scenarios).join(', ')}.`);
  }
  return [...(previous ?? []), text];
}

const program = new Command('npm run chaos --')
  .description('Causes faults around a real operator and a real API server, and checks what must hold.')
  .option('--scenario <name>', `one of ${Object.keys(scenarios).join(', ')}; repeatable`, scenarioName)
  .option('--runs <count>', 'runs that the operator is killed during', count, 1000)
  .option('--in-flight <count>', 'runs at one time', count, 24)
  .option('--seconds <count>', 'how long a part of all requests is spoilt', count, 180)
  .option('--reconciles <count>', 'reconciles while the heap is measured', count, 200_000)
  .option('--seed <text>', 'what all random choices follow from', String(Date.now() % 1_000_000));
program.parse();
await main(program.opts());
