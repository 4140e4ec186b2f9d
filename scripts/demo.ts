/**
 * `npm run demo`: from a bare clone to a sparse diffusion model that serves images.
 *
 * Brings up a cluster (the embedded one unless told otherwise), builds and loads the images, installs the chart,
 * fine-tunes the shipped Fashion-MNIST model to 2:4 sparsity, serves it, and shows dense beside sparse.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import cliProgress from 'cli-progress';
import { Command } from 'commander';
import { Listr } from 'listr2';
import { ClusterError } from '../test/cluster/wait';
import type { Condition, SparseFinetune, SparseInferenceService } from '../src/api/types';
import { installOperator, type ImageRefs } from './deploy';
import { figuresTable } from './figures';
import { withForward } from './forward';
import { deployImages } from './images';
import { checkChoice, openTarget, type Target, type TargetChoice } from './target';

const namespace = 'sparsedm-demo';
const name = 'fashion';
const examples = 'docs/examples';
const outputDir = 'demo-output';
const prompt = 'ankle boot';
/** How often the finetune is read while it trains; the trainer itself reports every 2 s. */
const pollMs = 2000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const elapsed = (since: number) => `${((performance.now() - since) / 1000).toFixed(0)} s`;

function heading(text: string): void {
  console.log(`\n== ${text}`);
}

async function setUp(choice: TargetChoice): Promise<{ target: Target; images: ImageRefs }> {
  const found: { target?: Target; images?: ImageRefs } = {};
  const tasks = new Listr(
    [
      {
        title: 'Cluster',
        task: async (_, task) => {
          found.target = await openTarget(choice, (line) => (task.output = line));
          task.title = `Cluster: ${found.target.description}`;
        },
      },
      {
        title: 'Images of operator, trainer and serving',
        task: async (_, task) => {
          found.images = await deployImages(choice, (line) => (task.output = line));
        },
      },
    ],
    { concurrent: true, rendererOptions: { collapseErrors: false } },
  );
  await tasks.run();
  if (!found.target || !found.images) throw new Error('set-up ended without a cluster or images');
  await new Listr([
    { title: 'Operator by Helm', task: async () => installOperator(found.target!, found.images!) },
  ]).run();
  return { target: found.target, images: found.images };
}

async function read<T>(target: Target, resource: string): Promise<T> {
  return JSON.parse(await target.kubectl(['-n', namespace, 'get', resource, '-o', 'json'])) as T;
}

/** A clean namespace, so that a second run trains again rather than finding the first one's result. */
async function applyFinetune(target: Target): Promise<void> {
  await target.kubectl([
    'delete',
    'namespace',
    namespace,
    '--ignore-not-found',
    '--wait=true',
    '--timeout=120s',
  ]);
  await target.kubectl(['create', 'namespace', namespace]);
  await target.kubectl(['-n', namespace, 'apply', '--validate=strict', '-f', `${examples}/finetune.yaml`]);
}

/** Where a finetune stands, in one line: the parts that are known. */
function summary({ status = {} }: SparseFinetune): string {
  const { progress = {}, sparsity = {} } = status;
  const { stage, stages, stagePattern, loss, eta } = progress;
  const parts = [
    [progress.phase ?? status.phase, ''],
    [stagePattern, `stage ${stage}/${stages} (${stagePattern})`],
    [loss, `loss ${loss}`],
    [sparsity.achieved, `sparsity ${sparsity.achieved}`],
    [eta, `${eta} left`],
  ];
  return parts.flatMap(([known, text]) => (known ? [text || known] : [])).join(' | ');
}

function reasonOf(conditions: readonly Condition[] | undefined, type: string): string {
  const condition = conditions?.find((one) => one.type === type);
  return condition ? `${condition.reason}: ${condition.message}` : 'no reason given';
}

type Display = { show(percent: number, text: string): void; stop(): void };

/** A bar on a terminal; elsewhere a line whenever something changed. */
function display(): Display {
  if (!process.stdout.isTTY) {
    let shown = '';
    const show = (percent: number, text: string) => {
      const line = `${String(percent).padStart(3)}% | ${text}`;
      if (line !== shown) console.log(line);
      shown = line;
    };
    return { show, stop: () => undefined };
  }
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {percentage}% | {text}', barsize: 24, hideCursor: true },
    cliProgress.Presets.shades_grey,
  );
  bar.start(100, 0, { text: 'waiting for the trainer' });
  return { show: (percent, text) => bar.update(percent, { text }), stop: () => bar.stop() };
}

