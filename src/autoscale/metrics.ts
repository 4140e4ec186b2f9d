import { Counter, Gauge, type Registry } from 'prom-client';
import type { Decision } from './decide';

export type ScalingMetrics = { decided(decision: Decision, before: number): void };

/** Metrics of the autoscaler. `decisions` is read at each scrape, so a service's figures end with it. */
export function createScalingMetrics(
  registry: Registry,
  decisions: () => Iterable<[key: string, decision: Decision]>,
): ScalingMetrics {
  const registers = [registry];
  const decided = new Counter({
    name: 'sparsedm_scaling_decisions_total',
    help: 'Decisions on the replicas of services, by what they did (up, down, none) or unknown where nothing reported',
    labelNames: ['result'],
    registers,
  });
  new Gauge({
    name: 'sparsedm_scaling_desired_replicas',
    help: 'Replicas that the builtin autoscaler wants for a service',
    labelNames: ['namespace', 'name'],
    registers,
    collect() {
      this.reset();
      for (const [key, { replicas }] of decisions()) this.set(labelsOf(key), replicas);
    },
  });
  new Gauge({
    name: 'sparsedm_scaling_needed_replicas',
    help: 'Replicas, with a fraction, that the load of the last minute needs; more than the maximum is not given',
    labelNames: ['namespace', 'name'],
    registers,
    collect() {
      this.reset();
      for (const [key, { needed }] of decisions()) {
        if (needed !== undefined) this.set(labelsOf(key), needed);
      }
    },
  });
  return {
    decided: (decision, before) => decided.inc({ result: resultOf(decision, before) }),
  };
}

function resultOf({ replicas, outcome }: Decision, before: number): string {
  if (replicas !== before) return replicas > before ? 'up' : 'down';
  return outcome === 'noReports' ? 'unknown' : 'none';
}

function labelsOf(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}
