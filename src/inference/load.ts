/** The loads that servers report, for the autoscaler, and beside them what they measured of their images. */
import type { Load } from '../autoscale/load';
import type { SparseInferenceService } from '../api/types';
import { amount, object, reader } from '../reports/fields';
import { WrongReportError, type Mailbox } from '../reports/mailbox';
import type { Store } from '../runtime/cache/store';
import { keyOf, type ObjectKey } from '../runtime/objects';
import { parseQuality, type QualityReport } from './quality';
import { loadAddress, serviceReports } from './report';
import { goesByLoad } from './scaling';

const MOST = 1e9;

type LoadReport = { load?: Load };

const readLoad = reader<LoadReport>({
  load: object<Load>(
    {
      requests: amount(MOST),
      queuedImages: amount(MOST),
      denoisingSeconds: amount(MOST),
      offeredLoad: amount(MOST),
    },
    ['requests', 'queuedImages', 'denoisingSeconds', 'offeredLoad'],
  ),
});

/** Seconds until a pod reports again, with and without requests; longer where nothing depends on it. */
const SCALED = { everySeconds: 2, idleSeconds: 10 };
const MAY_MOVE = { everySeconds: 5, idleSeconds: 30 };
const NOT_SCALED = { everySeconds: 30, idleSeconds: 30 };

/**
 * When a pod reports again, and whether the requests for its service go by the gateway: it then closes connections that
 * clients kept from before, so that a canary gets its share of them too.
 */
function answerFor(service: SparseInferenceService): object {
  const { traffic } = service.status ?? {};
  const calm = traffic === undefined ? NOT_SCALED : MAY_MOVE;
  return { ...(goesByLoad(service) ? SCALED : calm), byGateway: traffic?.mode === 'Gateway' };
}

export type LoadMailboxOptions = {
  store: Store<SparseInferenceService>;
  /** Only the leader decides, so only it hears loads. */
  isLeader: () => boolean;
  hear: (key: ObjectKey, uid: string, pod: string, load: Load) => void;
  hearQuality: (key: ObjectKey, uid: string, pod: string, report: QualityReport) => void;
};

export function createLoadMailbox({ store, isLeader, hear, hearQuality }: LoadMailboxOptions): Mailbox {
  const { resource, controllers } = serviceReports;

  function put(service: SparseInferenceService, body: unknown, pod: string) {
    const { report, problems } = readLoad({ load: body });
    const { report: beside, problems: others } = parseQuality(body);
    if (problems.length + others.length > 0) throw new WrongReportError([...problems, ...others]);
    if (report.load === undefined) throw new WrongReportError(['The report must be a JSON object.']);
    const key = keyOf(service);
    const { uid = '' } = service.metadata;
    if (beside.quality !== undefined) hearQuality(key, uid, pod, beside.quality);
    if (goesByLoad(service)) hear(key, uid, pod, report.load);
    return { answer: answerFor(service) };
  }

  return {
    kind: { name: 'load', resource, controllers, address: loadAddress },
    isHere: isLeader,
    writes: false,
    find({ namespace, name }) {
      const service = store.get(namespace, name);
      return (
        service && {
          object: service,
          put: (body, { podUid }) => Promise.resolve().then(() => put(service, body, podUid)),
        }
      );
    },
    flush: () => Promise.resolve(),
    waiting: 0,
  };
}
