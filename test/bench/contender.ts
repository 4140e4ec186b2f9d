/** The two programs that are compared, and how each is started. */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../cluster/binaries';
import { freePorts } from '../cluster/control-plane';
import { exec } from '../cluster/exec';
import { answers } from '../cluster/http';
import { waitFor } from '../cluster/wait';
import { ensureBaseline } from './baseline';
import { startProgram, type Program } from './programs';

export type ContenderName = 'ours' | 'baseline';

type Addresses = { kubeconfig: string; metrics: number; health: number; reports: number };

export type Contender = {
  name: ContenderName;
  /** Its user agent up to the version. */
  userAgent: string;
  command(addresses: Addresses): readonly [string, ...string[]];
  env?: Record<string, string>;
};

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Apart from the bundle of other commands, which may be built at the same time. */
const bundle = 'dist/bench/main.mjs';

/** Node's own flags in the ENTRYPOINT of a Dockerfile: of ["node", "--a", "/app/main.mjs"], --a. */
export function nodeFlags(dockerfile: string): string[] {
  const line = dockerfile.split('\n').findLast((one) => one.startsWith('ENTRYPOINT '));
  if (line === undefined) throw new Error('the Dockerfile has no ENTRYPOINT');
  const [program, ...args] = JSON.parse(line.slice('ENTRYPOINT '.length)) as string[];
  if (program !== 'node') throw new Error(`the Dockerfile starts "${program}", not node`);
  return args.filter((arg) => arg.startsWith('-'));
}

/** The operator as its image has it: one bundle, compiled before, started by Node with the image's flags and those given. */
export async function buildOperator(moreFlags: readonly string[]): Promise<Contender> {
  await exec(process.execPath, ['scripts/build.mjs', bundle], { cwd: root });
  const flags = nodeFlags(await readFile(path.join(root, 'Dockerfile'), 'utf8'));
  const env = { NODE_ENV: 'production', NODE_COMPILE_CACHE: path.join(root, path.dirname(bundle), 'cache') };
  await rm(env.NODE_COMPILE_CACHE, { recursive: true, force: true });
  await exec(process.execPath, [...flags, bundle, '--version'], { cwd: root, env });
  return {
    name: 'ours',
    userAgent: 'sparsedm-operator',
    env,
    command: ({ kubeconfig, metrics, health, reports }) => [
      process.execPath,
      ...flags,
      ...moreFlags,
      path.join(root, bundle),
      'operator',
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      `--metrics-port=${metrics}`,
      `--health-port=${health}`,
      `--reports-port=${reports}`,
    ],
  };
}

export async function buildBaseline(report: Report): Promise<Contender> {
  const program = await ensureBaseline(report);
  return {
    name: 'baseline',
    userAgent: 'sparsedm-baseline',
    command: ({ kubeconfig, metrics, health }) => [
      program,
      `--kubeconfig=${kubeconfig}`,
      `--metrics-bind-address=127.0.0.1:${metrics}`,
      `--health-probe-bind-address=127.0.0.1:${health}`,
    ],
  };
}

export type Started = {
  program: Program;
  /** Milliseconds from the start of the process until /readyz answered. */
  readyMs: number;
  startedAt: number;
};

/** Starts the contender; returns when /readyz says that its caches are filled. */
export async function startContender(
  contender: Contender,
  kubeconfig: string,
  logFile: string,
  onStart: (program: Program) => void,
): Promise<Started> {
  const [metrics = 0, health = 0, reports = 0] = await freePorts(3);
  const startedAt = performance.now();
  const program = startProgram({
    name: contender.name,
    command: contender.command({ kubeconfig, metrics, health, reports }),
    logFile,
    ...(contender.env === undefined ? {} : { env: contender.env }),
  });
  onStart(program);
  await waitFor(() => answers(`http://127.0.0.1:${health}/readyz`), {
    what: `${contender.name} to be ready; its log is ${logFile}`,
    timeoutMs: 120_000,
    intervalMs: 20,
    abort: () => program.check(),
  });
  return { program, startedAt, readyMs: performance.now() - startedAt };
}
