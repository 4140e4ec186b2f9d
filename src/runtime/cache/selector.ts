type Requirement = (labels: Readonly<Record<string, string>>) => boolean;

/**
 * Whether labels match a selector in the API's notation: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (x,y)`,
 * `a notin (x,y)`, joined by commas. Throws for anything else.
 */
export function parseSelector(text: string): Requirement {
  const requirements = splitTerms(text).map(parseTerm);
  return (labels) => requirements.every((matches) => matches(labels));
}

/** Splits at the commas outside of parentheses. */
function splitTerms(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '');
}

function parseTerm(term: string): Requirement {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(term);
  if (set !== null) return setRequirement(set[1] ?? '', set[2] === 'in', set[3] ?? '');
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/.exec(term);
  if (equality !== null) return setRequirement(equality[1] ?? '', equality[2] !== '!=', equality[3] ?? '');
  const existence = /^(!?)\s*([^\s=!()]+)$/.exec(term);
  if (existence === null) throw new Error(`cannot read the label selector "${term}"`);
  const [, not = '', key = ''] = existence;
  return (labels) => key in labels === (not === '');
}

function setRequirement(key: string, wanted: boolean, list: string): Requirement {
  const values = new Set(list.split(',').map((value) => value.trim()));
  return (labels) => {
    const value = labels[key];
    // As in the API: a missing label satisfies != and notin.
    return value === undefined ? !wanted : values.has(value) === wanted;
  };
}
