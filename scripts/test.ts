/**
 * `npm test [-- PART...]`: from a bare clone: sets everything up, then runs every test but the long ones of `faults`, or
 * only the named parts: check, unit, python, integration, chart, e2e, faults. It ends with what failed, and a last line
 * that counts them all: `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { Listr } from 'listr2';
import { clusterDown, clusterIsUp, ensureBinaries } from '../test/cluster/index';
import { unpackedPackage } from '../test/cluster/packages';
import { ClusterError } from '../test/cluster/wait';
import {
  addCounts,
  failureText,
  junitFailures,
  noTests,
  parseJUnit,
  parseVitest,
  summaryLine,
  vitestFailures,
  type Counts,
  type Failure,
} from './counts';
import { installOperator, releaseNamespace, type ImageRefs } from './deploy';
import { deployImages } from './images';
import { ensurePython } from './python';
import { checkChoice, openTarget, type Target, type TargetChoice } from './target';

const parts = ['check', 'unit', 'python', 'integration', 'chart', 'e2e', 'faults'] as const;
type Part = (typeof parts)[number];
/** Those that have to be named. */
const long: ReadonlySet<Part> = new Set(['faults']);

type Choice = TargetChoice & { only?: string };

type Setup = { python?: string; registry?: string; target?: Target; images?: ImageRefs };

function isPart(name: string): name is Part {
  return (parts as readonly string[]).includes(name);
}

/** Runs a test command with its output shown; its exit status is judged together with its counts. */
function show(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

type Outcome = { counts: Counts; failures: readonly Failure[] };

/** A runner that failed without a failed test (a crash, no tests found) counts as one failure. */
async function counted(
  status: number,
  file: string,
  parse: (text: string) => Counts,
  parseFailures: (text: string) => Failure[],
): Promise<Outcome> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const counts = text === undefined ? noTests : parse(text);
  const failures = text === undefined ? [] : parseFailures(text);
  const empty = counts.passed + counts.failed === 0;
  return (status !== 0 && counts.failed === 0) || empty
    ? { counts: { ...counts, failed: counts.failed + 1 }, failures }
    : { counts, failures };
}

type Run = { scratch: string; only: string | undefined };

async function vitest(project: Part, { scratch, only }: Run, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const file = path.join(scratch, `${project}.json`);
  const args = [
    'run',
    ...(only === undefined ? [] : [only]),
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ];
  return counted(await show('vitest', args, env), file, parseVitest, vitestFailures);
}

const pythonTests = 'images/sparsedm/tests';

async function python({ python = 'python3', registry }: Setup, { scratch, only }: Run): Promise<Outcome> {
  const file = path.join(scratch, 'python.xml');
  const chosen =
    only === undefined
      ? ['images/sparsedm']
      : (await readdir(pythonTests))
          .filter((name) => name.startsWith('test_') && name.endsWith('.py') && name.includes(only))
          .map((name) => path.join(pythonTests, name));
  // Without a file pytest would take all.
  if (chosen.length === 0) throw new ClusterError(`no file of ${pythonTests} has "${only}" in its name`);
  const lint = await show(python, ['-m', 'ruff', 'check', 'images/sparsedm']);
  // As in the images: threads that spin while they wait take cores from those that work.
  const programs = registry === undefined ? [] : [path.join(registry, 'usr/bin')];
  const env = {
    OMP_WAIT_POLICY: 'PASSIVE',
    PATH: [...programs, process.env.PATH ?? ''].join(path.delimiter),
  };
  // The tests use one thread each. A core begins with half of the tests in their order, which share what a file sets up,
  // and takes from those that the other has before it when it has done its own: single files take minutes.
  const shared = ['-n', 'auto', '--dist', 'worksteal'];
  const slowest = ['--durations=20', '--durations-min=5'];
  const args = ['-m', 'pytest', ...chosen, '-q', ...shared, ...slowest, `--junitxml=${file}`];
  const status = await show(python, args, env);
  return counted(lint || status, file, parseJUnit, junitFailures);
}

async function check(): Promise<Outcome> {
  const failed = (await show('tsx', ['scripts/check.ts'])) !== 0;
  return { counts: { passed: Number(!failed), failed: Number(failed), skipped: 0 }, failures: [] };
}

async function onCluster(project: Part, { target, images }: Setup, run: Run): Promise<Outcome> {
  if (!target || !images) throw new Error(`${project} needs a cluster and images`);
  await installOperator(target, images);
  return vitest(project, run, {
    KUBECONFIG: target.env.KUBECONFIG,
    SPARSEDM_E2E_KUBECTL: JSON.stringify(target.kubectlCommand),
    SPARSEDM_E2E_NAMESPACE: releaseNamespace,
    SPARSEDM_OPERATOR_IMAGE: images.operator,
    SPARSEDM_TRAINER_IMAGE: images.trainer,
    SPARSEDM_SERVING_IMAGE: images.serving,
  });
}

