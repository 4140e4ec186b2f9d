/** The value below or at which a share of the values lies (nearest rank): of 1 to 100, the 0.99 quantile is 99. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Counts occurrences. */
export function tally(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

/** Rounded to the given number of decimals, so that figures claim no more precision than was measured. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
