/**
 * `npm run bench:trainer`: what a mask costs in training, measured by images/sparsedm/bench/train_step.py in the
 * project's Python environment. The last line is one JSON list. Options are those of the Python program: --help.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { ensurePython } from '../../scripts/python';

const python = await ensurePython((line) => console.error(line));
const sources = path.resolve('images/sparsedm/src');
const child = spawn(python, ['images/sparsedm/bench/train_step.py', ...process.argv.slice(2)], {
  stdio: 'inherit',
  // Threads that spin while they wait take the cores from those that work, as in the images.
  env: { OMP_WAIT_POLICY: 'PASSIVE', ...process.env, PYTHONPATH: sources },
});
child.on('error', (error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
child.on('close', (status) => (process.exitCode = status ?? 1));
