/** SparseStudy: creates the SparseFinetunes of a grid, a few at a time, and gathers what they measure. */
import { REASONS } from '../api/conditions';
import {
  sparseFinetunes,
  sparseStudies,
  type SparseFinetune,
  type SparseStudy,
  type SparseStudyStatus,
  type StudyRun,
} from '../api/types';
import type { KubeClient } from '../kube/client';
import { annotations, labels, managedBy, studyResultsName } from '../kube/names';
import { isOwnedBy, ownerReference } from '../kube/owner';
import { equalJson } from '../kube/patch';
import { configMaps, type ConfigMap } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import type { Clock } from '../runtime/clock';
import type { Reconciler, ReconcileResult } from '../runtime/controller';
import { defined } from '../runtime/defined';
import { isAlreadyExists } from '../runtime/errors';
import type { EventRecorder } from '../runtime/events';
import type { ObjectKey } from '../runtime/objects';
import { refusalFrom, RETRY_REFUSED_MS, type Refusal } from '../workload/refusal';
import { cellsOf, type Cell } from './cells';
import { groupsOf } from './figures';
import { latencyPlotOf, plotOf } from './plot';
import { isActive, refusedRun, updatedRun, waitingRun } from './runs';
import { buildStatus, due, isFinished, transitions, type Observed } from './status';
import { csvOf, markdownOf } from './table';

export type StudyDependencies = {
  client: KubeClient;
  clock: Clock;
  events: EventRecorder;
  studies: Store<SparseStudy>;
  /** With the index STUDY_INDEX. */
  finetunes: Store<SparseFinetune>;
};

/** Of SparseFinetunes by `namespace/name` of their study. */
export const STUDY_INDEX = 'study';
/** Of studies by `namespace/name` of the SparseFinetune that they copy. */
export const COPIED_INDEX = 'copied';

export function studyOfFinetune({ metadata }: SparseFinetune): string[] {
  const study = metadata.labels?.[labels.study];
  return study === undefined ? [] : [`${metadata.namespace ?? ''}/${study}`];
}

export function finetuneOfStudy({ metadata, spec }: SparseStudy): string[] {
  return [`${metadata.namespace ?? ''}/${spec.finetuneRef.name}`];
}

/** With the cells of the SparseFinetune that is copied; none where it is missing, or another than at the start. */
type Seen = { observed: Observed; cells: readonly Cell[] };

/** Writes only `suspend` of a run, so that everything else stays with its creator. */
const SUSPENDER = 'sparsedm-operator-study';

