/** The kinds of children that a service may ask for, beside its Deployments and its Service. */
import { budgetKind } from './budget';
import type { ChildKind } from './children';
import { ingressKind, routeKind } from './expose';
import { hpaKind } from './hpa';
import { kedaKinds } from './keda';
import { networkPolicyKind, type NetworkPolicySettings } from './network-policy';
import { sliceKinds } from './slices';

export type ChildSettings = NetworkPolicySettings & {
  reportsUrl: string;
  /** Whether services may be scaled by KEDA. */
  keda: boolean;
};

export function childKinds(settings: ChildSettings): readonly ChildKind[] {
  const { reportsUrl, keda } = settings;
  const scalers = [...(keda ? kedaKinds(reportsUrl) : []), hpaKind];
  return [budgetKind, ...scalers, ...sliceKinds, networkPolicyKind(settings), routeKind, ingressKind];
}
