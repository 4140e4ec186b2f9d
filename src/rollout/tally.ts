/**
 * Counts each version's requests since a canary's step began, from what gateways report. Gateways count since they
 * began, so a step is a difference. What is lost with the process is what came since the status was written last.
 */
import type { Clock } from '../runtime/clock';
import type { Figures, VersionFigures } from './judge';
import type { Count, StepCount } from './state';

/** One version's requests since the gateway began. */
export type Counted = {
  requests: number;
  failed: number;
  latency: { count: number; sumSeconds: number };
};

export type GatewayReport = {
  /** Tells one life of a gateway from the next. */
  gateway: string;
  revisions: Readonly<Record<string, Counted>>;
};

/** The canary's step: another one begins with a count of zero. */
export type Step = {
  revision: string;
  since: string;
  /** What was counted of it before this process. */
  counted?: StepCount | undefined;
};

export type Tally = {
  hear(key: string, uid: string, report: GatewayReport): void;
  /** Undefined while no gateway has reported since the step began. */
  figures(key: string, uid: string, step: Step): Figures | undefined;
  forget(key: string): void;
};

type Gateway = { latest: GatewayReport; base: GatewayReport; heardAt: number };
type Entry = {
  uid: string;
  step: string;
  carried: StepCount | undefined;
  gateways: Map<string, Gateway>;
  hasNews: boolean;
};

/** Time after which a silent gateway counts no more in a later step. */
const GONE_MS = 600_000;

export function createTally({ clock }: { clock: Pick<Clock, 'monotonic'> }): Tally {
  const entries = new Map<string, Entry>();

  function entryOf(key: string, uid: string): Entry {
    const known = entries.get(key);
    if (known?.uid === uid) return known;
    const entry: Entry = { uid, step: '', carried: undefined, gateways: new Map(), hasNews: false };
    entries.set(key, entry);
    return entry;
  }

  function begin(entry: Entry, step: string, carried: StepCount | undefined): void {
    entry.step = step;
    entry.carried = carried;
    entry.hasNews = false;
    for (const [name, gateway] of entry.gateways) {
      if (clock.monotonic() - gateway.heardAt > GONE_MS) entry.gateways.delete(name);
      else gateway.base = gateway.latest;
    }
  }

  return {
    hear(key, uid, report) {
      const entry = entryOf(key, uid);
      entry.hasNews = true;
      const known = entry.gateways.get(report.gateway);
      // What a gateway counted before its first report may be of an earlier step.
      const base = known?.base ?? report;
      entry.gateways.set(report.gateway, { base, latest: report, heardAt: clock.monotonic() });
    },

    figures(key, uid, { revision, since, counted }) {
      const entry = entryOf(key, uid);
      const step = `${revision} ${since}`;
      if (entry.step !== step) begin(entry, step, counted);
      const { carried, gateways, hasNews } = entry;
      const isKnown = hasNews || carried !== undefined;
      return isKnown ? figuresOf(gateways.values(), revision, carried) : undefined;
    },

    forget: (key) => void entries.delete(key),
  };
}

function figuresOf(gateways: Iterable<Gateway>, canary: string, carried: StepCount | undefined): Figures {
  const sums = { canary: sumOf(carried?.canary), stable: sumOf(carried?.stable) };
  for (const { base, latest } of gateways) {
    for (const [revision, counted] of Object.entries(latest.revisions)) {
      add(revision === canary ? sums.canary : sums.stable, counted, base.revisions[revision] ?? nothing());
    }
  }
  return { canary: versionOf(sums.canary), stable: versionOf(sums.stable) };
}

function sumOf(count: Count | undefined): Counted {
  if (count === undefined) return nothing();
  const { requests, failed, answered, answerMilliseconds } = count;
  return { requests, failed, latency: { count: answered, sumSeconds: answerMilliseconds / 1000 } };
}

function nothing(): Counted {
  return { requests: 0, failed: 0, latency: { count: 0, sumSeconds: 0 } };
}

function add(sum: Counted, now: Counted, before: Counted): void {
  sum.requests += now.requests - before.requests;
  sum.failed += now.failed - before.failed;
  sum.latency.count += now.latency.count - before.latency.count;
  sum.latency.sumSeconds += now.latency.sumSeconds - before.latency.sumSeconds;
}

function versionOf({ requests, failed, latency: { count, sumSeconds } }: Counted): VersionFigures {
  return { requests, failed, answered: count, latencySeconds: count === 0 ? undefined : sumSeconds / count };
}
