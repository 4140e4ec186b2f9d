/**
 * `npm run study [-- OPTIONS]`: `sparsedm study` from a clone, with the tests' Python, Debian's Fashion-MNIST and
 * `study-output/`. Options are those of the command; a later --data or --out wins.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ensurePython } from './python';

const source = path.resolve('images/sparsedm/src');
const data = '/usr/share/datasets/fashion-mnist';
const out = 'study-output';

const python = await ensurePython((line) => console.error(line));
const child = spawn(
  python,
  ['-m', 'sparsedm.cli', 'study', '--data', data, '--out', out, ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, PYTHONPATH: source } },
);
// Ctrl-C reaches the study by itself, and a second one would end it before its runs are saved.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => (process.exitCode = code ?? 1));
