/**
 * `npm run check`: types, lint, format and generated files, in parallel. Exits with 1 when one of them fails.
 */
import { spawn } from 'node:child_process';

const checks: Record<string, string[]> = {
  types: ['tsc', '--noEmit', '-p', '.'],
  lint: ['eslint', '--max-warnings', '0', '.'],
  format: ['prettier', '--check', '--log-level', 'warn', '.'],
  generated: ['tsx', 'scripts/generate.ts', '--check'],
};

function check(name: string, [command = '', ...args]: string[]): Promise<boolean> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('error', reject);
    child.on('close', (status) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
      if (status !== 0) console.log(output.trimEnd());
      resolve(status === 0);
    });
  });
}

const results = await Promise.all(Object.entries(checks).map(([name, argv]) => check(name, argv)));
if (results.includes(false)) process.exitCode = 1;
