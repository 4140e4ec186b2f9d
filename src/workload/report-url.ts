/** URL to which the pods of an object send their reports. */
export function reportUrl(
  base: string,
  kind: 'finetunes' | 'services',
  namespace: string,
  name: string,
): string {
  return `${base}/v1/${kind}/${namespace}/${name}/${kind === 'finetunes' ? 'progress' : 'engine'}`;
}
