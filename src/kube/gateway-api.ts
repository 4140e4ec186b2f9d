/** HTTPRoute of the Gateway API (v1.7): the part of it that the operator writes and reads. */
import type { KubeObject, Resource } from '../runtime/objects';
import type { Condition } from './conditions';

export type ParentRef = { name: string; namespace?: string; sectionName?: string; port?: number };

export type HttpRoute = KubeObject & {
  spec?: {
    parentRefs?: ParentRef[];
    hostnames?: string[];
    rules?: {
      backendRefs?: { name: string; port?: number }[];
      timeouts?: { request?: string; backendRequest?: string };
    }[];
  };
  status?: {
    /** One for each parent and controller. */
    parents?: { parentRef: ParentRef; controllerName: string; conditions?: Condition[] }[];
  };
};

export const httpRoutes: Resource<HttpRoute> = {
  group: 'gateway.networking.k8s.io',
  version: 'v1',
  plural: 'httproutes',
  kind: 'HTTPRoute',
  namespaced: true,
};
