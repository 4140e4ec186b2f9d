/**
 * A run of several pods: an Indexed Job, whose pods have numbers, and a Service that gives each a name. Pod 0 holds the
 * store in which all meet, and reports for the run. When one pod ends, the others do too, and all start again from the
 * last checkpoint; those that only lost another one end with a code that does not count.
 */
import type { SparseFinetune } from '../api/types';
import { labels, trainerLabels, trainJobName } from '../kube/names';
import { ownerReference } from '../kube/owner';
import type { Job, Pod, PodTemplate, Service } from '../kube/resources';
import type { Exit } from '../workload/pod-state';

/** Exit code of a pod whose only trouble is that another one has ended. */
export const LOST_EXIT_CODE = 6;

const RENDEZVOUS_PORT = 29500;

export function nodesOf({ spec }: SparseFinetune): number {
  return spec.trainer?.nodes ?? 1;
}

type JobSpec = NonNullable<Job['spec']>;
type FailureRule = NonNullable<JobSpec['podFailurePolicy']>['rules'][number];

/** What the Job of several pods has beyond that of one. */
export function indexed(
  finetune: SparseFinetune,
): Pick<JobSpec, 'completionMode' | 'completions' | 'parallelism'> {
  const nodes = nodesOf(finetune);
  const size = { completions: nodes, parallelism: nodes };
  return nodes === 1 ? size : { completionMode: 'Indexed', ...size };
}

export function lossRules(finetune: SparseFinetune, containerName: string): FailureRule[] {
  if (nodesOf(finetune) === 1) return [];
  return [{ action: 'Ignore', onExitCodes: { containerName, operator: 'In', values: [LOST_EXIT_CODE] } }];
}

/** The name of pod 0 within the namespace, which the Service gives it. */
export function rendezvousEnv(finetune: SparseFinetune): Record<string, string> {
  const nodes = nodesOf(finetune);
  if (nodes === 1) return {};
  const name = trainJobName(finetune.metadata.name);
  return { SPARSEDM_NODES: String(nodes), SPARSEDM_RENDEZVOUS: `${name}-0.${name}:${RENDEZVOUS_PORT}` };
}

/** The pod with the names that the Service gives. */
export function withSubdomain(finetune: SparseFinetune, template: PodTemplate): PodTemplate {
  if (nodesOf(finetune) === 1 || template.spec === undefined) return template;
  return { ...template, spec: { ...template.spec, subdomain: trainJobName(finetune.metadata.name) } };
}

/** Headless, and for pods that are not ready, since none of a Job's pods has to be. */
export function buildService(finetune: SparseFinetune): Service {
  const { name, namespace = '' } = finetune.metadata;
  const own = trainerLabels(name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: trainJobName(name),
      namespace,
      labels: own,
      ownerReferences: [ownerReference(finetune)],
    },
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: own,
      ports: [{ name: 'rendezvous', port: RENDEZVOUS_PORT }],
    },
  };
}

/** Whether the pod is the only one, or pod 0, which reports for all. */
export function isFirst({ metadata }: Pod): boolean {
  return (metadata.labels?.[labels.index] ?? '0') === '0';
}

/** Whether the pod ended only because another one of the run did. */
export function hasLostAnother(exit: Exit | undefined): boolean {
  return exit?.exitCode === LOST_EXIT_CODE;
}
