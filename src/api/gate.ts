/** The quality gate: figures of a run against the bounds of acceptance (training) or qualityGate (serving). */
import type { Acceptance } from './types';

export type Figures = {
  metric?: string | undefined;
  dense?: string | undefined;
  increase?: string | undefined;
  /** Named in the message where it is given. */
  precision?: string | undefined;
  macsReductionPercent?: string | undefined;
};

/** A distance in another precision than that of the figures beside it; without an increase it is not known. */
export type ServedFigures = { precision: string; increase?: string | undefined };

export type GateVerdict = { passed: boolean | undefined; message: string };

type Check = { passed: boolean | undefined; sentence: string };

/** The number in a decimal string; undefined for anything else. */
function numberIn(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === '' ? NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function atMost(what: string, value: number | undefined, bound: number, unit: string): Check {
  if (value === undefined) return { passed: undefined, sentence: `${what} isn't known` };
  const passed = value <= bound;
  return {
    passed,
    sentence: `${what} is ${short(value)}${unit}, ${passed ? 'within' : 'above'} ${bound}${unit}`,
  };
}

function atLeast(what: string, value: number | undefined, bound: number, unit: string): Check {
  if (value === undefined) return { passed: undefined, sentence: `${what} isn't known` };
  const passed = value >= bound;
  return {
    passed,
    sentence: `${what} is ${short(value)}${unit}, ${passed ? 'at least' : 'below'} ${bound}${unit}`,
  };
}

/** At most 4 decimals: 12.3456789 is 12.3457, 2 is 2. */
function short(value: number): string {
  return String(Number(value.toFixed(4)));
}

/**
 * Worked example: dense distance "100.0" and increase "3.5" against {maxFidIncrease: "2.5"} fail, against
 * {maxFidIncreasePercent: 5} pass with 3.5 %. The distances in each of `served` are held to the same bounds.
 */
export function judgeGate(
  gate: Acceptance,
  figures: Figures,
  served: readonly ServedFigures[] = [],
): GateVerdict {
  const checks = [
    ...distanceChecks(gate, figures),
    ...served.flatMap((other) => distanceChecks(gate, { ...figures, increase: undefined, ...other })),
  ];
  if (gate.minMacsReductionPercent !== undefined) {
    const reduction = numberIn(figures.macsReductionPercent);
    checks.push(atLeast('the reduction of MACs', reduction, gate.minMacsReductionPercent, ' %'));
  }
  return { passed: together(checks), message: sentence(checks) };
}

function distanceChecks(gate: Acceptance, { metric, dense, increase, precision }: Figures): Check[] {
  const name = `${metric ?? 'distance'}${precision === undefined ? '' : ` in ${precision}`}`;
  const grown = numberIn(increase);
  const base = numberIn(dense);
  const percent = grown === undefined || !base ? undefined : (100 * grown) / base;
  const checks: Check[] = [];
  if (gate.maxFidIncrease !== undefined) {
    checks.push(atMost(`the increase of ${name}`, grown, Number(gate.maxFidIncrease), ''));
  }
  if (gate.maxFidIncreasePercent !== undefined) {
    checks.push(atMost(`the relative increase of ${name}`, percent, gate.maxFidIncreasePercent, ' %'));
  }
  return checks;
}

/** False as soon as one bound is broken, undefined while a figure is missing, else True. */
function together(checks: readonly Check[]): boolean | undefined {
  if (checks.some((check) => check.passed === false)) return false;
  return checks.some((check) => check.passed === undefined) ? undefined : true;
}

function sentence(checks: readonly Check[]): string {
  const text = checks.map((check) => check.sentence).join('; ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
