import { setCondition, type Condition, type ConditionStatus } from '../kube/conditions';
import { cutToLength } from '../runtime/text';

/** The verdict on one condition, before time and generation are added. */
export type Verdict = { status: ConditionStatus; reason: string; message: string };

export const yes = (reason: string, message: string): Verdict => ({ status: 'True', reason, message });
export const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
export const unknown = (reason: string, message: string): Verdict => ({ status: 'Unknown', reason, message });

/** The schema's bounds, for texts from other components. */
const LONGEST_REASON = 128;
const LONGEST_MESSAGE = 2048;

function bounded({ status, reason, message }: Verdict): Verdict {
  // The API server would replace half a character, and every later pass would see a difference.
  return { status, reason: reason.slice(0, LONGEST_REASON), message: cutToLength(message, LONGEST_MESSAGE) };
}

/** The conditions with every verdict set, and without those whose verdict is undefined. */
export function conditionsFrom(
  before: readonly Condition[] | undefined,
  verdicts: Readonly<Record<string, Verdict | undefined>>,
  observedGeneration: number,
  now: Date,
): Condition[] {
  let conditions = (before ?? []).filter(({ type }) => !(type in verdicts) || verdicts[type] !== undefined);
  for (const [type, verdict] of Object.entries(verdicts)) {
    if (verdict === undefined) continue;
    conditions = setCondition(conditions, { type, ...bounded(verdict), observedGeneration }, now);
  }
  return conditions;
}