const needCluster: readonly Part[] = ['e2e', 'faults'];

async function setUp(wanted: ReadonlySet<Part>, choice: TargetChoice): Promise<Setup> {
  const needs = (...some: Part[]) => some.some((part) => wanted.has(part));
  const setup: Setup = {};
  await new Listr(
    [
      {
        title: 'Kubernetes and Helm binaries',
        enabled: needs('integration', 'chart', ...needCluster),
        task: async (_, task) => void (await ensureBinaries({ report: (line) => (task.output = line) })),
      },
      {
        title: 'Python environment',
        enabled: needs('python', 'integration'),
        task: async (_, task) => void (setup.python = await ensurePython((line) => (task.output = line))),
      },
      {
        title: 'Registry',
        enabled: needs('python'),
        // Where there is no apt the one test that needs it is skipped, and counted so.
        task: async (_, task) => {
          try {
            setup.registry = await unpackedPackage('docker-registry', (line) => (task.output = line));
          } catch (error) {
            task.skip(String(error));
          }
        },
      },
      {
        title: 'Cluster',
        enabled: needs(...needCluster),
        task: async (_, task) => {
          setup.target = await openTarget(choice, (line) => (task.output = line));
          task.title = `Cluster: ${setup.target.description}`;
        },
      },
      {
        title: 'Images of operator, trainer and serving',
        enabled: needs(...needCluster),
        task: async (_, task) =>
          void (setup.images = await deployImages(choice, (line) => (task.output = line))),
      },
    ],
    { concurrent: true },
  ).run();
  return setup;
}

async function main(names: readonly string[], { only, ...choice }: Choice): Promise<boolean> {
  const unknown = names.filter((name) => !isPart(name));
  if (unknown.length > 0)
    throw new ClusterError(`no such part: ${unknown.join(', ')}. The parts are ${parts.join(', ')}.`);
  await checkChoice(choice);
  const wanted = new Set<Part>(
    names.length > 0 ? names.filter(isPart) : parts.filter((one) => !long.has(one)),
  );
  const wasUp = await clusterIsUp();
  const scratch = await mkdtemp(path.join(tmpdir(), 'sparsedm-test-'));
  try {
    const setup = await setUp(wanted, choice);
    const run: Run = { scratch, only };
    const runs: Record<Part, () => Promise<Outcome>> = {
      check,
      unit: () => vitest('unit', run),
      python: () => python(setup, run),
      integration: () => vitest('integration', run),
      chart: () => vitest('chart', run),
      e2e: () => onCluster('e2e', setup, run),
      faults: () => onCluster('faults', setup, run),
    };
    const table: [Part, Counts, number][] = [];
    const failures: Failure[] = [];
    for (const part of parts.filter((one) => wanted.has(one))) {
      console.log(`\n== ${part}`);
      const started = performance.now();
      const outcome = await runs[part]();
      table.push([part, outcome.counts, (performance.now() - started) / 1000]);
      failures.push(...outcome.failures);
    }
    console.log(['', ...failures.map(failureText), ''].join('\n'));
    for (const [part, counts, seconds] of table) {
      console.log(`${part.padEnd(12)} ${summaryLine(counts)} (${seconds.toFixed(0)} s)`);
    }
    const total = addCounts(table.map(([, counts]) => counts));
    console.log(summaryLine(total));
    return total.failed === 0;
  } finally {
    await rm(scratch, { recursive: true, force: true });
    if (!wasUp && needCluster.some((part) => wanted.has(part))) await clusterDown();
  }
}

const program = new Command('npm test --')
  .description('All set-up and every test but faults, or only the named parts.')
  .argument('[parts...]', parts.join(', '))
  .option('--only <text>', 'of each part but check, the files whose path contains this')
  .option(
    '--context <name>',
    'run e2e and faults on this context of your kubeconfig instead of the embedded cluster',
  )
  .option('--registry <host/path>', 'with --context: push the images here, where the cluster can pull them')
  .option('--kind', 'run e2e and faults on a kind cluster; needs Docker');
program.parse();

try {
  if (!(await main(program.args, program.opts<Choice>()))) process.exitCode = 1;
} catch (error) {
  console.error(`error: ${error instanceof ClusterError ? error.message : String(error)}`);
  console.log(summaryLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}
