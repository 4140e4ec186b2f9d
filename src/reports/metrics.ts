import { Counter, Gauge, type Registry } from 'prom-client';

export type ReportMetrics = {
  answered(kind: string, status: number): void;
  wrote(kind: string, result: string): void;
};

/** Metrics of the report endpoint. `waiting` is read at each scrape. */
export function createReportMetrics(registry: Registry, waiting: () => number): ReportMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: 'sparsedm_reports_total',
    help: 'Reports from trainer and server pods, by kind and HTTP status',
    labelNames: ['kind', 'code'],
    registers,
  });
  const writes = new Counter({
    name: 'sparsedm_report_writes_total',
    help: 'Status writes that reports led to, by kind and result (written, dropped after the end, failed)',
    labelNames: ['kind', 'result'],
    registers,
  });
  new Gauge({
    name: 'sparsedm_reports_waiting',
    help: 'Objects with a report that waits for its status write',
    registers,
    collect() {
      this.set(waiting());
    },
  });
  return {
    answered: (kind, status) => requests.inc({ kind, code: String(status) }),
    wrote: (kind, result) => writes.inc({ kind, result }),
  };
}
