/** Quantities of resources, as in requests and limits: 500m, 2, 1.5Gi, 1e3. */

const SCALES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number behind a quantity: 500m is 0.5, 2Ki is 2048. NaN for anything else. */
export function quantityValue(text: string | number): number {
  const parts = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([numkMGTPE]|[KMGTPE]i)?$/.exec(String(text));
  if (parts === null) return NaN;
  return Number(parts[1]) * (SCALES[parts[2] ?? ''] ?? 1);
}
