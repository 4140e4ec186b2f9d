import { describe, expect, it } from 'vitest';
import type { SparseFinetuneSpec, SparseStudy, SparseStudySpec, StudyRun } from '../api/types';
import { findCondition } from '../kube/conditions';
import { cellsOf } from './cells';
import { bestOf, groupsOf, isMeasured } from './figures';
import { latencyPlotOf, plotOf } from './plot';
import { hasEnded, isActive, updatedRun } from './runs';
import { buildStatus, due, transitions, type Observed } from './status';
import { csvOf, markdownOf } from './table';

const base: SparseFinetuneSpec = {
  model: {
    preset: 'fashion-mnist-uvit-tiny',
    pretrained: { uri: 'file:///w.safetensors' },
    teacher: { preset: 'fashion-mnist-uvit-tiny', pretrained: { uri: 'file:///t.safetensors' } },
  },
  dataset: { format: 'fashion-mnist', uri: 'pvc://data/fashion' },
  sparsity: {
    pattern: '2:4',
    method: 'sparsedm',
    maskType: 'wanda',
    calibrationSamples: 16,
    maskUpdateSteps: 2,
    schedule: { type: 'progressive', rampPercent: 10, freezeMaskPercent: 80 },
    regularization: '0.001',
    distillationWeight: '30',
    layers: {},
  },
  training: { steps: 300, batchSize: 32, learningRate: '0.001', seed: 7 },
  checkpoint: { everySteps: 20 },
  evaluation: { samples: 500, everySteps: 100, select: 'best' },
  output: { uri: 'pvc://models/base' },
  suspend: true,
};

function aStudy(grid: SparseStudySpec['grid'], spec: Partial<SparseStudySpec> = {}): SparseStudy {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseStudy',
    metadata: { name: 'grid', namespace: 'ml', uid: 'study-uid', generation: 1 },
    spec: { finetuneRef: { name: 'base' }, grid, output: { uri: 'pvc://models/grid' }, ...spec },
  };
}

describe('cells', () => {
  it('combine every value, the first seed before the second, each with a name and a folder of its own', () => {
    const cells = cellsOf(aStudy({ patterns: ['2:4', '4:8'], seeds: [1, 2] }), base);
    expect(cells.map(({ name, pattern, seed }) => [name, pattern, seed])).toEqual([
      ['grid-1', '2:4', 1],
      ['grid-2', '4:8', 1],
      ['grid-3', '2:4', 2],
      ['grid-4', '4:8', 2],
    ]);
    expect(cells[3]?.spec).toEqual({
      ...base,
      suspend: undefined,
      sparsity: { ...base.sparsity, pattern: '4:8' },
      training: { ...base.training, seed: 2 },
      output: { uri: 'pvc://models/grid/grid-4' },
    });
    expect(cells[3]?.spec).not.toHaveProperty('suspend');
  });

  it('take an absent axis from the SparseFinetune', () => {
    const [cell] = cellsOf(aStudy({ methods: ['ste'] }), base);
    expect(cell).toMatchObject({ pattern: '2:4', method: 'ste', layers: 'default', seed: 7 });
  });

  it('give layers the globs of their value', () => {
    const layers = [{ name: 'all' }, { name: 'mlp', include: ['*.mlp.*'] }];
    const cells = cellsOf(aStudy({ layers }), base);
    expect(cells.map((cell) => [cell.layers, cell.spec.sparsity?.layers])).toEqual([
      ['all', {}],
      ['mlp', { include: ['*.mlp.*'] }],
    ]);
  });

  it('run once what is the same run', () => {
    const cells = cellsOf(aStudy({ patterns: ['2:4', '4:8'], methods: ['dense', 'ste'] }), base);
    expect(cells.map(({ name, pattern, method }) => `${name} ${pattern} ${method}`)).toEqual([
      'grid-1 2:4 dense',
      'grid-2 2:4 ste',
      'grid-3 4:8 ste',
    ]);
  });

  it.each([
    [
      'sr-ste',
      [
        'calibrationSamples',
        'distillationWeight',
        'layers',
        'maskType',
        'maskUpdateSteps',
        'method',
        'pattern',
        'regularization',
        'schedule',
      ],
    ],
    [
      'sr-ste-decoupled',
      [
        'calibrationSamples',
        'distillationWeight',
        'layers',
        'maskType',
        'maskUpdateSteps',
        'method',
        'pattern',
        'schedule',
      ],
    ],
    [
      'ste',
      [
        'calibrationSamples',
        'distillationWeight',
        'layers',
        'maskType',
        'maskUpdateSteps',
        'method',
        'pattern',
        'schedule',
      ],
    ],
    ['s-ste', ['distillationWeight', 'layers', 'method', 'pattern', 'schedule']],
    ['cast', ['distillationWeight', 'layers', 'maskUpdateSteps', 'method', 'pattern', 'schedule']],
    [
      'asp',
      ['calibrationSamples', 'distillationWeight', 'layers', 'maskType', 'method', 'pattern', 'schedule'],
    ],
    ['dense', ['distillationWeight', 'method', 'schedule']],
    ['masked-dense', ['calibrationSamples', 'layers', 'maskType', 'method', 'pattern', 'schedule']],
  ] as const)('leave out what %s does not take', (method, settings) => {
    const [cell] = cellsOf(aStudy({ methods: [method] }), base);
    expect(Object.keys(cell?.spec.sparsity ?? {}).sort()).toEqual(settings);
  });

  it('train nothing for masked-dense, and keep its batch and seed', () => {
    const [cell] = cellsOf(aStudy({ methods: ['masked-dense'] }), base);
    expect(cell?.spec).toMatchObject({ training: { batchSize: 32, seed: 7 }, evaluation: { samples: 500 } });
    expect(Object.keys(cell?.spec.training ?? {})).toHaveLength(2);
    expect(cell?.spec).not.toHaveProperty('checkpoint');
    expect(cell?.spec.model).not.toHaveProperty('teacher');
  });
});

