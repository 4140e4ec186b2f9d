/** Every field of the spec, as the schema has it: what makes another version is named as what changed, and nothing else is. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceService } from '../api/types';
import { resolveModel } from './model';
import { changes, versionOf, wantedRevision } from './revision';

type Schema = {
  type?: string;
  enum?: unknown[];
  minimum?: number;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
};

const spec = (
  parse(readFileSync('crds/sparsedm.io_sparseinferenceservices.yaml', 'utf8')) as {
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  }
).spec.versions[0]!.schema.openAPIV3Schema.properties!.spec!;

/** One of two values that the schema takes; of an object or a list, one with everything in it. */
function sample(schema: Schema, which: 0 | 1): unknown {
  if (schema.enum !== undefined) return schema.enum[Math.min(which, schema.enum.length - 1)];
  if (schema.type === 'boolean') return which === 1;
  if (schema.type === 'integer' || schema.type === 'number') return (schema.minimum ?? 0) + 1 + which;
  if (schema.type === 'array') return [sample(schema.items ?? {}, which)];
  if (schema.properties !== undefined) {
    return Object.fromEntries(
      Object.entries(schema.properties).map(([name, each]) => [name, sample(each, which)]),
    );
  }
  if (schema.type === 'object') return { key: sample(schema.additionalProperties ?? {}, which) };
  return which === 0 ? '1' : '2';
}

type Change = { field: string; spec: Record<string, unknown> };

/** The full value with one field changed, for each field. A list, and an object of free keys, is a field. */
function changed(schema: Schema, path: string): { field: string; value: unknown }[] {
  if (schema.properties === undefined) return [{ field: path, value: sample(schema, 1) }];
  const full = sample(schema, 0) as object;
  return Object.entries(schema.properties).flatMap(([name, each]) =>
    changed(each, path === '' ? name : `${path}.${name}`).map(({ field, value }) => ({
      field,
      value: { ...full, [name]: value },
    })),
  );
}

/** A model is given by one of its two fields; `model.uri` is that of the base. */
function asService(given: Record<string, unknown>): SparseInferenceService {
  const { finetuneRef: _, ...model } = given.model as Record<string, unknown>;
  return aService({ ...given, model: { ...model, follow: false } });
}

const base = asService(sample(spec, 0) as Record<string, unknown>);
const modelOf = (service: SparseInferenceService) => resolveModel(service, undefined).model!;
const nameOf = (service: SparseInferenceService) => wantedRevision(service, modelOf(service));
const versionIn = (service: SparseInferenceService) => versionOf(service, modelOf(service));

const fields: Change[] = changed(spec, '')
  .map(({ field, value }) => ({ field, spec: value as Record<string, unknown> }))
  .filter(({ field }) => !field.startsWith('model.finetuneRef') && field !== 'model.follow');
const makesAnother = ({ spec: given }: Change) => nameOf(asService(given)) !== nameOf(base);
const others = fields.filter(makesAnother);

describe('a change of', () => {
  it.each(others)('$field is listed', ({ field, spec: given }) => {
    const listed = changes(versionIn(base), versionIn(asService(given)));
    const wantField = field === 'model.uri' ? 'model' : field;
    expect(listed === wantField || new RegExp(`^${wantField}[.[]`).test(listed), listed).toBe(true);
  });

  it('anything else is not', () => {
    const listed = fields
      .filter((change) => !makesAnother(change))
      .filter(({ spec: given }) => changes(versionIn(base), versionIn(asService(given))) !== '');
    expect(listed.map(({ field }) => field)).toEqual([]);
  });

  it('a field is looked for in every part that makes a version', () => {
    const parts = new Set(others.map(({ field }) => field.split('.')[0]));
    expect([...parts].sort()).toEqual([
      'engine',
      'model',
      'qualityGate',
      'qualityMonitor',
      'server',
      'sources',
    ]);
  });
});
