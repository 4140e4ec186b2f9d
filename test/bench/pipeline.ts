/**
 * `npm run bench:pipeline -- --out DIR`: the pipeline that ships, masked in one shot and fine-tuned, measured by
 * images/sparsedm/bench/pipeline_figures.py in the project's Python environment; goes on where it was stopped. The last
 * line is one JSON list. Options are those of the Python program: --help.
 */
import { runPython } from '../../scripts/python';

await runPython(['images/sparsedm/bench/pipeline_figures.py', ...process.argv.slice(2)]);
