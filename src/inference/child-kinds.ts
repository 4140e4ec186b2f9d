/** The kinds of children that a service may ask for, beside its Deployments and its Service. */
import { budgetKind } from './budget';
import type { ChildKind } from './children';

export function childKinds(): readonly ChildKind[] {
  return [budgetKind];
}
