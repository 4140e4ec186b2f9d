import type { SparseFinetune, SparseFinetuneStatus } from '../api/types';
import { defined } from '../runtime/defined';
import { ApiError } from '../runtime/errors';

/** The parts of a status that come from the trainer. */
const TOLD = [
  'sources',
  'attempts',
  'progress',
  'checkpoint',
  'sparsity',
  'macs',
  'latency',
  'fid',
  'images',
  'model',
  'best',
  'rollback',
  'trainer',
] as const;
type Told = (typeof TOLD)[number];

/**
 * The status with those parts from the trainer that the API server has just refused left as they were, so that a run
 * ends whatever its final report says. Undefined when the error is about something else.
 */
export function withoutRefused(
  { status: before = {}, spec }: SparseFinetune,
  wanted: SparseFinetuneStatus,
  error: unknown,
): SparseFinetuneStatus | undefined {
  const parts = refusedParts(error).filter((part) => wanted[part] !== before[part]);
  if (parts.length === 0) return undefined;
  const kept = Object.fromEntries(Object.entries(wanted).filter(([name]) => !parts.includes(name as Told)));
  const old = Object.fromEntries(parts.map((part) => [part, before[part]]));
  // The spec also says where the model is.
  const model = wanted.model && (before.model ?? { uri: spec.output.uri });
  return { ...kept, ...defined(parts.includes('model') ? { ...old, model } : old) };
}

function refusedParts(error: unknown): Told[] {
  if (!(error instanceof ApiError) || error.status !== 422) return [];
  const fields = (error.details?.causes ?? []).map(({ field = '' }) => field);
  return TOLD.filter((part) => fields.some((field) => new RegExp(`^status\\.${part}\\b`).test(field)));
}
