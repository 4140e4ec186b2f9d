/** Shows a run one state of the cluster after another, as the reconciler would, and keeps its status in between. */
import type { SparseFinetune, SparseFinetuneSpec } from '../../src/api/types';
import type { Observed } from '../../src/finetune/situation';
import { buildStatus } from '../../src/finetune/status';
import { transitions } from '../../src/finetune/transitions';
import { findCondition } from '../../src/kube/conditions';
import { aFinetune, startedAt } from './finetune';

type State = Partial<Omit<Observed, 'finetune'>> & {
  /** What changes in the spec. */
  spec?: Partial<SparseFinetuneSpec>;
  /** What the trainer has reported. */
  told?: Partial<NonNullable<SparseFinetune['status']>>;
  /** Seconds since the start of the run. */
  at?: number;
};

export type Seen = {
  /** Phase and the reason of Training, as in `Pending Queued`. */
  line: string;
  message: string;
  /** Type and reason of each event. */
  events: string[];
  finetune: SparseFinetune;
};

export function timeline(spec: Partial<SparseFinetuneSpec> = {}) {
  let finetune = aFinetune(spec);
  return function see({ spec: changes = {}, told = {}, at = 0, ...observed }: State): Seen {
    finetune = {
      ...finetune,
      spec: { ...finetune.spec, ...changes },
      status: { observedGeneration: -1, ...finetune.status, ...told },
    };
    const now = new Date(Date.parse(startedAt) + at * 1000);
    const status = buildStatus({ job: undefined, pods: [], ...observed, finetune }, now);
    const events = transitions(finetune, status).map(({ type, reason }) => `${type} ${reason}`);
    finetune = { ...finetune, status };
    const { reason = '', message = '' } = findCondition(status.conditions, 'Training') ?? {};
    return { line: `${status.phase} ${reason}`, message, events, finetune };
  };
}
