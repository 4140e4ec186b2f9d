/**
 * `npm run bench:operator -- --objects N`: the operator beside a baseline in Go on controller-runtime, one after the
 * other, each on a cluster of its own. The last line is one JSON object.
 */
import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Listr } from 'listr2';
import { ensureBinaries, type Report } from '../cluster/binaries';
import { ClusterError } from '../cluster/wait';
import { buildBaseline, buildOperator, type Contender, type ContenderName } from './contender';
import { measure, type MeasureOptions } from './measure';
import { summary, table, type Results } from './report';

type Options = MeasureOptions & {
  only?: ContenderName;
  first: ContenderName;
  nodeFlags: string[];
  output?: string;
};

const names = ['ours', 'baseline'] as const;

function countFrom(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`Write a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

function order({ only, first }: Options): ContenderName[] {
  if (only !== undefined) return [only];
  return first === 'ours' ? ['ours', 'baseline'] : ['baseline', 'ours'];
}

const titles: Record<ContenderName, string> = {
  ours: 'The operator',
  baseline: 'The baseline in Go on controller-runtime',
};

async function buildAll(options: Options, report: Report): Promise<Contender[]> {
  await ensureBinaries({ report });
  const contenders: Contender[] = [];
  for (const name of order(options)) {
    contenders.push(name === 'ours' ? await buildOperator(options.nodeFlags) : await buildBaseline(report));
  }
  return contenders;
}

async function bench(options: Options): Promise<Results> {
  const results: Results = {};
  let contenders: Contender[] = [];
  await new Listr(
    [
      {
        title: 'Programs',
        task: async (_, task) => {
          contenders = await buildAll(options, (line) => (task.output = line));
        },
      },
      ...order(options).map((name, index) => ({
        title: titles[name],
        task: async (_: unknown, task: { output: string; title: string }) => {
          const contender = contenders[index]!;
          results[name] = await measure(contender, options, (line) => (task.output = line));
        },
      })),
    ],
    { rendererOptions: { collapseErrors: false } },
  ).run();
  return results;
}

const program = new Command('npm run bench:operator --')
  .description('The operator beside a baseline written in Go with controller-runtime.')
  .requiredOption('--objects <count>', 'SparseFinetunes to run: 100, 1000, 10000', countFrom(1, 100_000))
  .option('--rate <count>', 'objects created each second', countFrom(1, 10_000), 40)
  .option('--parallel <count>', 'creations at one time, at most', countFrom(1, 1000), 16)
  .option('--restarts <count>', 'starts with all objects there; their median counts', countFrom(1, 100), 3)
  .option('--rest-seconds <seconds>', 'how long the rest at the end is watched', countFrom(1, 3600), 15)
  .addOption(new Option('--only <name>', 'measure one of the two').choices(names))
  .addOption(new Option('--first <name>', 'which of the two goes first').choices(names).default('ours'))
  .option('--node-flags <flags...>', "further flags of the operator's Node, such as --cpu-prof", [])
  .option('--output <file>', 'write every figure there, as JSON')
  .option('--keep', 'keep the control planes’ folders with all logs', false);
program.parse();

try {
  // Longer than the reconcilers' own requeues of 2 s.
  const options: Options = { ...program.opts<Options>(), settleSeconds: 3 };
  const results = await bench(options);
  const brief = summary(results, options.objects);
  if (options.output !== undefined) {
    await writeFile(options.output, `${JSON.stringify({ options, results, ...brief }, null, 2)}\n`);
  }
  console.log(`\n${table(results, options.objects)}\n`);
  console.log(JSON.stringify(brief));
} catch (error) {
  console.error('\nerror:', error instanceof ClusterError ? error.message : error);
  process.exit(1); // work still in progress has lost its cluster
}
