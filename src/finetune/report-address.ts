import type { SparseFinetune } from '../api/types';
import { trainJobName } from '../kube/names';
import type { Pod } from '../kube/resources';
import { reportUrl } from '../reports/address';
import { REPORT_URL, TRAINER_CONTAINER } from './job';
import { finetuneReports } from './report';

/** The address that a pod reports to, and the one at which this operator listens. */
export type ReportAddresses = { pod: string; operator: string };

/** Undefined when the pod in the API server has no address. */
export function reportAddresses(
  { metadata }: SparseFinetune,
  pod: Pod | undefined,
  base: string,
): ReportAddresses | undefined {
  const trainer = pod?.spec?.containers.find(({ name }) => name === TRAINER_CONTAINER);
  const told = trainer?.env?.find(({ name }) => name === REPORT_URL)?.value;
  if (told === undefined) return undefined;
  return { pod: told, operator: reportUrl(base, finetuneReports.address, metadata) };
}

/** A Job keeps the address that it was created with; an operator installed under another name has a different one. */
export function explainAddresses({ metadata }: SparseFinetune, addresses: ReportAddresses): string {
  const [pod, operator] = [addresses.pod, addresses.operator].map((url) => url.replace(/\/v1\/.*/, ''));
  const command = `kubectl delete job ${trainJobName(metadata.name)} --namespace ${metadata.namespace ?? ''}`;
  return `The pod reports to ${pod}, and this operator listens at ${operator}: it was reinstalled under another name after the Job was created. Training continues, and the result arrives at its end. For progress until then, "${command}" makes a pod with the new address, which resumes from the last checkpoint.`;
}
