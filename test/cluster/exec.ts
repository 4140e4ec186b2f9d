import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export type ExecOptions = {
  cwd?: string;
  env?: Readonly<Record<string, string | undefined>>;
  input?: string | Readable;
  /** Called with each line of stderr as it comes. */
  onErrorLine?: (line: string) => void;
};

export class CommandError extends Error {
  constructor(
    readonly command: string,
    readonly status: string,
    readonly stderr: string,
  ) {
    super(`${command} ended with ${status}${stderr ? `: ${stderr}` : ''}`);
  }
}

/** The end of a program's output, which holds the reason. */
function tail(text: string, lines = 15): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

function feed(stdin: Writable | null, input: string | Readable | undefined): Promise<void> {
  if (stdin === null || input === undefined) return Promise.resolve();
  if (typeof input !== 'string') return pipeline(input, stdin);
  stdin.on('error', () => undefined);
  stdin.end(input);
  return Promise.resolve();
}

/** Keeps the end of a stream and hands on its whole lines. */
function follow(stream: Readable | null, onLine: ((line: string) => void) | undefined): () => string {
  let text = '';
  let partial = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-20_000);
    if (!onLine) return;
    const lines = (partial + chunk).split('\n');
    partial = lines.pop() ?? '';
    lines.forEach(onLine);
  });
  return () => text;
}

/** Runs a program to its end and returns what it printed; its failure carries the end of its stderr. */
export async function exec(
  command: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<string> {
  const { cwd, env, input, onErrorLine } = options;
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const stderr = follow(child.stderr, onErrorLine);
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', (cause) => reject(new Error(`cannot run ${command}`, { cause })));
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  // A program that fails stops reading: its own message matters more than the broken pipe.
  const fed = feed(child.stdin, input).then(
    () => undefined,
    (error: unknown) => error,
  );
  const [status, inputError] = await Promise.all([ended, fed]);
  if (status !== 'exit code 0') {
    throw new CommandError(`${command} ${args.slice(0, 4).join(' ')}`, status, tail(stderr() || stdout));
  }
  if (inputError) throw new Error(`${command} did not read all of its input`, { cause: inputError });
  return stdout;
}

/** True when the program ran and ended well. */
export function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return exec(command, args).then(
    () => true,
    () => false,
  );
}
