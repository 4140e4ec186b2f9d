/** The operator's rooms, from the bottom up: a room imports from lower ones only, and nowhere is a circle. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

/** Folders and single modules. Rooms of one floor do not know each other. */
const FLOORS: readonly (readonly string[])[] = [
  [
    'runtime/defined',
    'runtime/text',
    'runtime/backoff',
    'runtime/clock',
    'runtime/errors',
    'runtime/objects',
  ],
  ['runtime/telemetry'],
  ['runtime/http'],
  ['runtime/cache', 'runtime/queue'],
  ['runtime/controller', 'runtime/events', 'runtime/leader'],
  ['runtime/manager'],
  ['kube'],
  ['api', 'autoscale', 'reports', 'rollout'],
  ['workload'],
  ['finetune', 'gateway', 'inference', 'study'],
  ['config', 'tracing'],
  ['operator'],
  ['main'],
];

const root = import.meta.dirname;

/** The modules that go into the bundle, by path without `.ts`, with the modules they import, also for types alone. */
const modules: ReadonlyMap<string, readonly string[]> = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(
      (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('api/generated/'),
    )
    .map((file) => [file.replace(/\.ts$/, ''), importsOf(file)]),
);

/** Relative imports of a file, as paths from the sources' root: `../test/x` for one outside of it. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(path.join(root, file), 'utf8'), true, true);
  return importedFiles
    .map(({ fileName }) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => path.join(path.dirname(file), name));
}

function roomOf(module: string): string | undefined {
  return FLOORS.flat().find((room) => module === room || module.startsWith(`${room}/`));
}

function floorOf(room: string | undefined): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room ?? ''));
}

/** The first circle of imports that leads through the module, as a path; undefined where there is none. */
function circle(
  module: string,
  open: readonly string[] = [],
  done = new Set<string>(),
): readonly string[] | undefined {
  if (open.includes(module)) return [...open.slice(open.indexOf(module)), module];
  if (done.has(module)) return undefined;
  for (const imported of modules.get(module) ?? []) {
    const found = circle(imported, [...open, module], done);
    if (found !== undefined) return found;
  }
  done.add(module);
  return undefined;
}

it('finds the imports of every module', () => {
  expect(modules.get('main')).toEqual(expect.arrayContaining(['operator', 'config', 'runtime/clock']));
  expect([...modules.values()].flat().length).toBeGreaterThan(300);
});

it('gives every module a room', () => {
  expect([...modules.keys()].filter((module) => roomOf(module) === undefined)).toEqual([]);
});

it('imports nothing from outside of the sources but the version', () => {
  const outside = [...modules.values()].flat().filter((imported) => imported.startsWith('..'));
  expect(outside).toEqual(['../package.json']);
});

it('imports from lower floors only', () => {
  const wrong = [...modules].flatMap(([module, imports]) =>
    imports
      .filter((imported) => modules.has(imported) && roomOf(imported) !== roomOf(module))
      .filter((imported) => floorOf(roomOf(imported)) >= floorOf(roomOf(module)))
      .map((imported) => `${module} imports ${imported}`),
  );
  expect(wrong).toEqual([]);
});

it('has no circle', () => {
  expect([...modules.keys()].map((module) => circle(module)).find((found) => found !== undefined)).toBe(
    undefined,
  );
});
