/** The kinds of KEDA (keda.sh/v1alpha1) that the operator writes, with the fields that it uses. */
import type { V2HorizontalPodAutoscalerBehavior } from '@kubernetes/client-node';
import type { KubeObject, Resource } from '../runtime/objects';
import type { Json } from './resources';

export type ScaledObject = KubeObject & {
  spec: {
    scaleTargetRef: { apiVersion: string; kind: string; name: string };
    minReplicaCount: number;
    maxReplicaCount: number;
    pollingInterval?: number;
    cooldownPeriod?: number;
    initialCooldownPeriod?: number;
    advanced?: { horizontalPodAutoscalerConfig?: { behavior?: Json<V2HorizontalPodAutoscalerBehavior> } };
    triggers: {
      type: string;
      name?: string;
      metricType?: 'AverageValue' | 'Value' | 'Utilization';
      /** All values are strings. */
      metadata: Record<string, string>;
      authenticationRef?: { name: string; kind?: 'TriggerAuthentication' | 'ClusterTriggerAuthentication' };
    }[];
  };
  status?: {
    conditions?: { type: string; status: 'True' | 'False' | 'Unknown'; reason?: string; message?: string }[];
  };
};

export type TriggerAuthentication = KubeObject & {
  spec: { configMapTargetRef?: { parameter: string; name: string; key: string }[] };
};

export const scaledObjects: Resource<ScaledObject> = {
  group: 'keda.sh',
  version: 'v1alpha1',
  plural: 'scaledobjects',
  kind: 'ScaledObject',
  namespaced: true,
};

export const triggerAuthentications: Resource<TriggerAuthentication> = {
  group: 'keda.sh',
  version: 'v1alpha1',
  plural: 'triggerauthentications',
  kind: 'TriggerAuthentication',
  namespaced: true,
};
