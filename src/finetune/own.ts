import type { CheckpointStatus, ModelStatus, SparseFinetune } from '../api/types';
import { defined } from '../runtime/defined';

/** The parts of a report that say where something lies. */
type Placed = { model?: ModelStatus; checkpoint?: CheckpointStatus };

/**
 * A trainer's report without anything that does not belong to this run: its model is at spec.output.uri and nowhere
 * else, because a service mounts that URI, and all other paths are below it.
 */
export function ownResults<R extends Placed>(
  { spec }: Pick<SparseFinetune, 'spec'>,
  report: R,
): Omit<R, keyof Placed> & Placed {
  const { model, checkpoint, ...rest } = report;
  const own = model?.uri === spec.output.uri ? model : undefined;
  const below = (uri: string | undefined) =>
    uri?.startsWith(`${spec.output.uri}/`) === true ? uri : undefined;
  return {
    ...rest,
    ...defined({
      model:
        own &&
        defined({ ...own, manifestUri: below(own.manifestUri), sampleGridUri: below(own.sampleGridUri) }),
      checkpoint: checkpoint && defined({ ...checkpoint, uri: below(checkpoint.uri) }),
    }),
  };
}
