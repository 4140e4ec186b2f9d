import type { SparseInferenceService } from '../api/types';
import { serverLabels, serviceName } from '../kube/names';
import { ownerReference } from '../kube/owner';
import type { Service } from '../kube/resources';

export const SERVICE_PORT = 80;

export function buildService(service: SparseInferenceService): Service {
  const { name, namespace = '' } = service.metadata;
  const labels = serverLabels(name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: serviceName(name), namespace, labels, ownerReferences: [ownerReference(service)] },
    spec: {
      type: 'ClusterIP',
      selector: labels,
      ports: [{ name: 'http', port: SERVICE_PORT, targetPort: 'http', protocol: 'TCP' }],
    },
  };
}

export function serviceUrl({ metadata }: SparseInferenceService): string {
  return `http://${serviceName(metadata.name)}.${metadata.namespace ?? ''}.svc`;
}

/** Label selector for the scale subresource: exactly the labels by which Deployment and Service find the pods. */
export function selectorText({ metadata }: SparseInferenceService): string {
  return Object.entries(serverLabels(metadata.name))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
