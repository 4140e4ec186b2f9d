/**
 * Reads a JSON text whose end was cut off, as the kubelet cuts termination messages when containers share its 12 KiB.
 * Keeps only complete members, because half a number is another number.
 *
 * Worked example: {"a":1,"b":{"c":"xy","d":12 is {a: 1, b: {c: "xy"}}, because 12 may have been 123.
 */
export function parseCutJson(text: string): unknown {
  const { whole } = scan(text);
  return whole === undefined ? undefined : tryParse(text.slice(0, whole.end) + closing(whole.open));
}

/** As above, but also keeps the string that was cut, up to the cut. */
export function parseCutText(text: string): unknown {
  const { open, inText } = scan(text);
  if (!inText) return text.endsWith('"') ? tryParse(text + closing(open)) : undefined;
  // An escape that was cut is dropped.
  const whole = text.replace(/\\(u[0-9a-fA-F]{0,3})?$/, '');
  return tryParse(`${whole}"${closing(open)}`);
}

type Scan = {
  /** Open brackets at the end. */
  open: readonly string[];
  inText: boolean;
  /** End of the complete part: the last comma or closing bracket, and the brackets that are open there. */
  whole: { end: number; open: readonly string[] } | undefined;
};

function scan(text: string): Scan {
  let open: readonly string[] = [];
  let whole: Scan['whole'];
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (inText && letter === '\\') at++;
    else if (letter === '"') inText = !inText;
    else if (inText) continue;
    else {
      open = opened(open, letter);
      if (letter === ',') whole = { end: at, open };
      if (letter === '}' || letter === ']') whole = { end: at + 1, open };
    }
  }
  return { open, inText, whole };
}

function opened(open: readonly string[], letter: string): readonly string[] {
  if (letter === '{' || letter === '[') return [...open, letter];
  return letter === '}' || letter === ']' ? open.slice(0, -1) : open;
}

function closing(open: readonly string[]): string {
  return open
    .map((bracket) => (bracket === '{' ? '}' : ']'))
    .reverse()
    .join('');
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
