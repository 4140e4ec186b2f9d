import type { SparseFinetune } from '../api/types';
import { trainJobName } from '../kube/names';
import type { Pod } from '../kube/resources';
import { reportUrl } from '../workload/report-url';
import { REPORT_URL, TRAINER_CONTAINER } from './job';

/** Where a pod reports to, and where this operator listens. */
export type ReportAddresses = { pod: string; operator: string };

/** Undefined where the pod, as the API server holds it, has no address. */
export function reportAddresses(
  { metadata }: SparseFinetune,
  pod: Pod | undefined,
  base: string,
): ReportAddresses | undefined {
  const trainer = pod?.spec?.containers.find(({ name }) => name === TRAINER_CONTAINER);
  const told = trainer?.env?.find(({ name }) => name === REPORT_URL)?.value;
  if (told === undefined) return undefined;
  return { pod: told, operator: reportUrl(base, 'finetunes', metadata.namespace ?? '', metadata.name) };
}

/** A Job keeps the address with which it was made; an operator that is installed under another name has another. */
export function explainAddresses({ metadata }: SparseFinetune, addresses: ReportAddresses): string {
  const [pod, operator] = [addresses.pod, addresses.operator].map((url) => url.replace(/\/v1\/.*/, ''));
  const command = `kubectl delete job ${trainJobName(metadata.name)} --namespace ${metadata.namespace ?? ''}`;
  return `The pod reports to ${pod}, and this operator listens at ${operator}: it was installed again under another name after the Job was made. Training goes on, and the result arrives at its end. For progress until then, "${command}" makes a pod with the new address, which goes on from the last checkpoint.`;
}
