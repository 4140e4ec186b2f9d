/** What a program asked of the API server, from the server's audit log. */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';

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
  // Most lines are another's: looking for the text first spares parsing them.
  if (!line.includes(userAgent)) return undefined;
  const event = JSON.parse(line) as AuditEvent;
  const [program] = (event.userAgent ?? '').split('/');
  if (program !== userAgent || Date.parse(event.requestReceivedTimestamp) > until) return undefined;
  const { resource = '-', subresource } = event.objectRef ?? {};
  return `${event.verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}

export function addRequest(requests: Requests, name: string): void {
  requests[name] = (requests[name] ?? 0) + 1;
}

/** The log with its rotated parts. */
async function logFiles(auditLog: string): Promise<string[]> {
  const folder = path.dirname(auditLog);
  const { name } = path.parse(auditLog);
  const files = await readdir(folder);
  return files.filter((file) => file.startsWith(name)).map((file) => path.join(folder, file));
}

export async function countRequests(auditLog: string, counted: Counted): Promise<Requests> {
  const requests: Requests = {};
  for (const file of await logFiles(auditLog)) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const name = requestOf(line, counted);
      if (name !== undefined) addRequest(requests, name);
    }
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
