const ellipsis = '…';

/**
 * The text in at most `longest` bytes of UTF-8, cut between two characters: limits of core Kubernetes types count
 * bytes. Half a surrogate pair becomes U+FFFD here, as it would in the API server.
 */
export function cutToBytes(text: string, longest: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= longest) return bytes.toString();
  let end = longest - Buffer.byteLength(ellipsis);
  const isInside = (index: number) => ((bytes[index] ?? 0) & 0xc0) === 0x80;
  while (end > 0 && isInside(end)) end--;
  return bytes.toString('utf8', 0, end) + ellipsis;
}

/** The text in at most `longest` UTF-16 units, never half a surrogate pair; schemas count characters, which are fewer. */
export function cutToLength(text: string, longest: number): string {
  const whole = text.toWellFormed();
  if (whole.length <= longest) return whole;
  return whole.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, '') + ellipsis;
}
