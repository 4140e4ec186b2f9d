import type { SparseInferenceService } from '../api/types';
import { serverLabels, serviceName } from '../kube/names';
import { ownerReference } from '../kube/owner';
import type { Service } from '../kube/resources';

export const SERVICE_PORT = 80;

/** Label that no pod has. */
const GATEWAY_ONLY = { 'sparsedm.io/traffic': 'gateway' };

export function selectsPods(network: Service | undefined): boolean {
  const selector = network?.spec?.selector;
  return selector !== undefined && !Object.keys(GATEWAY_ONLY).some((label) => label in selector);
}

/** `isGatewayOnly`: no pod has all labels of the selector, so that only the gateway's EndpointSlice leads anywhere. */
export function buildService(service: SparseInferenceService, isGatewayOnly = false): Service {
  const { name, namespace = '' } = service.metadata;
  const labels = serverLabels(name);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: serviceName(name), namespace, labels, ownerReferences: [ownerReference(service)] },
    spec: {
      type: 'ClusterIP',
      selector: isGatewayOnly ? { ...labels, ...GATEWAY_ONLY } : labels,
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
