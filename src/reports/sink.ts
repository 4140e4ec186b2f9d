import {
  sparseFinetunes,
  sparseInferenceServices,
  type SparseFinetune,
  type SparseFinetuneStatus,
  type SparseInferenceService,
  type SparseInferenceServiceStatus,
} from '../api/types';
import { isFinished } from '../finetune/situation';
import type { KubeClient } from '../kube/client';
import { timestamp } from '../kube/conditions';
import type { Store } from '../runtime/cache/store';
import type { Clock } from '../runtime/clock';
import { defined } from '../runtime/defined';
import { isConflict } from '../runtime/errors';
import { keyOf, keyText, parseKey, type KubeObject, type Resource } from '../runtime/objects';
import type { FinetuneReport, ServiceReport } from './body';
import { createCoalescer, type Coalescer, type Receipt } from './coalesce';
import { ownResults } from './own';
import { lasting } from './progress';

export const REPORTS_FIELD_MANAGER = 'sparsedm-reports';

const INTERVAL_MS = 2_000;
const WRITES_PER_SECOND = 50;
const MOST_TRIES = 5;

export type SinkDependencies = {
  client: Pick<KubeClient, 'get' | 'patchStatus'>;
  clock: Clock;
  finetunes: Store<SparseFinetune>;
  services: Store<SparseInferenceService>;
  /** Called for each write with its result. */
  onWrite?: (kind: 'finetune' | 'service', result: 'written' | 'dropped' | 'failed') => void;
};

export type Sink = {
  submitFinetune(finetune: SparseFinetune, report: FinetuneReport): Promise<Receipt>;
  submitService(service: SparseInferenceService, report: ServiceReport): Promise<Receipt>;
  flush(): Promise<void>;
  readonly waiting: number;
};

/** The status with a trainer's report in it. The time is the operator's, since pods' clocks can't be trusted. */
export function withFinetuneReport(
  status: SparseFinetuneStatus,
  report: FinetuneReport,
  now: Date,
): SparseFinetuneStatus {
  const { progress, checkpoint, sparsity, macs, fid, model, attempt } = report;
  return {
    ...status,
    ...defined({ checkpoint, sparsity, macs, fid, model }),
    // A trainer that has just started has no estimate of the time left yet, and the previous trainer's no longer holds.
    progress: { ...lasting(status.progress ?? {}), ...progress, reportedAt: timestamp(now) },
    ...defined({ attempts: attempt && { ...status.attempts, ...attempt } }),
  };
}

/**
 * The status with a server's report in it. The digest belongs to the wanted model or to the one that serves, by the URI
 * that the server names; a report that names another URI, as pods of an earlier version do, is ignored.
 */
export function withServiceReport(
  status: SparseInferenceServiceStatus,
  { engine, model }: ServiceReport,
): SparseInferenceServiceStatus {
  const places = ['wanted', 'model'] as const;
  const place = places.find((one) => model?.uri !== undefined && model.uri === plain(status[one]?.uri));
  if (model?.uri !== undefined && place === undefined) return status;
  const held = place && status[place];
  const takesDigest = place !== undefined && held?.finetune === undefined && model?.sha256 !== undefined;
  return {
    ...status,
    ...defined({ engine }),
    ...(takesDigest ? { [place]: { ...held, sha256: model.sha256 } } : {}),
  };
}

/** The URI as a server writes its folder: normalised. */
function plain(uri: string | undefined): string | undefined {
  return uri?.replace(/\/\.(?=\/|$)/g, '');
}

/** Whether the user wants to see a report at once: a new phase or stage, or figures. */
function isUrgent({ status }: SparseFinetune, { progress, fid, model, error }: FinetuneReport): boolean {
  if (fid !== undefined || model !== undefined || error !== undefined) return true;
  const known = status?.progress;
  return progress !== undefined && (progress.phase !== known?.phase || progress.stage !== known?.stage);
}

/** A report, and the object whose pod sent it: the report is not written to a later object of that name. */
type Heard<R> = { uid: string | undefined; report: R };

function merge<R>(earlier: Heard<R>, later: Heard<R>): Heard<R> {
  if (earlier.uid !== later.uid) return later;
  return { uid: later.uid, report: { ...earlier.report, ...later.report } };
}

export function createSink(dependencies: SinkDependencies): Sink {
  const { client, clock, onWrite } = dependencies;

  /**
   * Writes to the current object. Requires that it has not changed since it was read, so that a report in flight when
   * the run ended can't overwrite the run's final status.
   */
  async function write<T extends KubeObject & { status?: unknown }>(
    resource: Resource<T>,
    store: Store<T>,
    key: string,
    change: (object: T) => NonNullable<T['status']> | undefined,
  ): Promise<boolean> {
    const { namespace, name } = parseKey(key);
    let object = store.get(namespace, name);
    for (let tries = 1; object !== undefined; tries++) {
      const status = change(object);
      if (status === undefined) return false;
      try {
        await client.patchStatus(resource, object, status, {
          fieldManager: REPORTS_FIELD_MANAGER,
          requireUnchanged: true,
        });
        return true;
      } catch (error) {
        if (!isConflict(error) || tries >= MOST_TRIES) throw error;
        object = await client.get(resource, { namespace, name });
      }
    }
    return false;
  }

  function counted(kind: 'finetune' | 'service', writing: Promise<boolean>): Promise<void> {
    return writing.then(
      (written) => onWrite?.(kind, written ? 'written' : 'dropped'),
      (error: unknown) => {
        onWrite?.(kind, 'failed');
        throw error;
      },
    );
  }

  const rhythm = { clock, intervalMs: INTERVAL_MS, writesPerSecond: WRITES_PER_SECOND };

  const finetunes: Coalescer<Heard<FinetuneReport>> = createCoalescer({
    ...rhythm,
    merge,
    write: (key, { uid, report }) => {
      const change = (object: SparseFinetune) =>
        isFinished(object) || object.metadata.uid !== uid
          ? undefined
          : withFinetuneReport(object.status ?? {}, ownResults(object, report), clock.now());
      return counted('finetune', write(sparseFinetunes, dependencies.finetunes, key, change));
    },
  });

  const services: Coalescer<Heard<ServiceReport>> = createCoalescer({
    ...rhythm,
    merge,
    write: (key, { uid, report }) => {
      const change = (object: SparseInferenceService) =>
        object.metadata.uid === uid ? withServiceReport(object.status ?? {}, report) : undefined;
      return counted('service', write(sparseInferenceServices, dependencies.services, key, change));
    },
  });

  return {
    submitFinetune: (finetune, report) =>
      finetunes.submit(
        keyText(keyOf(finetune)),
        { uid: finetune.metadata.uid, report },
        isUrgent(finetune, report),
      ),
    submitService: (service, report) =>
      services.submit(keyText(keyOf(service)), { uid: service.metadata.uid, report }, true),
    async flush() {
      await Promise.all([finetunes.flush(), services.flush()]);
    },
    get waiting() {
      return finetunes.waiting + services.waiting;
    },
  };
}
