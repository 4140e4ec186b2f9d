/** Conditions as in metav1.Condition. A missing condition means unknown. */
export type ConditionStatus = 'True' | 'False' | 'Unknown';

export type Condition = {
  type: string;
  status: ConditionStatus;
  reason: string;
  message: string;
  observedGeneration?: number;
  lastTransitionTime: string;
};

export type NewCondition = Omit<Condition, 'lastTransitionTime'>;

/**
 * The list with the condition set, sorted by type. lastTransitionTime moves only when the status flips, so that a
 * second pass over the same state yields an equal list.
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  condition: NewCondition,
  now: Date,
): Condition[] {
  const before = findCondition(conditions, condition.type);
  const lastTransitionTime =
    before !== undefined && before.status === condition.status ? before.lastTransitionTime : timestamp(now);
  const others = (conditions ?? []).filter((other) => other.type !== condition.type);
  return sortByType([...others, { ...condition, lastTransitionTime }]);
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** metav1.Time: RFC 3339 in whole seconds, UTC. */
export function timestamp(time: Date): string {
  return time.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function sortByType(conditions: Condition[]): Condition[] {
  return conditions.sort((a, b) => (a.type < b.type ? -1 : 1));
}
