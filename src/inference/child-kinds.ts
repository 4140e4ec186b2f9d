/** The kinds of children that a service may ask for, beside its Deployments and its Service. */
import { budgetKind } from './budget';
import type { ChildKind } from './children';
import { hpaKind } from './hpa';
import { kedaKinds } from './keda';
import { sliceKinds } from './slices';

export type ChildSettings = {
  reportsUrl: string;
  /** Whether services may be scaled by KEDA. */
  keda: boolean;
};

export function childKinds({ reportsUrl, keda }: ChildSettings): readonly ChildKind[] {
  return [budgetKind, ...(keda ? kedaKinds(reportsUrl) : []), hpaKind, ...sliceKinds];
}
