/** Tells the operator of each service's requests, so that it wakes the service and does not put it to sleep. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { reportUrl } from '../reports/address';
import { isDeepStrictEqual } from 'node:util';
import { sleep, type Clock } from '../runtime/clock';
import { keyText, type ObjectKey } from '../runtime/objects';
import type { Logger } from '../runtime/telemetry/logger';
import { demandAddress, type DemandReport, type RevisionFigures } from '../reports/demand';

/** What a service's requests are now. */
export type Demand = {
  key: ObjectKey;
  held: number;
  requests: number;
  revisions: Record<string, RevisionFigures>;
};

export type Reporter = {
  /** Has it told soon; at once where `isUrgent`. */
  due(key: ObjectKey, isUrgent: boolean): void;
  /** Tells until the signal aborts, then once more. */
  run(signal: AbortSignal): Promise<void>;
};

/** Time between two reports of a service with requests. */
const EVERY_MS = 2_000;
/** Attempts that follow at once, because a Service leads to any replica of the operator, of which one leads. */
const QUICK_RETRIES = 8;
const QUICK_MS = 50;
/** Time between two attempts after those. */
const RETRY_MS = 1_000;
const TIMEOUT_MS = 5_000;

type Entry = {
  key: ObjectKey;
  /** What the operator has heard. */
  report: DemandReport;
  isSending: boolean;
  /** Whether it is to be told once more. */
  isUrgent: boolean;
};

const isStopped = (signal: AbortSignal | undefined) => signal?.aborted === true;

export type Post = (key: ObjectKey, report: DemandReport) => Promise<void>;

export function createReporter(options: {
  clock: Clock;
  logger: Logger;
  /** The demand of a service now; undefined once it is gone. */
  read: (key: ObjectKey) => Demand | undefined;
  post: Post;
}): Reporter {
  const { clock, logger, read, post } = options;
  const gateway = randomUUID();
  const known = new Map<string, Entry>();
  let isSilent = false;

  function entryOf(key: ObjectKey): Entry {
    const text = keyText(key);
    const found = known.get(text);
    if (found !== undefined) return found;
    const nothing: DemandReport = { gateway, held: 0, requests: 0, revisions: {} };
    const entry = { key, report: nothing, isSending: false, isUrgent: false };
    known.set(text, entry);
    return entry;
  }

  function reportOf({ held, requests, revisions }: Demand): DemandReport {
    return { gateway, held, requests, revisions: structuredClone(revisions) };
  }

  /** Sends until the operator has heard; the report is made anew for each attempt. */
  async function tell(entry: Entry, signal?: AbortSignal): Promise<void> {
    if (entry.isSending) return void (entry.isUrgent = true);
    entry.isSending = true;
    try {
      do {
        entry.isUrgent = false;
        await attempts(entry, signal);
      } while (entry.isUrgent && !isStopped(signal));
    } finally {
      entry.isSending = false;
    }
  }

  async function attempts(entry: Entry, signal?: AbortSignal): Promise<void> {
    for (let count = 1; !(await attempt(entry, count)) && !isStopped(signal); count++) {
      await sleep(clock, count < QUICK_RETRIES ? QUICK_MS : RETRY_MS, signal);
      if (isStopped(signal)) return;
    }
  }

  /** Whether there is nothing more to tell. */
  async function attempt(entry: Entry, count: number): Promise<boolean> {
    const demand = read(entry.key);
    if (demand === undefined) return known.delete(keyText(entry.key));
    const report = reportOf(demand);
    try {
      await post(entry.key, report);
    } catch (error) {
      if (count >= QUICK_RETRIES && !isSilent) {
        isSilent = true;
        logger.warn('the operator does not hear of requests: sleeping services do not wake', { error });
      }
      return false;
    }
    entry.report = report;
    if (isSilent) logger.info('the operator hears of requests again');
    isSilent = false;
    return true;
  }

  function isNews({ key, report }: Entry): boolean {
    const demand = read(key);
    return demand === undefined || demand.requests > 0 || !isDeepStrictEqual(reportOf(demand), report);
  }

  return {
    due(key, isUrgent) {
      const entry = entryOf(key);
      // The first of the held ones wakes the service; those that follow are told in time.
      const isFirst = isUrgent && (entry.report.held === 0 || entry.isSending);
      if (isFirst) void tell(entry);
    },
    async run(signal) {
      while (!signal.aborted) {
        await sleep(clock, EVERY_MS, signal);
        for (const entry of known.values()) if (isNews(entry)) void tell(entry, signal);
      }
      await Promise.all([...known.values()].map((entry) => tell(entry, signal)));
    },
  };
}

/** Posts over a new connection each time: a Service leads each to any replica of the operator, of which one leads. */
export function httpPost(reportsUrl: string, tokenFile: string): Post {
  const dispatcher = new Agent({ pipelining: 0, connect: { timeout: TIMEOUT_MS } });
  return async (key, report) => {
    const token = (await readFile(tokenFile, 'utf8')).trim();
    const { statusCode, body } = await request(reportUrl(reportsUrl, demandAddress, key), {
      method: 'POST',
      dispatcher,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(report),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const said = await body.text();
    if (statusCode >= 300) throw new Error(`status ${statusCode}: ${said.slice(0, 200)}`);
  };
}
