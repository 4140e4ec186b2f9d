// Runs a TypeScript command of this repository from a bare clone: `node scripts/setup.mjs FILE [ARGS...]`.
// Plain JavaScript for any Node 20, because nothing is installed yet at this point: it installs the
// locked npm packages (Node 24 among them) when they differ from package.json, then hands over to that Node.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Names of direct dependencies whose installed version is not the pinned one. */
function outdated() {
  const { dependencies, devDependencies } = readJson(path.join(root, 'package.json'));
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([name, want]) => {
      const manifest = path.join(modules, name, 'package.json');
      return !existsSync(manifest) || readJson(manifest).version !== want;
    })
    .map(([name]) => name);
}

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(
    `Node ${process.versions.node} is too old: install Node 20 or newer (https://nodejs.org), then run this again.`,
  );
}

if (outdated().length > 0) {
  console.error('installing npm packages (once; about half a minute) ...');
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (install.error || install.status !== 0 || outdated().length > 0) {
    fail('npm ci failed: see its messages above; it needs the npm registry and about 500 MB of disk.');
  }
}

const node = path.join(modules, 'node', 'bin', 'node');
if (!existsSync(node)) {
  fail(
    'the npm package "node" did not unpack its binary: allow its install script, remove node_modules and run again.',
  );
}

const [script, ...args] = process.argv.slice(2);
const child = spawn(node, [path.join(modules, 'tsx', 'dist', 'cli.mjs'), path.join(root, script), ...args], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${path.join(modules, '.bin')}${path.delimiter}${process.env.PATH ?? ''}` },
});
// The terminal sends Ctrl-C to the whole group; a plain `kill` reaches only this process, so pass it on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal));
}
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
