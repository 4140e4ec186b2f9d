import type { KubeClient } from '../kube/client';
import type { Store } from '../runtime/cache/store';
import type { Clock } from '../runtime/clock';
import { isConflict } from '../runtime/errors';
import { keyOf, keyText, parseKey, type KubeObject, type ObjectKey } from '../runtime/objects';
import { createCoalescer, type Receipt } from './coalesce';
import type { Reported, ReportKind } from './kind';
import type { Reporter } from './review';

export const REPORTS_FIELD_MANAGER = 'sparsedm-reports';

const INTERVAL_MS = 2_000;
const WRITES_PER_SECOND = 50;
const MOST_TRIES = 5;

/** A report with wrong fields. Dropping them is not enough: the sender should learn of its error. */
export class WrongReportError extends Error {
  override readonly name = 'WrongReportError';
  constructor(problems: readonly string[]) {
    super(problems.slice(0, 10).join(' '));
  }
}

export type MailboxOptions<T extends Reported, R extends object> = {
  kind: ReportKind<T, R>;
  client: Pick<KubeClient, 'get' | 'patchStatus'>;
  clock: Clock;
  store: Store<T>;
  /** Called for each write with its result. */
  onWrite?: (kind: string, result: 'written' | 'dropped' | 'failed') => void;
};

/** What the sender is told, in JSON. */
export type Answer = { answer: object };

/** The place of one object's reports. */
export type Box = {
  readonly object: KubeObject;
  /** Takes the report in a request's body. Rejects with WrongReportError, or when an urgent report can't be written. */
  put(body: unknown, reporter: Reporter): Promise<Receipt | Answer>;
};

export type Account = { namespace: string; name: string };

/** Takes the reports of one kind of object. */
export type Mailbox = {
  readonly kind: Pick<ReportKind, 'name' | 'resource' | 'address' | 'controllers'>;
  /** Whether this replica takes the reports now. */
  readonly isHere: () => boolean;
  /** Whether reports lead to writes of the object, so that all its pods together share a limit. */
  readonly writes: boolean;
  /** The ServiceAccount that alone may report, of any object; absent where an object's own pods do. */
  readonly account?: Account;
  find(key: ObjectKey): Box | undefined;
  /** Writes everything that is waiting, once. */
  flush(): Promise<void>;
  /** Number of objects with a waiting report. */
  readonly waiting: number;
};

/** A report, and the object whose pod sent it: the report is not written to a later object of that name. */
type Heard<R> = { uid: string | undefined; report: R };

/** The later report wins, part by part. */
function merge<R extends object>(earlier: Heard<R>, later: Heard<R>): Heard<R> {
  if (earlier.uid !== later.uid) return later;
  return { uid: later.uid, report: { ...earlier.report, ...later.report } };
}

/** A mailbox that writes the reports into the statuses. */
export function createMailbox<T extends Reported, R extends object>(options: MailboxOptions<T, R>): Mailbox {
  const { kind, client, clock, store, onWrite } = options;

  /**
   * Writes to the current object. Requires that it has not changed since it was read, so that a report in flight when
   * the run ended can't overwrite the run's final status.
   */
  async function write(key: string, { uid, report }: Heard<R>): Promise<boolean> {
    const { namespace, name } = parseKey(key);
    let object = store.get(namespace, name);
    for (let tries = 1; object !== undefined && object.metadata.uid === uid; tries++) {
      const status = kind.apply(object, report, clock.now());
      if (status === undefined) return false;
      try {
        await client.patchStatus(kind.resource, object, status, {
          fieldManager: REPORTS_FIELD_MANAGER,
          requireUnchanged: true,
        });
        return true;
      } catch (error) {
        if (!isConflict(error) || tries >= MOST_TRIES) throw error;
        object = await client.get(kind.resource, { namespace, name });
      }
    }
    return false;
  }

  async function countedWrite(key: string, heard: Heard<R>): Promise<void> {
    let result: 'written' | 'dropped' | 'failed' = 'failed';
    try {
      result = (await write(key, heard)) ? 'written' : 'dropped';
    } finally {
      onWrite?.(kind.name, result);
    }
  }

  const coalescer = createCoalescer<Heard<R>>({
    clock,
    intervalMs: INTERVAL_MS,
    writesPerSecond: WRITES_PER_SECOND,
    merge,
    write: countedWrite,
  });

  async function put(object: T, body: unknown, reporter: Reporter): Promise<Receipt> {
    const { report: whole, problems } = kind.parse(body);
    if (problems.length > 0) throw new WrongReportError(problems);
    const report = kind.partFrom?.(whole, reporter) ?? whole;
    const heard = { uid: object.metadata.uid, report };
    return coalescer.submit(keyText(keyOf(object)), heard, kind.isUrgent(object, report));
  }

  return {
    kind,
    isHere: () => true,
    writes: true,
    find({ namespace, name }) {
      const object = store.get(namespace, name);
      return object && { object, put: (body, reporter) => put(object, body, reporter) };
    },
    flush: () => coalescer.flush(),
    get waiting() {
      return coalescer.waiting;
    },
  };
}
