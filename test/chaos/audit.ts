/** What the API server did for whom, from its audit log, the independent witness. */
import { tally } from '../bench/statistics';
import { auditLines } from '../cluster/index';
import { check, type Check } from './outcome';

export type AuditEvent = {
  verb: string;
  user: { username: string };
  userAgent?: string;
  objectRef?: { resource?: string; subresource?: string; name?: string; namespace?: string };
  responseStatus?: { code?: number };
  requestReceivedTimestamp: string;
  stageTimestamp: string;
};

/** Events of requests on a namespace's objects, in the order in which they were received. */
export async function readAudit(auditLog: string, namespace: string): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  for await (const line of auditLines(auditLog)) {
    if (!line.includes(namespace)) continue;
    const event = parse(line);
    if (event?.objectRef?.namespace === namespace) events.push(event);
  }
  return events.sort((a, b) => (a.requestReceivedTimestamp < b.requestReceivedTimestamp ? -1 : 1));
}

/** A server that was killed may have left half a line. */
function parse(line: string): AuditEvent | undefined {
  try {
    return JSON.parse(line) as AuditEvent;
  } catch {
    return undefined;
  }
}

const succeeded = ({ responseStatus }: AuditEvent) =>
  responseStatus?.code !== undefined && responseStatus.code < 300;

/** Neither done nor refused: the client had gone when the server had its answer. */
const untold = ({ responseStatus }: AuditEvent) =>
  responseStatus?.code === undefined || responseStatus.code >= 499;

/**
 * No run got a second Job: at most one creation succeeded, none was deleted, and where no success is recorded, the
 * answer was lost with its client. (Names are unique, so two can't exist at once.)
 */
export function checkJobs(
  events: readonly AuditEvent[],
  names: readonly string[],
  isComplete: boolean,
): Check[] {
  const ours = new Set(names);
  const ofJobs = events.filter(
    ({ objectRef }) =>
      objectRef?.resource === 'jobs' && objectRef.subresource === undefined && ours.has(objectRef.name ?? ''),
  );
  const creations = ofJobs.filter(({ verb }) => verb === 'create');
  const successes: Record<string, number> = {};
  const lost: Record<string, number> = {};
  for (const event of creations) {
    if (succeeded(event)) tally(successes, event.objectRef?.name ?? '');
    else if (untold(event)) tally(lost, event.objectRef?.name ?? '');
  }
  const wrong = names.filter((name) => {
    const count = successes[name] ?? 0;
    return count > 1 || (count === 0 && lost[name] === undefined && isComplete);
  });
  const unseen = names.filter((name) => successes[name] === undefined);
  const refused = creations.filter((event) => event.responseStatus?.code === 409);
  const deletions = ofJobs.filter((event) => event.verb.startsWith('delete') && succeeded(event));
  return [
    check(
      'no second Job for a run',
      wrong.length === 0,
      `${names.length} runs, ${Object.keys(successes).length} creations, ${unseen.length} more whose answer was lost, ` +
        `${refused.length} second attempts refused by name` +
        (wrong.length > 0 ? `; wrong: ${wrong.slice(0, 5).join(', ')}` : ''),
    ),
    check('no Job deleted', deletions.length === 0, `${deletions.length} deletions`),
  ];
}

const WRITES = ['create', 'update', 'patch', 'delete'];
/** Not counted as writes: leases, which both compete for, and events, which only record what was done. */
const NOT_STATE = ['leases', 'events'];

export type Writer = { user: string; writes: number; from: string; to: string };

/** Who changed objects, first writer first: from the arrival of the first write to the completion of the last. */
export function writersOf(events: readonly AuditEvent[], isCandidate: (user: string) => boolean): Writer[] {
  const writers = new Map<string, Writer>();
  for (const { verb, user, objectRef, requestReceivedTimestamp: from, stageTimestamp: to } of events) {
    const changesState = WRITES.includes(verb) && !NOT_STATE.includes(objectRef?.resource ?? '');
    if (!changesState || !isCandidate(user.username)) continue;
    const writer = writers.get(user.username);
    if (writer === undefined) {
      writers.set(user.username, { user: user.username, writes: 1, from, to });
    } else {
      writer.writes++;
      if (to > writer.to) writer.to = to;
    }
  }
  return [...writers.values()].sort((a, b) => (a.from < b.from ? -1 : 1));
}

/** No writer's last write was completed after the next one's first had arrived. */
export function checkWriters(writers: readonly Writer[], want: number): Check {
  const overlaps = writers.filter((writer, index) => {
    const next = writers[index + 1];
    return next !== undefined && writer.to >= next.from;
  });
  const gaps = writers
    .slice(1)
    .map((writer, index) => Date.parse(writer.from) - Date.parse(writers[index]?.to ?? ''));
  const detail = writers.map(({ user, writes }) => `${user.split(':').at(-1)} ${writes}`).join(', ');
  return check(
    'never two writers',
    overlaps.length === 0 && writers.length === want,
    `writes in turn: ${detail}; shortest gap ${Math.min(...gaps)} ms`,
  );
}
