/** Which of a model's distances a service is judged by: the one in the precision that it serves. */
import type { Figures } from '../api/gate';
import type { ServedModel, SparseInferenceService } from '../api/types';

/** Figures of an earlier trainer, which measured in nothing else. */
const DEFAULT_PRECISION = 'fp32';

/** The first compute capability, Ampere's, whose GPUs have bf16 and 2:4 kernels. */
const AMPERE = 8;

/** Architectures before Ampere, as the label nvidia.com/gpu.family of NVIDIA's GPU feature discovery has them. */
const BEFORE_AMPERE = ['maxwell', 'pascal', 'volta', 'turing'];

/**
 * The precision that the server will compute in, as far as the spec tells: auto is bf16 on an NVIDIA GPU, and fp32
 * elsewhere and on one whose nodes are chosen by a label of an architecture before Ampere. The servers' own rule is
 * held to the same cases (precision_cases.json).
 */
export function servedPrecision({ spec }: SparseInferenceService): string {
  const asked = spec.engine?.precision ?? 'auto';
  if (asked !== 'auto') return asked;
  const { resources, nodeSelector = {} } = spec.server ?? {};
  const onGpu = Object.keys(resources?.limits ?? {}).some((name) => name.startsWith('nvidia.com/'));
  return onGpu && !isBeforeAmpere(nodeSelector) ? 'bf16' : DEFAULT_PRECISION;
}

function isBeforeAmpere(labels: Readonly<Record<string, string>>): boolean {
  const major = Number(labels['nvidia.com/gpu.compute.major'] ?? AMPERE);
  return major < AMPERE || BEFORE_AMPERE.includes(labels['nvidia.com/gpu.family'] ?? '');
}

/** The figures to judge by, and a sentence (after a space) where they are of another precision than is served. */
export function figuresAsServed(
  service: SparseInferenceService,
  { fid }: ServedModel,
): { figures: Figures; note: string } {
  if (fid === undefined) return { figures: {}, note: '' };
  const { metric, dense, increase, precision: measured, served = [] } = fid;
  const precision = servedPrecision(service);
  const other = served.find((each) => each.precision === precision);
  if (other !== undefined) {
    const note = other.problem === undefined ? '' : ` ${other.problem}`;
    return { figures: { metric, dense, increase: other.increase, precision }, note };
  }
  const note =
    precision === (measured ?? DEFAULT_PRECISION)
      ? ''
      : ` It was measured in ${measured ?? DEFAULT_PRECISION}, and ${precision} is served, of which nothing is known: write evaluation.servedPrecisions: [${precision}] in a new SparseFinetune.`;
  return { figures: { metric, dense, increase, precision: measured }, note };
}
