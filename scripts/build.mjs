// Bundles the operator, so that its image needs no node_modules: `npm run build [-- FILE]`.
import { rm } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';

const file = process.argv[2] ?? 'dist/main.mjs';
const folder = path.dirname(file);
const { name, ext } = path.parse(file);
const chunks = `${name}-parts`;

/**
 * The modules of client-node only define things, without side effects, which its package.json does not say. Without this
 * hint, reading a kubeconfig would load the classes of every Kubernetes kind: 20 MiB and a quarter of the start.
 */
const withoutSideEffects = {
  name: 'without-side-effects',
  /** @param {import('esbuild').PluginBuild} build */
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^\.|^@kubernetes\/client-node$/ }, async ({ path: wanted, pluginData, ...rest }) => {
      if (pluginData === 'resolving') return undefined;
      const found = await resolve(wanted, { ...rest, pluginData: 'resolving' });
      return found.path.includes('/@kubernetes/client-node/') ? { ...found, sideEffects: false } : found;
    });
  },
};

/**
 * Node's own modules by require instead of import. An import reads every export at once, and so loads what is behind
 * those that Node would load when they are used: fetch behind node:http, webcrypto behind node:crypto. That is a tenth
 * of the CPU time to load the bundle, and 2 MiB.
 */
const requireBuiltins = {
  name: 'require-builtins',
  /** @param {import('esbuild').PluginBuild} build */
  setup({ onResolve, onLoad }) {
    const namespace = 'builtin';
    onResolve({ filter: /./ }, ({ path: name, kind }) => {
      const isBuiltin = builtinModules.includes(name.replace(/^node:/, ''));
      return isBuiltin && kind === 'import-statement' ? { path: name, namespace } : undefined;
    });
    onLoad({ filter: /./, namespace }, ({ path: name }) => ({
      contents: `module.exports = require(${JSON.stringify(name)});`,
    }));
  },
};

// Their names change with their contents.
await rm(path.join(folder, chunks), { recursive: true, force: true });
await build({
  entryPoints: { [name]: 'src/main.ts' },
  outdir: folder,
  outExtension: { '.js': ext },
  bundle: true,
  plugins: [requireBuiltins, withoutSideEffects],
  // Optional imports stay in files of their own, which are read only when they are configured.
  splitting: true,
  chunkNames: `${chunks}/[name]-[hash]`,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  sourcemap: 'linked',
  // Stack traces need only the mappings. Node keeps map and program in memory. Names stay, so that stack traces and
  // profiles name functions as the sources do.
  sourcesContent: false,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // Bundled CommonJS packages still call require for Node's own modules.
  banner: {
    js: "import { createRequire as _createRequire } from 'node:module'; const require = _createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