function aRun(name: string, figures: Partial<StudyRun> = {}): StudyRun {
  return { name, pattern: '2:4', method: 'ste', layers: 'default', seed: 0, phase: 'Succeeded', ...figures };
}

const measured = [
  aRun('a', { metric: 'fd', distance: '12', macs: 40_000_000 }),
  aRun('b', { metric: 'fd', distance: '14', macs: 40_000_000, seed: 1 }),
  aRun('c', { metric: 'fd', distance: '11', macs: 60_000_000, pattern: '3:4' }),
  aRun('d', { metric: 'fd', distance: '15', macs: 60_000_000, method: 'asp', pattern: '3:4' }),
  aRun('e', { phase: 'Failed', message: 'no, "really"' }),
];

describe('figures', () => {
  it('are means over seeds, with what no other beats', () => {
    expect(
      groupsOf(measured).map(({ method, pattern, runs, distance, deviation, onFront }) => [
        ...[pattern, method, runs, distance, deviation?.toFixed(3), onFront],
      ]),
    ).toEqual([
      ['3:4', 'ste', 1, 11, undefined, true],
      ['2:4', 'ste', 2, 13, '1.414', true],
      ['3:4', 'asp', 1, 15, undefined, false],
    ]);
    expect(bestOf(measured)?.name).toBe('c');
  });

  it('compare distances of one metric only', () => {
    const other = aRun('f', { metric: 'fid', distance: '1', macs: 1, method: 'cast' });
    expect(groupsOf([...measured, other]).filter(({ onFront }) => onFront)).toHaveLength(3);
  });

  it('have a front of latency of their own, on each device', () => {
    const timed = (
      name: string,
      distance: string,
      latencyMilliseconds: string,
      more: Partial<StudyRun> = {},
    ) => aRun(name, { ...{ metric: 'fd', distance, latencyMilliseconds, device: 'H200', macs: 1 }, ...more });
    const groups = groupsOf([
      timed('a', '12', '4.00'),
      timed('b', '14', '6.00', { seed: 1 }),
      timed('c', '14', '9.00', { method: 'asp' }),
      timed('d', '15', '1.00', { method: 'cast', device: 'A100' }),
      timed('e', '16', '1.00', { method: 'dense' }),
      timed('f', '16', '1.00', { method: 'dense', seed: 1, device: 'A100' }),
    ]);
    expect(groups.map(({ method, latency, onLatencyFront }) => [method, latency, onLatencyFront])).toEqual([
      ['ste', 5, true],
      ['asp', 9, false],
      ['cast', 1, true],
      ['dense', undefined, false],
    ]);
    const table = markdownOf('grid', groups);
    expect(table).toContain('| 5.00 ms on H200 | MACs, latency |');
    expect(table).toContain('| dense | default | 2 | fd | 16.00 ± 0.00 | 0.00 M |  |  |');
    const plot = latencyPlotOf('grid', groups) ?? '';
    expect(plot).toContain('Latency of one image on H200, ms');
    expect(plot.match(/<circle/g)).toHaveLength(2);
    expect(latencyPlotOf('grid', groupsOf(measured))).toBeUndefined();
  });

  it('have no front without MACs', () => {
    expect(groupsOf([aRun('a', { metric: 'fd', distance: '1' })])).toMatchObject([{ onFront: false }]);
  });

  it('are a CSV with a line for each run', () => {
    const lines = csvOf(measured).split('\r\n');
    expect(lines[0]).toBe(
      'name,pattern,method,layers,seed,phase,metric,denseDistance,distance,denseMacs,macs,latencyMilliseconds,device,modelUri,message',
    );
    expect(lines[1]).toBe('a,2:4,ste,default,0,Succeeded,fd,,12,,40000000,,,,');
    expect(lines[5]).toBe('e,2:4,ste,default,0,Failed,,,,,,,,,"no, ""really"""');
    expect(lines).toHaveLength(7);
  });

  it('are a table', () => {
    expect(markdownOf('grid', groupsOf(measured))).toContain(
      '| 2:4 | ste | default | 2 | fd | 13.00 ± 1.41 | 40.00 M |  | MACs |',
    );
  });

  it('are a plot with each group, and the same bytes for the same figures', () => {
    const groups = groupsOf(measured);
    const plot = plotOf('a < b', groups) ?? '';
    expect(plot.match(/<circle/g)).toHaveLength(3);
    expect(plot).toContain('a &lt; b');
    expect(plot).not.toMatch(/NaN|Infinity|undefined/);
    expect(plotOf('a < b', groups)).toBe(plot);
    expect(plotOf('grid', groupsOf([aRun('a', { metric: 'fd', distance: '1' })]))).toBeUndefined();
  });

  it('are a plot also of a single point', () => {
    expect(plotOf('grid', groupsOf(measured.slice(0, 1)))).not.toMatch(/NaN|Infinity/);
  });
});

