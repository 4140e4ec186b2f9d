/** Whether the gate's bounds, which are named after the FID, are held against the FID. */
import { REASONS } from '../api/conditions';
import type { DistanceStatus, SparseFinetune } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';

/** The trainer's name of the one distance that compares with published figures. */
const FID = 'FID';

const BOUNDS = ['maxFidIncrease', 'maxFidIncreasePercent'] as const;

/** Undefined without such a bound. Told from the spec where that decides it already, before hours of training. */
export function metricVerdict(
  { spec }: SparseFinetune,
  fid: DistanceStatus | undefined,
): Verdict | undefined {
  const bounds = BOUNDS.filter((name) => spec.acceptance?.[name] !== undefined);
  if (bounds.length === 0) return undefined;
  const which = bounds.map((name) => `spec.acceptance.${name}`).join(' and ');
  const { metric, extractorUri } = spec.evaluation ?? {};
  if (fid?.metric === FID || metric === 'fid') return yes(REASONS.measuresFid, 'The distance is the FID.');
  if (fid?.metric !== undefined) return notFid(which, fid.metric);
  if (extractorUri?.endsWith('.safetensors') === true) {
    return notFid(which, `a distance over the features of ${extractorUri}`);
  }
  return unknown(REASONS.notMeasured, 'Whether the distance is the FID is known when it is measured.');
}

function notFid(bounds: string, distance: string): Verdict {
  return no(
    REASONS.notFid,
    `${bounds} ${bounds.includes(' and ') ? 'are' : 'is'} held against ${distance}, which is not the FID: its values compare with no published ones. Choose the bound for this distance, or create a SparseFinetune with evaluation.metric: fid and the Inception weights in evaluation.extractorUri.`,
  );
}
