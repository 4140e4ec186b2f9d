/** Whether a canary's images are as good as they should be. */
import { fails, passes, waits, type Judgement } from './judgement';

/** What was measured of the images that one version has served. */
export type ServedQuality = {
  /** Frechet distance; undefined while it is not known. */
  distance: number | undefined;
  /** That of its model's evaluation; undefined where the version draws otherwise. */
  evaluated: number | undefined;
  /** Equal for distances that can be compared: name, extractor, reference and number of images. */
  basis: string;
  /** Images are on their way to a distance, which only more requests can hasten. */
  fills: boolean;
  /** Why a figure is missing. */
  message: string;
};

export type Qualities = { canary?: ServedQuality | undefined; stable?: ServedQuality | undefined };

const NOTHING: ServedQuality = {
  distance: undefined,
  evaluated: undefined,
  basis: '',
  fills: false,
  message: 'Its servers have not reported any.',
};
const TO_GO_ON = 'To go on without it, remove rollout.canary.analysis.maxDistanceIncreasePercent.';

/**
 * Over the distance of the model's own evaluation, and over that of the version that serves where the two can be
 * compared. A distance that is not known neither passes nor fails: the canary waits.
 *
 * Example: with a bound of 20 %, a distance of 12.5 passes against 11 (+13.6 %) and fails against 10 (+25 %).
 */
export function judgeQuality(most: number | undefined, { canary, stable }: Qualities): Judgement[] {
  if (most === undefined) return [];
  const { distance, evaluated, basis, fills, message } = canary ?? NOTHING;
  if (distance === undefined) {
    return [waits(`Waits for the distance of its images. ${message} ${TO_GO_ON}`, !fills)];
  }
  const comparable = stable?.basis === basis ? stable : undefined;
  const known = [
    { of: 'its own evaluation', than: evaluated },
    { of: 'the version that serves', than: comparable?.distance },
  ].flatMap(({ of, than }) => (than === undefined ? [] : [{ of, than }]));
  if (known.length === 0) {
    const nothing = `Waits for a distance to compare its own of ${distance} with. ${message}`;
    return [waits(`${nothing} ${TO_GO_ON}`, comparable?.fills !== true)];
  }
  return known.map(({ of, than }) => held(distance, than, of, most));
}

function held(distance: number, than: number, of: string, most: number): Judgement {
  const bound = `bound +${most} %`;
  const message = `The distance of its images is ${distance}, against ${than} of ${of} (${signed(distance, than)}, ${bound}).`;
  return isAbove(distance, than, most) ? fails(message) : passes(message);
}

/** Whether a distance is more than `most` per cent larger than another. */
export function isAbove(distance: number, than: number, most: number): boolean {
  return 100 * distance > than * (100 + most);
}

/** Three significant digits. */
function signed(distance: number, than: number): string {
  if (than === 0) return distance === 0 ? '+0 %' : 'from nothing';
  const more = Number((100 * (distance / than - 1)).toPrecision(3));
  return `${more < 0 ? '' : '+'}${more} %`;
}
