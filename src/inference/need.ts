/** The load of a service as one number, which KEDA asks for: GET /v1/services/NAMESPACE/NAME/need. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Autoscaler } from '../autoscale/autoscaler';
import { STALE_SECONDS } from '../autoscale/decide';
import { needOf } from '../autoscale/need';
import type { SparseInferenceService } from '../api/types';
import { scalerName } from '../kube/names';
import { isOwnedBy } from '../kube/owner';
import type { ConfigMap, Pod } from '../kube/resources';
import type { ReportAddress } from '../reports/address';
import type { Figure } from '../reports/figure';
import type { Store } from '../runtime/cache/store';
import { keyOf, keyText, type ObjectKey } from '../runtime/objects';
import { engineOf, livePods, targetOf } from './scaling';

export const needAddress = { objects: 'services', topic: 'need' } satisfies ReportAddress;

/** Key of the token in its ConfigMap. */
export const TOKEN_KEY = 'token';

export type NeedOptions = {
  services: Pick<Store<SparseInferenceService>, 'get'>;
  tokens: Pick<Store<ConfigMap>, 'get'>;
  podsOf: (key: ObjectKey) => readonly Pod[];
  autoscaler: Pick<Autoscaler, 'heard'>;
  /** Requests that wait in the gateways. */
  heldOf: (key: ObjectKey) => number;
  /** Only the leader hears loads. */
  isLeader: () => boolean;
};

export function createNeedFigure(options: NeedOptions): Figure {
  const { services, tokens, podsOf, autoscaler, heldOf, isLeader } = options;

  function tokenOf(service: SparseInferenceService): string | undefined {
    const { name, namespace = '' } = service.metadata;
    const found = tokens.get(namespace, scalerName(name));
    return found !== undefined && isOwnedBy(found, service) ? found.data?.[TOKEN_KEY] : undefined;
  }

  return {
    name: 'need',
    address: needAddress,
    isHere: isLeader,
    mayRead({ namespace, name }, given) {
      const service = services.get(namespace, name);
      const token = service && engineOf(service) === 'keda' ? tokenOf(service) : undefined;
      return token !== undefined && timingSafeEqual(digest(token), digest(given));
    },
    read(key) {
      const service = services.get(key.namespace, key.name);
      if (service === undefined) return { unknown: `There is no SparseInferenceService ${keyText(key)}.` };
      const pods = livePods(podsOf(key));
      const target = targetOf(service.spec.scaling?.target);
      const heard = autoscaler.heard(keyText(keyOf(service)), service.metadata.uid ?? '', pods);
      const value = needOf(target, { ...heard, held: heldOf(key) });
      if (value !== undefined) return { value };
      // Until the first reports are due, what KEDA has set stays.
      if (!heard.isMissing) return { value: (service.spec.replicas ?? 1) * target.value };
      const none = `none of its pods (${pods.length}) has reported in the last ${STALE_SECONDS} s`;
      return { unknown: `The load of ${keyText(key)} is not known: ${none}.` };
    },
  };
}

/** Equal lengths, which timingSafeEqual needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
