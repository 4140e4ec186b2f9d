/** A program's requests to the API server, from the server's audit log. */
import { auditLines } from '../cluster/index';
import { tally } from './statistics';

type AuditEvent = {
  verb: string;
  userAgent?: string;
  requestReceivedTimestamp: string;
  objectRef?: { resource?: string; subresource?: string };
};

/** Counts by `verb resource`, such as `patch sparsefinetunes/status`; `get -` is a page that is no resource. */
export type Requests = Record<string, number>;

export type Counted = {
  /** First word of the user agent, without its version. */
  userAgent: string;
  /** Requests that the server received later are left out; milliseconds since the epoch. */
  until: number;
};

/** The name under which a line of the log is counted; undefined for another program's, or one that came too late. */
export function requestOf(line: string, { userAgent, until }: Counted): string | undefined {
  // Most lines are another program's: searching the text first avoids parsing them.
  if (!line.includes(userAgent)) return undefined;
  const event = JSON.parse(line) as AuditEvent;
  const [program] = (event.userAgent ?? '').split('/');
  if (program !== userAgent || Date.parse(event.requestReceivedTimestamp) > until) return undefined;
  const { resource = '-', subresource } = event.objectRef ?? {};
  return `${event.verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}

export async function countRequests(auditLog: string, counted: Counted): Promise<Requests> {
  const requests: Requests = {};
  for await (const line of auditLines(auditLog)) {
    const name = requestOf(line, counted);
    if (name !== undefined) tally(requests, name);
  }
  return requests;
}

export function totalRequests(requests: Requests): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0);
}

/** The counts summed over resources. */
export function byVerb(requests: Requests): Requests {
  const verbs: Requests = {};
  for (const [name, count] of Object.entries(requests)) {
    const verb = name.split(' ')[0] ?? name;
    verbs[verb] = (verbs[verb] ?? 0) + count;
  }
  return verbs;
}
