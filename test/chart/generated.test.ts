import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { crdTemplate, documentedValues, staleChartFiles, valuesTable } from '../../scripts/chart';
import { chart, ofKind, render, type Manifest } from './helm';

const crdFolder = path.join(chart, '..', '..', 'crds');

describe('generated files of the chart', () => {
  it('are up to date', async () => {
    expect(await staleChartFiles()).toEqual([]);
  });

  it('render to the definitions of crds/, to the byte apart from labels and annotations', async () => {
    const rendered = ofKind(await render(), 'CustomResourceDefinition');
    const wanted = readdirSync(crdFolder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => parse(readFileSync(path.join(crdFolder, name), 'utf8')) as Manifest);
    expect(wanted).toHaveLength(3);
    for (const want of wanted) {
      const crd = rendered.find(({ metadata }) => metadata.name === want.metadata.name);
      expect(crd?.spec).toEqual(want.spec);
    }
  });
});

describe('crdTemplate', () => {
  const crd =
    'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: a.b\nspec:\n';

  it('escapes braces, which Helm would run', () => {
    expect(crdTemplate(`${crd}  description: 'write {{ x }}'\n`)).toContain(`'write {{ "{{" }} x }}'`);
  });

  it.each([
    ['labels of its own', crd.replace('spec:', '  labels: {}\nspec:'), 'must not bring labels'],
    [
      'no name first',
      crd.replace('  name: a.b', '  annotations: {}\n  name: a.b'),
      'begin its metadata with its name',
    ],
  ])('refuses a definition with %s', (_, text, want) => {
    expect(() => crdTemplate(text)).toThrow(want);
  });
});

describe('values table', () => {
  it('lists each documented value with its default', () => {
    const text =
      '# -- One.\na: 1\nb:\n  # -- Two,\n  # still two.\n  c: [x]\n  # -- Three | four.\n  d: {e: 1}\n';
    expect(documentedValues(text)).toEqual([
      { path: 'a', value: 1, description: 'One.' },
      { path: 'b.c', value: ['x'], description: 'Two, still two.' },
      { path: 'b.d', value: { e: 1 }, description: 'Three | four.' },
    ]);
    expect(valuesTable(text)).toContain('| `b.d` | `{"e":1}` | Three \\| four. |');
  });

  it('refuses a value without a comment', () => {
    expect(() => documentedValues('# -- One.\na: 1\nb:\n  c: 2\n')).toThrow('b.c has no "# --" comment');
  });
});
