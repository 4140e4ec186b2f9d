import type { Progress, SparseFinetune } from '../api/types';
import { isTrue } from '../kube/conditions';

export function isFinished({ status }: SparseFinetune): boolean {
  return isTrue(status?.conditions, 'Finished');
}

/** Fields of progress that only a running trainer can fill: its speed, the time left and its phase. */
const OF_THE_MOMENT = ['remainingSeconds', 'eta', 'samplesPerSecond', 'phase'];

/** Progress after its trainer has stopped: only how far the run is. */
export function lasting(progress: Progress): Progress {
  return Object.fromEntries(Object.entries(progress).filter(([field]) => !OF_THE_MOMENT.includes(field)));
}
