/** What gateways tell of the requests for each service: for autoscaler and canary, and written nowhere. */
import type { SparseInferenceService } from '../api/types';
import { demandAddress, type DemandReport } from '../reports/demand';
import { amount, count, mapOf, object, reader, text } from '../reports/fields';
import { WrongReportError, type Account, type Mailbox } from '../reports/mailbox';
import type { Store } from '../runtime/cache/store';
import { keyOf, type ObjectKey } from '../runtime/objects';
import { serviceReports } from './report';

const LONGEST_NAME = 63;
/** Versions of a service that one gateway may have seen in its life. */
const MOST_REVISIONS = 1_000;
const MOST_SECONDS = 1e12;

type Body = { demand?: DemandReport };

const readDemand = reader<Body>({
  demand: object<DemandReport>(
    {
      gateway: text(LONGEST_NAME),
      held: count,
      requests: count,
      revisions: mapOf(
        MOST_REVISIONS,
        LONGEST_NAME,
        object<DemandReport['revisions'][string]>(
          {
            requests: count,
            failed: count,
            latency: object<{ count: number; sumSeconds: number }>(
              { count, sumSeconds: amount(MOST_SECONDS) },
              ['count', 'sumSeconds'],
            ),
          },
          ['requests', 'failed', 'latency'],
        ),
      ),
    },
    ['gateway', 'held', 'requests', 'revisions'],
  ),
});

export type DemandMailboxOptions = {
  store: Store<SparseInferenceService>;
  /** Only the leader decides, so only it hears demand. */
  isLeader: () => boolean;
  /** The gateways' ServiceAccount. */
  account: Account;
  hear: (key: ObjectKey, uid: string, report: DemandReport) => void;
};

export function createDemandMailbox({ store, isLeader, account, hear }: DemandMailboxOptions): Mailbox {
  const { resource, controllers } = serviceReports;

  function put(service: SparseInferenceService, body: unknown) {
    const { report, problems } = readDemand({ demand: body });
    if (problems.length > 0) throw new WrongReportError(problems);
    if (report.demand === undefined) throw new WrongReportError(['The report must be a JSON object.']);
    hear(keyOf(service), service.metadata.uid ?? '', report.demand);
    return { answer: {} };
  }

  return {
    kind: { name: 'demand', resource, controllers, address: demandAddress },
    isHere: isLeader,
    writes: false,
    account,
    find({ namespace, name }) {
      const service = store.get(namespace, name);
      return (
        service && {
          object: service,
          put: (body) => Promise.resolve().then(() => put(service, body)),
        }
      );
    },
    flush: () => Promise.resolve(),
    waiting: 0,
  };
}
