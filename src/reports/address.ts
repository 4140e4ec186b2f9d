import type { ObjectKey } from '../runtime/objects';

/** Where the pods of one kind of object report to: /v1/OBJECTS/NAMESPACE/NAME/TOPIC. */
export type ReportAddress = { objects: string; topic: string };

/** URL to which the pods of an object send their reports. */
export function reportUrl(
  base: string,
  { objects, topic }: ReportAddress,
  { namespace = '', name }: { namespace?: string; name: string },
): string {
  return `${base}/v1/${objects}/${namespace}/${name}/${topic}`;
}

/** The object that a path of such a URL names. */
export function reportedObject({ objects, topic }: ReportAddress, path: string): ObjectKey | undefined {
  const [, version, kind, namespace, name, rest, ...more] = path.split('/');
  if (version !== 'v1' || kind !== objects || rest !== topic || more.length > 0) return undefined;
  return namespace && name ? { namespace, name } : undefined;
}
