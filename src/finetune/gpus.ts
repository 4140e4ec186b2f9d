/** Whether a run leaves unused the GPUs that its cluster has, which nobody would notice but by its pace. */
import { REASONS, USES_GPU } from '../api/conditions';
import type { SparseFinetune, TrainerStatus } from '../api/types';
import { no, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import type { Node } from '../kube/resources';
import type { Clock } from '../runtime/clock';
import { ApiError } from '../runtime/errors';

/** Nodes that offer GPUs to pods, and how many. */
export type ClusterGpus = { nodes: number; gpus: number };

const NVIDIA_GPU = 'nvidia.com/gpu';

/** Time for which one count serves all runs. */
const FRESH_MS = 600_000;

/** Counts the cluster's GPUs; undefined where the operator may not list nodes, which have no namespace. */
export function createGpuCount(
  list: () => Promise<readonly Node[]>,
  clock: Pick<Clock, 'monotonic'>,
): () => Promise<ClusterGpus | undefined> {
  let known: { count: Promise<ClusterGpus | undefined>; until: number } | undefined;

  async function read(): Promise<ClusterGpus | undefined> {
    try {
      const offers = (await list()).map(({ status }) => Number(status?.allocatable?.[NVIDIA_GPU] ?? 0));
      const some = offers.filter((count) => count > 0);
      return { nodes: some.length, gpus: some.reduce((sum, count) => sum + count, 0) };
    } catch (error) {
      // The count is an extra: a run does not wait for it.
      if (!(error instanceof ApiError)) throw error;
      return undefined;
    }
  }

  return () => {
    const now = clock.monotonic();
    if (known !== undefined && now < known.until) return known.count;
    const count = read();
    known = { count, until: now + FRESH_MS };
    count.catch(() => (known = undefined));
    return count;
  };
}

/** GPUs that the trainer's pod asks for, whole ones or parts (nvidia.com/mig-1g.10gb), of any maker. */
export function gpusAsked({ spec }: SparseFinetune): number {
  const limits = Object.entries(spec.trainer?.resources?.limits ?? {});
  const counts = limits.filter(([name]) => name.endsWith('/gpu') || name.startsWith('nvidia.com/mig-'));
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** A trainer that asks for a GPU and finds none ends with a reason of its own. */
export function isOnCpuUnasked(finetune: SparseFinetune, trainer: TrainerStatus | undefined): boolean {
  return trainer?.gpus === 0 && gpusAsked(finetune) === 0;
}

/** False where GPUs lie idle, else undefined. Without a count, what was found before stays. */
export function gpuVerdict(
  finetune: SparseFinetune,
  trainer: TrainerStatus | undefined,
  cluster: ClusterGpus | undefined,
): Verdict | undefined {
  if (!isOnCpuUnasked(finetune, trainer)) return undefined;
  const told = findCondition(finetune.status?.conditions, USES_GPU);
  if (cluster === undefined) return told && no(told.reason, told.message);
  if (cluster.nodes === 0) return undefined;
  const { nodes, gpus } = cluster;
  return no(
    REASONS.noGpuAsked,
    `The trainer runs on ${trainer?.device ?? 'a CPU'}, since spec.trainer.resources.limits asks for no GPU, and ${nodes === 1 ? 'a node' : `${nodes} nodes`} of the cluster ${nodes === 1 ? 'offers' : 'offer'} ${gpus} of ${NVIDIA_GPU}. Unless a CPU is meant, delete this SparseFinetune and create it again with ${NVIDIA_GPU}: 1 in these limits: it goes on from its last checkpoint.`,
  );
}
