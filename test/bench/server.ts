/**
 * `npm run bench:server -- PART`: a server's speed, measured by programs of images/sparsedm/bench/ in the project's
 * Python environment. `kernels` (the default): what CUDA graphs and 2:4 sparse products gain. `buckets`: what the size
 * of a batch costs, and changes in the images. `clients`: images a second and latency for 1, 8 and 32 clients, beside a
 * plain loop and one padded shape. `load`: what the second replica on a node saves of the first one's load. The last line is one JSON list. Options are those of the Python
 * programs: --help.
 */
import { runPython } from '../../scripts/python';

const PROGRAMS = {
  kernels: 'serve_batch.py',
  buckets: 'serve_buckets.py',
  clients: 'serve_clients.py',
  load: 'serve_load.py',
} as const;

const [first, ...rest] = process.argv.slice(2);
const part = first !== undefined && first in PROGRAMS ? (first as keyof typeof PROGRAMS) : undefined;
const options = part === undefined ? process.argv.slice(2) : rest;
await runPython([`images/sparsedm/bench/${PROGRAMS[part ?? 'kernels']}`, ...options]);