describe('rows', () => {
  const finetune = (status: object) => ({
    ...{ apiVersion: 'v', kind: 'SparseFinetune', metadata: { name: 'grid-1' }, spec: base },
    status,
  });

  it('show what the SparseFinetune says', () => {
    const status = {
      phase: 'Succeeded' as const,
      fid: { metric: 'fd', dense: '11.2', sparse: '12.2' },
      macs: { totalDense: 75, totalSparse: 40 },
      latency: { millisecondsPerImage: '8.50', device: 'H200' },
      model: { uri: 'pvc://models/grid/grid-1' },
    };
    expect(updatedRun(aRun('grid-1', { phase: 'Waiting' }), finetune(status))).toEqual(
      aRun('grid-1', {
        ...{ metric: 'fd', denseDistance: '11.2', distance: '12.2', denseMacs: 75, macs: 40 },
        ...{ latencyMilliseconds: '8.50', device: 'H200' },
        modelUri: 'pvc://models/grid/grid-1',
      }),
    );
  });

  it('have no figures of a run that went back to another pattern, and say so', () => {
    const status = {
      phase: 'Succeeded' as const,
      fid: { metric: 'fd', dense: '11.2', sparse: '12.2' },
      model: { uri: 'pvc://models/grid/grid-1' },
      rollback: { stage: 2, pattern: '6:8', message: 'The distance rose.' },
    };
    const run = updatedRun(aRun('grid-1', { phase: 'Waiting' }), finetune(status));
    expect(run.message).toBe('The distance rose.');
    expect(isMeasured(run)).toBe(false);
  });

  it('stay when an ended SparseFinetune goes, and wait again when one under way does', () => {
    const ended = aRun('grid-1', { distance: '3' });
    expect(updatedRun(ended, undefined)).toBe(ended);
    expect(updatedRun(aRun('grid-1', { phase: 'Running' }), undefined).phase).toBe('Waiting');
  });
});

