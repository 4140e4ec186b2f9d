/** Termination messages of containers: a final report as JSON, or whatever a program said last. */
import { parseCutJson, parseCutText } from './cut-json';
import type { Parsed, ReportedError } from './fields';

/**
 * The final report in a termination message; undefined when the message is something else. Of a message that was cut,
 * it keeps the members that are whole, and what is left of the error.
 */
export function readFinalReport<R extends object>(
  message: string | undefined,
  parse: (body: unknown) => Parsed<R>,
): R | undefined {
  if (message === undefined || !message.trimStart().startsWith('{')) return undefined;
  const { report } = parse(parseWhole(message) ?? parseCut(message));
  return Object.keys(report).length > 0 ? report : undefined;
}

/** The human-readable part of a termination message; a report without an error has none. */
export function wordsIn(message: string | undefined): string | undefined {
  const words = message?.trim();
  return words?.startsWith('{"') === true ? undefined : words;
}

function parseWhole(message: string): unknown {
  try {
    return JSON.parse(message) as unknown;
  } catch {
    return undefined;
  }
}

type WithError = { error?: Partial<ReportedError> };

function parseCut(message: string): unknown {
  const whole = parseCutJson(message) as WithError | undefined;
  const { error } = (parseCutText(message) ?? {}) as WithError;
  if (typeof error?.message !== 'string') return whole;
  return { ...whole, error: { ...error, message: `${error.message}…` } };
}
