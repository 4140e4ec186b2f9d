/**
 * `npm run study [-- OPTIONS]`: `sparsedm study` from a clone, with the tests' Python, Debian's Fashion-MNIST and
 * `study-output/`. Takes the command's options; a later --data or --out wins.
 */
import { runPython } from './python';

const data = '/usr/share/datasets/fashion-mnist';

await runPython([
  ...['-m', 'sparsedm.cli', 'study', '--data', data, '--out', 'study-output'],
  ...process.argv.slice(2),
]);
