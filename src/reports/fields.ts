/**
 * Reads reports from untrusted JSON: only known fields, of the right type and of bounded size, ever reach a status.
 * Unknown fields are dropped, so that a newer image works with an older operator.
 */

export type ReportedError = { reason: string; message: string };

export type Parsed<T> = {
  report: T;
  /** A message for each field that was left out because it is wrong. */
  problems: string[];
};

const LONGEST_SENTENCE = 1024;

/** Returns the value to keep, or reports what the value must be. */
export type Rule = (value: unknown, path: string, problems: string[]) => unknown;
export type Fields<T> = { [Key in keyof Required<T>]: Rule };

function refuse(path: string, want: string, problems: string[]): undefined {
  problems.push(`${path} must be ${want}.`);
}

export function integer(low: number, high = Number.MAX_SAFE_INTEGER): Rule {
  return (value, path, problems) =>
    Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high
      ? value
      : refuse(path, `a whole number from ${low} to ${high}`, problems);
}

/** A number that need not be whole. */
export function amount(high: number): Rule {
  return (value, path, problems) =>
    typeof value === 'number' && value >= 0 && value <= high
      ? value
      : refuse(path, `a number from 0 to ${high}`, problems);
}

export function text(longest: number): Rule {
  return (value, path, problems) =>
    typeof value === 'string' && value.length <= longest && !hasControlCharacters(value)
      ? value
      : refuse(path, `a text of at most ${longest} characters`, problems);
}

/** A human-readable message. One that is too long is cut, because losing its end is better than losing all of it. */
export const sentence: Rule = (value, path, problems) => {
  if (typeof value !== 'string') return refuse(path, 'a text', problems);
  const clean = value.replace(/\p{Cc}+/gu, ' ').trim();
  return clean.length <= LONGEST_SENTENCE ? clean : `${clean.slice(0, LONGEST_SENTENCE - 1)}…`;
};

function hasControlCharacters(value: string): boolean {
  return /\p{Cc}/u.test(value.replace(/[\n\t]/g, ' '));
}

/** A decimal as the status holds it, for example "3.42". JSON numbers are taken too. */
export const decimal: Rule = (value, path, problems) => {
  const written = typeof value === 'number' ? String(value) : value;
  return typeof written === 'string' && written.length <= 32 && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(written)
    ? written
    : refuse(path, 'a decimal of at most 32 characters, for example "3.42"', problems);
};

export const yesOrNo: Rule = (value, path, problems) =>
  typeof value === 'boolean' ? value : refuse(path, 'true or false', problems);

export const time: Rule = (value, path, problems) =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value) &&
  isDay(value.slice(0, 10))
    ? value
    : refuse(path, 'a time in RFC 3339, for example 2026-01-31T12:00:00Z', problems);

/** Date.parse takes the 30th of February for a day in March. */
function isDay(value: string): boolean {
  const day = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value);
}

/**
 * Keeps the known fields. null counts as absent: a status never holds null. Undefined when a required field is missing.
 */
export function object<T>(fields: Fields<T>, required: readonly (keyof T & string)[] = []): Rule {
  const rules = Object.entries<Rule>(fields);
  return (value, path, problems) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return refuse(path, 'an object', problems);
    }
    const given = value as Record<string, unknown>;
    const kept = rules.flatMap(([name, rule]) => {
      const field = Object.hasOwn(given, name) ? given[name] : undefined;
      if (field === undefined || field === null) return [];
      const read = rule(field, path === '' ? name : `${path}.${name}`, problems);
      return read === undefined ? [] : [[name, read] as const];
    });
    const result = Object.fromEntries(kept);
    const missing = required.find((name) => !(name in result));
    // A field that is present and wrong has already been reported.
    if (missing === undefined || (given[missing] ?? undefined) !== undefined) {
      return missing === undefined ? result : undefined;
    }
    return refuse(`${path}.${missing}`, 'there', problems);
  };
}

/** An object with any keys, each at most `longest` characters long; at most `most` of them. */
export function mapOf(most: number, longest: number, item: Rule): Rule {
  const isKey = text(longest);
  return (value, path, problems) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return refuse(path, 'an object', problems);
    }
    const entries = Object.entries(value);
    if (entries.length > most) return refuse(path, `an object with at most ${most} fields`, problems);
    const kept = entries.flatMap(([name, field]) => {
      const known = isKey(name, `the name of a field of ${path}`, problems);
      const read = item(field, `${path}.${name}`, problems);
      return known === undefined || read === undefined ? [] : [[name, read] as const];
    });
    return Object.fromEntries(kept);
  };
}

/** The newest items of a list. */
export function lastItems(count: number, item: Rule): Rule {
  return (value, path, problems) => {
    if (!Array.isArray(value)) return refuse(path, 'a list', problems);
    return value.slice(-count).flatMap((entry: unknown, index) => {
      const read = item(entry, `${path}[${index}]`, problems);
      return read === undefined ? [] : [read];
    });
  };
}

export const count = integer(0);
export const small = integer(0, 2 ** 31 - 1);
export const uri = text(1024);
export const sha256 = text(64);

/** A condition's reason: a word in CamelCase. */
export function reasonWord(): Rule {
  return (value, path, problems) =>
    typeof value === 'string' && /^[A-Za-z][A-Za-z0-9_]{0,127}$/.test(value)
      ? value
      : refuse(path, 'one word of letters and digits', problems);
}

/** Why a trainer or a server ended, in its own words. */
export const reportedError = object<ReportedError>({ reason: reasonWord(), message: sentence });

/** A reader of whole reports, whose parts are objects. */
export function reader<T extends object>(fields: Fields<T>): (body: unknown) => Parsed<T> {
  const rule = object<T>(fields);
  return (body) => {
    const problems: string[] = [];
    const report = rule(body, '', problems) as T | undefined;
    if (report === undefined) return { report: {} as T, problems: ['The report must be a JSON object.'] };
    return { report: withoutEmptyParts(report), problems };
  };
}

/** Drops parts without any field, and an error without its reason. */
function withoutEmptyParts<T extends object>(report: T): T {
  const parts = Object.entries(report).filter(
    ([name, part]) =>
      Object.keys(part as object).length > 0 &&
      (name !== 'error' || Object.keys(part as object).length === 2),
  );
  return Object.fromEntries(parts) as T;
}