/** Shows stage, progress, loss, sparsity and time left until the finetune ends; throws with its reason if it failed. */
async function watchTraining(target: Target): Promise<SparseFinetune> {
  const view = display();
  try {
    for (;;) {
      const current = await read<SparseFinetune>(target, `sft/${name}`);
      view.show(current.status?.progress?.percent ?? 0, summary(current));
      if (current.status?.phase === 'Succeeded') return current;
      if (current.status?.phase === 'Failed') {
        throw new Error(`the finetune failed, ${reasonOf(current.status.conditions, 'Succeeded')}`);
      }
      await pause(pollMs);
    }
  } finally {
    view.stop();
  }
}

async function generate(url: string): Promise<Buffer> {
  const response = await fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt, n: 1, size: '256x256', response_format: 'b64_json', seed: 7 }),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`the service answered ${response.status}: ${body}`);
  const parsed = JSON.parse(body) as { data: { b64_json: string }[] };
  return Buffer.from(parsed.data[0]?.b64_json ?? '', 'base64');
}

/** Waits for the service, then fetches one image through it and the sample grid from its model volume. */
async function serve(target: Target): Promise<{ grid: string; image: string }> {
  await target.kubectl(['-n', namespace, 'apply', '--validate=strict', '-f', `${examples}/service.yaml`]);
  for (const condition of ['Ready', 'UpToDate']) {
    const wait = ['wait', `sis/${name}`, `--for=condition=${condition}`, '--timeout=300s'];
    await target.kubectl(['-n', namespace, ...wait]);
  }
  await mkdir(outputDir, { recursive: true });
  const files = { grid: path.join(outputDir, 'samples.png'), image: path.join(outputDir, 'ankle-boot.png') };
  await writeFile(
    files.image,
    await withForward(
      { command: target.kubectlCommand, env: target.env },
      namespace,
      `svc/${name}`,
      80,
      generate,
    ),
  );
  const reader = [
    '-n',
    namespace,
    'exec',
    `deploy/${name}-server`,
    '--',
    'sh',
    '-c',
    'base64 "$SPARSEDM_MODEL/samples.png"',
  ];
  await writeFile(files.grid, Buffer.from(await target.kubectl(reader), 'base64'));
  return files;
}

function takeDown(target: Target): string {
  if (target.type === 'embedded') return 'npm run cluster -- down';
  if (target.type === 'kind') return 'kind delete cluster --name sparsedm';
  return `kubectl delete namespace ${namespace} && helm uninstall sparsedm -n sparsedm-system`;
}

async function demo(choice: TargetChoice): Promise<void> {
  const started = performance.now();
  await checkChoice(choice);
  heading('Set-up');
  const { target } = await setUp(choice);
  console.log(`set-up took ${elapsed(started)}`);

  heading(`Fine-tuning the dense Fashion-MNIST model to 2:4 sparsity on ${target.description}`);
  await applyFinetune(target);
  const finetune = await watchTraining(target);

  heading('Serving the sparse model');
  const files = await serve(target);
  const inference = await read<SparseInferenceService>(target, `sis/${name}`);

  heading('Result');
  console.log(await target.kubectl(['-n', namespace, 'get', 'sft,sis']));
  console.log(figuresTable(finetune));
  console.log(`\nDense above sparse, same seeds:                ${files.grid}`);
  console.log(`"${prompt}" drawn by ${inference.status?.url ?? name}: ${files.image}`);
  console.log(`The whole demo took ${elapsed(started)}.`);

  heading('Look further');
  const lines = [
    target.exportLine,
    `kubectl -n ${namespace} get sft -w`,
    `kubectl -n ${namespace} describe sft ${name}`,
    'kubectl explain sft.spec',
    `kubectl -n ${namespace} logs job/${name}-train`,
  ];
  console.log(lines.filter(Boolean).join('\n'));
  console.log(`\nTake it down: ${takeDown(target)}`);
}

const program = new Command('npm run demo --')
  .description('From a bare clone to a sparse diffusion model that serves images.')
  .option('--context <name>', 'use this context of your kubeconfig instead of the embedded cluster')
  .option('--registry <host/path>', 'with --context: push the images here, where the cluster can pull them')
  .option('--kind', 'use (and create) a kind cluster; needs Docker');
program.parse();

try {
  await demo(program.opts<TargetChoice>());
} catch (error) {
  console.error(`\nerror: ${error instanceof ClusterError ? error.message : String(error)}`);
  process.exitCode = 1;
}