export function createStudyReconciler({
  client,
  clock,
  events,
  studies,
  finetunes,
}: StudyDependencies): Reconciler {
  function observe(study: SparseStudy): Seen {
    const { name } = study.spec.finetuneRef;
    const base = finetunes.get(study.metadata.namespace ?? '', name);
    const { finetuneUid = base?.metadata.uid, runs: known } = study.status ?? {};
    const cells = base !== undefined && base.metadata.uid === finetuneUid ? cellsOf(study, base.spec) : [];
    const runs = (known ?? cells.map(waitingRun)).map((run) => updatedRun(run, runOf(study, run.name)));
    const obstacle = cells.length === 0 && isOpen(runs) ? missing(name, base !== undefined) : undefined;
    return { observed: { study, runs, finetuneUid, obstacle }, cells };
  }

  /** The SparseFinetune of this name, where it is the study's. */
  function runOf(study: SparseStudy, name: string): SparseFinetune | undefined {
    const found = finetunes.get(study.metadata.namespace ?? '', name);
    return found !== undefined && isOwnedBy(found, study) ? found : undefined;
  }

  /** Creates what is due. Returns the rows, and what the API server said where it refused for now. */
  async function start({ observed, cells }: Seen): Promise<Observed> {
    const { study } = observed;
    const changed = new Map<string, StudyRun>();
    let obstacle = observed.obstacle;
    for (const run of due(observed)) {
      const cell = cells.find(({ name }) => name === run.name);
      if (cell === undefined) continue;
      const refusal = await create(study, cell);
      if (refusal === undefined) changed.set(run.name, updatedRun(run, runOf(study, run.name)));
      else if (refusal.final) changed.set(run.name, refusedRun(run, refusal.message));
      else {
        obstacle = refusal;
        if (refusal.retry !== undefined) throw refusal.retry;
        break;
      }
    }
    return { ...observed, obstacle, runs: observed.runs.map((run) => changed.get(run.name) ?? run) };
  }

  async function create(study: SparseStudy, { name, spec }: Cell): Promise<Refusal | undefined> {
    const { namespace = '' } = study.metadata;
    try {
      await client.create(sparseFinetunes, {
        apiVersion: 'sparsedm.io/v1alpha1',
        kind: 'SparseFinetune',
        metadata: {
          name,
          namespace,
          labels: { [labels.managedBy]: managedBy, [labels.study]: study.metadata.name },
          ownerReferences: [ownerReference(study)],
        },
        spec,
      });
      return undefined;
    } catch (error) {
      if (!isAlreadyExists(error)) return refusalFrom(error);
      const found = await client.get(sparseFinetunes, { namespace, name });
      if (found === undefined || isOwnedBy(found, study)) return undefined;
      const message = `A SparseFinetune ${name} exists that is not of this study: remove or rename it, and create the study anew.`;
      return { reason: REASONS.nameConflict, message, final: true };
    }
  }

  /** Passes spec.suspend on to the runs under way, and takes back what the study has suspended, nothing else. */
  async function suspend(study: SparseStudy, runs: readonly StudyRun[]): Promise<void> {
    for (const { name } of runs.filter(isActive)) {
      const run = runOf(study, name);
      if (run === undefined) continue;
      const isOurs = run.metadata.annotations?.[annotations.suspended] === 'true';
      const wanted = study.spec.suspend === true;
      if (wanted ? run.spec.suspend === true : !isOurs) continue;
      const { namespace = '', uid } = run.metadata;
      const metadata = {
        ...{ name, namespace, ...(uid === undefined ? {} : { uid }) },
        annotations: { [annotations.suspended]: String(wanted) },
      };
      await client.applyPart(
        sparseFinetunes,
        { metadata, spec: { suspend: wanted } },
        { fieldManager: SUSPENDER },
      );
    }
  }

  async function writeResults(study: SparseStudy, runs: readonly StudyRun[]): Promise<void> {
    const { name, namespace = '' } = study.metadata;
    const groups = groupsOf(runs);
    const plots = { 'pareto.svg': plotOf(name, groups), 'pareto-latency.svg': latencyPlotOf(name, groups) };
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name: studyResultsName(name),
        namespace,
        labels: { [labels.managedBy]: managedBy, [labels.study]: name },
        ownerReferences: [ownerReference(study)],
      },
      data: {
        'runs.csv': csvOf(runs),
        'table.md': markdownOf(name, groups),
        ...defined(plots),
      },
    };
    await client.apply(configMaps, object);
  }

  async function writeStatus(study: SparseStudy, status: SparseStudyStatus): Promise<void> {
    // Before the status, so that a pass that ended between the two writes them again.
    const isNews = status.results !== undefined && !equalJson(figures(study.status), figures(status));
    if (isNews) await writeResults(study, status.runs ?? []);
    if (!(await client.patchStatus(sparseStudies, study, status))) return;
    for (const { type, reason, message } of transitions(study, status)) {
      events.event(study, type, reason, message);
    }
  }

  async function reconcile({ namespace, name }: ObjectKey): Promise<ReconcileResult> {
    const study = studies.get(namespace, name);
    if (study === undefined || study.metadata.deletionTimestamp !== undefined) return undefined;
    const before = observe(study);
    if (!isFinished(study)) await suspend(study, before.observed.runs);
    const observed = await start(before);
    await writeStatus(study, buildStatus(observed, clock.now()));
    const isRefused = observed.obstacle !== undefined && observed.obstacle !== before.observed.obstacle;
    return isRefused ? { requeueAfterMs: RETRY_REFUSED_MS } : undefined;
  }

  return { reconcile };
}

/** Whether runs are still to be created. */
function isOpen(runs: readonly StudyRun[]): boolean {
  return runs.length === 0 || runs.some(({ phase }) => phase === 'Waiting');
}

/** What the tables are made of. */
function figures(status: SparseStudyStatus | undefined): unknown {
  return status?.results === undefined ? undefined : status.runs;
}

function missing(name: string, isOther: boolean): NonNullable<Observed['obstacle']> {
  return isOther
    ? {
        reason: REASONS.finetuneReplaced,
        message: `SparseFinetune ${name} is not the one that this study began with: its other runs would not compare. Create a new SparseStudy.`,
      }
    : {
        reason: REASONS.finetuneNotFound,
        message: `SparseFinetune ${name} is not in this namespace: create it, or correct spec.finetuneRef in a new SparseStudy.`,
      };
}
