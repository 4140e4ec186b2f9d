/** Programs that run beside the benchmark and end with it, even when it is killed. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export type Program = {
  name: string;
  pid: number;
  /** Throws when the program has ended, with the end of its log. */
  check(): void;
  /** SIGTERM, and SIGKILL 10 s later; returns when it has ended. */
  stop(): Promise<void>;
};

export type ProgramSpec = {
  name: string;
  command: readonly [string, ...string[]];
  logFile: string;
  env?: Readonly<Record<string, string | undefined>>;
};

const patienceMs = 10_000;

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
}

export function startProgram({ name, command, logFile, env }: ProgramSpec): Program {
  const log = openSync(logFile, 'a');
  // The kernel ends it when this process ends; setpriv becomes the program, so the process id is its own.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  closeSync(log);
  let ended = '';
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      ended = `could not be started: ${error.message}`;
      resolve();
    });
    child.once('exit', (code, signal) => {
      ended = `ended with ${signal ?? `exit code ${code}`}`;
      resolve();
    });
  });
  return {
    name,
    pid: child.pid ?? -1,
    check() {
      if (ended !== '') throw new Error(`${name} ${ended}:\n${lastLines(logFile)}`);
    },
    async stop() {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await exited;
      clearTimeout(hard);
    },
  };
}
