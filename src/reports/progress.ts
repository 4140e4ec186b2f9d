import type { Progress } from '../api/types';

/** What only a trainer that runs can say: how fast it goes, how long it takes, and what it does. */
const OF_THE_MOMENT = ['remainingSeconds', 'eta', 'samplesPerSecond', 'phase'];

/** What progress still says when the trainer that told it has stopped: how far the run is. */
export function lasting(progress: Progress): Progress {
  return Object.fromEntries(Object.entries(progress).filter(([field]) => !OF_THE_MOMENT.includes(field)));
}