describe('the status', () => {
  const now = new Date('2026-01-02T00:00:00Z');
  const runsOf = (phases: string) => {
    const names = { w: 'Waiting', p: 'Pending', r: 'Running', s: 'Succeeded', f: 'Failed' } as const;
    return [...phases].map((each, index) =>
      aRun(`grid-${index + 1}`, { phase: names[each as keyof typeof names] }),
    );
  };
  const observed = (
    phases: string,
    spec: Partial<SparseStudySpec> = {},
    more: Partial<Observed> = {},
  ): Observed => ({
    study: aStudy({ seeds: [1] }, spec),
    runs: runsOf(phases),
    finetuneUid: 'base-uid',
    obstacle: undefined,
    ...more,
  });

  it.each<[string, Partial<SparseStudySpec>, string, string, string]>([
    ['', {}, 'Pending', 'InProgress', ''],
    ['www', {}, 'Pending', 'InProgress', 'grid-1'],
    ['rww', {}, 'Running', 'InProgress', ''],
    ['rww', { parallelism: 3 }, 'Running', 'InProgress', 'grid-2 grid-3'],
    ['srw', {}, 'Running', 'InProgress', ''],
    ['sww', {}, 'Running', 'InProgress', 'grid-2'],
    ['sww', { suspend: true }, 'Suspended', 'InProgress', ''],
    ['sss', { suspend: true }, 'Succeeded', 'Succeeded', ''],
    ['ssf', {}, 'Succeeded', 'Succeeded', ''],
    ['fff', {}, 'Failed', 'Failed', ''],
    ['fww', { maxFailedRuns: 0 }, 'Failed', 'TooManyFailures', ''],
    ['frw', { maxFailedRuns: 0 }, 'Running', 'TooManyFailures', ''],
    ['fww', { maxFailedRuns: 1 }, 'Running', 'InProgress', 'grid-2'],
  ])('of runs "%s" with %o is %s, %s, and due are "%s"', (phases, spec, phase, reason, names) => {
    const seen = observed(phases, spec);
    const status = buildStatus(seen, now);
    expect(status.phase).toBe(phase);
    expect(findCondition(status.conditions, 'Succeeded')?.reason).toBe(reason);
    const isAtEnd = phase === 'Succeeded' || phase === 'Failed';
    expect(findCondition(status.conditions, 'Finished')?.status).toBe(isAtEnd ? 'True' : 'False');
    expect(status.completionTime).toBe(isAtEnd ? '2026-01-02T00:00:00Z' : undefined);
    expect(
      due(seen)
        .map(({ name }) => name)
        .join(' '),
    ).toBe(names);
  });

  it('tells what stands in the way, and no longer when it has gone', () => {
    const obstacle = { reason: 'FinetuneNotFound', message: 'base is missing.' };
    const status = buildStatus(observed('', {}, { obstacle }), now);
    expect(findCondition(status.conditions, 'Stalled')).toMatchObject({ status: 'True', ...obstacle });
    const study = { ...aStudy({ seeds: [1] }), status };
    expect(
      findCondition(buildStatus(observed('w', {}, { study }), now).conditions, 'Stalled'),
    ).toBeUndefined();
  });

  it('is the same in a second pass', () => {
    const first = buildStatus(observed('srw'), now);
    const study = { ...aStudy({ seeds: [1] }), status: first };
    const later = new Date('2026-01-03T00:00:00Z');
    expect(buildStatus(observed('srw', {}, { study }), later)).toEqual(first);
  });

  it('has an event for each run that failed, once, and for the end', () => {
    const before = buildStatus(observed('frw'), now);
    const study = { ...aStudy({ seeds: [1] }), status: before };
    expect(transitions(aStudy({ seeds: [1] }), before).map(({ reason }) => reason)).toEqual([
      'Running',
      'RunFailed',
    ]);
    const after = buildStatus(observed('fsf', {}, { study }), now);
    expect(
      transitions(study, after).map(({ reason, message }) => `${reason} ${message.slice(0, 6)}`),
    ).toEqual(['Succeeded All 3 ', 'RunFailed grid-3']);
    expect(transitions({ ...study, status: after }, after)).toEqual([]);
  });

  it('counts each run once', () => {
    const { counts } = buildStatus(observed('sfrpw'), now);
    expect(counts).toEqual({ total: 5, waiting: 1, active: 2, succeeded: 1, failed: 1, display: '2/5' });
    expect(runsOf('sfrpw').filter((run) => hasEnded(run) && isActive(run))).toEqual([]);
  });
});
