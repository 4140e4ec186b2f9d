/**
 * `npm run bench:server`: what CUDA graphs and 2:4 sparse products gain a server, measured by
 * images/sparsedm/bench/serve_batch.py in the project's Python environment. The last line is one JSON list. Options
 * are those of the Python program: --help.
 */
import { runPython } from '../../scripts/python';

await runPython(['images/sparsedm/bench/serve_batch.py', ...process.argv.slice(2)]);
