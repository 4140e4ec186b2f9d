import { spawn } from 'node:child_process';

export type RunOptions = {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Text for the command's standard input; closed at once when absent. */
  input?: string;
  /** Called for each line of output as it appears, both streams. */
  onLine?: (line: string) => void;
  signal?: AbortSignal;
};

/** A command that ended with another status than 0; `output` holds the end of what it printed. */
export class CommandError extends Error {
  constructor(
    readonly command: string,
    readonly status: number | null,
    readonly output: string,
  ) {
    super(`${command} ended with status ${status ?? 'none'}:\n${output}`);
  }
}

function lines(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split(/\r?\n/);
    rest = parts.pop() ?? '';
    for (const line of parts) onLine(line);
  };
}

/** Runs a command to its end and returns its standard output as bytes. Throws CommandError on a non-zero status. */
export function runBytes(command: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  const { cwd, env, input, onLine, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { signal }),
      env: env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    let tail = '';
    const feed = onLine ? lines(onLine) : undefined;
    const seen = (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-4000);
      feed?.(chunk.toString());
    };
    child.stdout.on('data', (chunk: Buffer) => {
      out.push(chunk);
      seen(chunk);
    });
    child.stderr.on('data', seen);
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(Buffer.concat(out));
      else reject(new CommandError([command, ...args].join(' '), status, tail.trim()));
    });
    child.stdin.on('error', () => undefined); // the command may end without reading its input
    child.stdin.end(input ?? '');
  });
}

/** As runBytes, with the output as text. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await runBytes(command, args, options)).toString();
}
