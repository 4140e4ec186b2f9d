/** The runs of a study: a SparseFinetune's spec in every combination of the grid. */
import type { SparseFinetuneSpec, SparseStudy } from '../api/types';
import { stableStringify } from '../kube/patch';
import { studyRunName } from '../kube/names';

type Sparsity = NonNullable<SparseFinetuneSpec['sparsity']>;
export type Method = NonNullable<Sparsity['method']>;

export type Cell = {
  /** Of its SparseFinetune. */
  name: string;
  pattern: string;
  method: Method;
  /** Name of the value of grid.layers. */
  layers: string;
  seed: number;
  spec: SparseFinetuneSpec;
};

/** Name in the tables where the grid has no layers. */
const OWN_LAYERS = 'default';

const METHODS = [
  'sparsedm',
  'sr-ste',
  'sr-ste-decoupled',
  'ste',
  's-ste',
  'cast',
  'asp',
  'dense',
  'masked-dense',
] as const;
const allBut = (...others: Method[]): Method[] => METHODS.filter((method) => !others.includes(method));

/**
 * The methods that take a setting of `sparsity`, as the rules of the SparseFinetune's schema have it; one that is not
 * here belongs to all. The regularization of sr-ste-decoupled is on another scale than that of the other two.
 */
const TAKEN_BY: { [Setting in keyof Sparsity]?: readonly Method[] } = {
  pattern: allBut('dense'),
  layers: allBut('dense'),
  maskType: allBut('s-ste', 'cast', 'dense'),
  calibrationSamples: allBut('s-ste', 'cast', 'dense'),
  maskUpdateSteps: allBut('s-ste', 'asp', 'dense', 'masked-dense'),
  regularization: ['sparsedm', 'sr-ste'],
  l1Decay: ['cast'],
  distillationWeight: allBut('masked-dense'),
};

type Grid = SparseStudy['spec']['grid'];
type Layers = NonNullable<Grid['layers']>[number];
type Values = { pattern: string; method: Method; layers: Layers | undefined; seed: number };

/**
 * All cells, the first seed of every combination before the second of any, so that a table is soon complete. Two that
 * come to the same spec are one run.
 */
export function cellsOf({ metadata, spec: { grid, output } }: SparseStudy, base: SparseFinetuneSpec): Cell[] {
  const different = new Map<string, Omit<Cell, 'name'>>();
  for (const values of combinations(grid, base)) {
    const spec = specOf(base, values);
    const identity = stableStringify(spec);
    if (different.has(identity)) continue;
    different.set(identity, { ...values, layers: values.layers?.name ?? OWN_LAYERS, spec });
  }
  return [...different.values()].map((cell, index) => {
    const name = studyRunName(metadata.name, index + 1);
    return { ...cell, name, spec: { ...cell.spec, output: { uri: `${output.uri}/${name}` } } };
  });
}

function combinations(grid: Grid, base: SparseFinetuneSpec): Values[] {
  const { pattern = '2:4' } = base.sparsity ?? {};
  const { patterns = [pattern], methods = [methodOf(base)], layers = [undefined] } = grid;
  const { seeds = [base.training?.seed ?? 0] } = grid;
  return seeds.flatMap((seed) =>
    patterns.flatMap((each) =>
      methods.flatMap((method) => layers.map((globs) => ({ pattern: each, method, layers: globs, seed }))),
    ),
  );
}

function methodOf(base: SparseFinetuneSpec): Method {
  return base.sparsity?.method ?? 'sparsedm';
}

/** What the run would be, but for its output. */
function specOf(base: SparseFinetuneSpec, { pattern, method, layers, seed }: Values): SparseFinetuneSpec {
  const { suspend: _, ...rest } = base;
  const given = { ...base.sparsity, pattern, method };
  const sparsity: Sparsity = layers === undefined ? given : { ...given, layers: globsOf(layers) };
  const spec = { ...rest, sparsity, training: { ...base.training, seed } };
  return method === methodOf(base) ? spec : withoutForeign(spec, method);
}

function globsOf({ name: _, ...globs }: Layers): NonNullable<Sparsity['layers']> {
  return globs;
}

/** Without the settings that only the base's method takes: the API server refuses them of another. */
function withoutForeign(spec: SparseFinetuneSpec, method: Method): SparseFinetuneSpec {
  const { schedule, ...settings } = spec.sparsity ?? {};
  const taken = Object.entries(settings).filter(
    ([setting]) => TAKEN_BY[setting as keyof Sparsity]?.includes(method) ?? true,
  );
  const sparsity: Sparsity = { ...Object.fromEntries(taken), schedule: scheduleOf(schedule, method) };
  return method === 'masked-dense' ? untrained({ ...spec, sparsity }) : { ...spec, sparsity };
}

function scheduleOf(schedule: Sparsity['schedule'], method: Method): NonNullable<Sparsity['schedule']> {
  if (method === 'asp') return { type: 'fixed' };
  return method === 'dense' || method === 'masked-dense' ? {} : { ...schedule };
}

/** For masked-dense, which trains nothing. */
function untrained(spec: SparseFinetuneSpec): SparseFinetuneSpec {
  const { checkpoint: _, training, evaluation, model, ...rest } = spec;
  const { teacher: _teacher, ...untaught } = model;
  const { everySteps: _every, select: _select, ...once } = evaluation ?? {};
  const { seed, batchSize } = training ?? {};
  return {
    ...rest,
    model: untaught,
    training: { ...(seed !== undefined && { seed }), ...(batchSize !== undefined && { batchSize }) },
    evaluation: once,
  };
}
