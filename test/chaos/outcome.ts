/** What a scenario found: invariants that held or broke, and figures worth keeping. */
import { quantile } from '../bench/statistics';

export type Check = { name: string; ok: boolean; detail: string };
export type Figures = Record<string, unknown>;
export type Outcome = { checks: Check[]; figures: Figures };

export function check(name: string, ok: boolean, detail: string): Check {
  return { name, ok, detail };
}

/** A check that fails with the error's message when the work throws. */
export async function attempt(name: string, work: () => Promise<string>): Promise<Check> {
  try {
    return check(name, true, await work());
  } catch (error) {
    return check(name, false, error instanceof Error ? error.message : String(error));
  }
}

export type Spread = { count: number; p50: number; p99: number; max: number };

/** Nearest-rank percentiles, rounded to whole numbers. Example: of 1 to 100 the p99 is 99. */
export function spreadOf(values: readonly number[]): Spread {
  const at = (share: number) => Math.round(quantile(values, share));
  return { count: values.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function describeSpread({ count, p50, p99, max }: Spread, unit = 'ms'): string {
  return `p50 ${p50} ${unit}, p99 ${p99} ${unit}, max ${max} ${unit} of ${count}`;
}
