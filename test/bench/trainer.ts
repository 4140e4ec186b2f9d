/**
 * `npm run bench:trainer`: what a mask costs in training, measured by images/sparsedm/bench/train_step.py in the
 * project's Python environment. The last line is one JSON list. Options are those of the Python program: --help.
 */
import { runPython } from '../../scripts/python';

await runPython(['images/sparsedm/bench/train_step.py', ...process.argv.slice(2)]);
