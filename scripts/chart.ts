/**
 * The chart's generated files: the CustomResourceDefinitions of crds/ as templates, and the README's table of values
 * from the comments in values.yaml. `npm run generate` writes both.
 */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { isMap, isScalar, parseDocument, type Node, type Pair, type YAMLMap } from 'yaml';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const crdFolder = path.join(root, 'crds');
const chartFolder = path.join(root, 'charts', 'sparsedm-operator');
const templateFolder = path.join(chartFolder, 'templates');

/** A CRD as a chart template: optional, kept on uninstall, with the chart's labels; otherwise its very text. */
export function crdTemplate(crd: string): string {
  const body = crd.replace(/^(#.*\n|---\n)*/, '').trimEnd();
  const head = /^metadata:\n {2}name: \S+\n/m;
  if (!head.test(body))
    throw new Error('a CRD must begin its metadata with its name, indented by two spaces');
  if (/^ {2}(labels|annotations):/m.test(body)) {
    throw new Error('a CRD must not bring labels or annotations: the chart adds its own');
  }
  const escaped = body.replaceAll('{{', '{{ "{{" }}');
  return [
    '{{- /* Generated from crds/ by scripts/chart.ts. */ -}}',
    '{{- if .Values.crds.install }}',
    escaped.replace(
      head,
      (match) =>
        `${match}  labels:\n    {{- include "sparsedm.labels" . | nindent 4 }}\n` +
        '  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n',
    ),
    '{{- end }}',
    '',
  ].join('\n');
}

export type DocumentedValue = { path: string; value: unknown; description: string };

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

/** The text after `# --` above a key. The comment above the first key of a map hangs on the map itself. */
function descriptionOf(map: YAMLMap, index: number, pair: Pair): string | undefined {
  const own = (pair.key as Node).commentBefore ?? (index === 0 ? map.commentBefore : undefined);
  const lines = own?.split('\n').map((line) => line.trim()) ?? [];
  const start = lines.findIndex((line) => line.startsWith('-- '));
  return start < 0 ? undefined : lines.slice(start).join(' ').slice(3);
}

/** Every value of values.yaml that a `# --` comment describes; one without is an error, wherever it hides. */
export function documentedValues(text: string): DocumentedValue[] {
  const found: DocumentedValue[] = [];
  const walk = (map: YAMLMap, prefix: string): void => {
    map.items.forEach((pair, index) => {
      const name = prefix + keyOf(pair);
      const description = descriptionOf(map, index, pair);
      if (description !== undefined) {
        found.push({ path: name, value: (pair.value as Node).toJS(document), description });
      } else if (isMap(pair.value)) {
        walk(pair.value, `${name}.`);
      } else {
        throw new Error(`values.yaml: ${name} has no "# --" comment above it`);
      }
    });
  };
  const document = parseDocument(text);
  if (!isMap(document.contents)) throw new Error('values.yaml is not a map');
  walk(document.contents, '');
  return found;
}

export function valuesTable(text: string): string {
  const rows = documentedValues(text).map(
    ({ path: name, value, description }) =>
      `| \`${name}\` | \`${JSON.stringify(value)}\` | ${description.replaceAll('|', '\\|')} |`,
  );
  return ['| Value | Default | Meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

const tableStart = '<!-- values: generated from values.yaml by scripts/chart.ts -->';
const tableEnd = '<!-- end of values -->';

function readmeWithTable(readme: string, table: string): string {
  const start = readme.indexOf(tableStart);
  const end = readme.indexOf(tableEnd);
  if (start < 0 || end < start)
    throw new Error('README.md of the chart lost the marks around its values table');
  return `${readme.slice(0, start + tableStart.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

/** Generated files of the chart by path, with the content that they should have. */
export async function chartFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of readdirSync(crdFolder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()) {
    const template = crdTemplate(readFileSync(path.join(crdFolder, name), 'utf8'));
    files.set(path.join(templateFolder, `crd-${name.replace(/^sparsedm\.io_/, '')}`), template);
  }
  const readme = path.join(chartFolder, 'README.md');
  const table = valuesTable(readFileSync(path.join(chartFolder, 'values.yaml'), 'utf8'));
  const text = readmeWithTable(readFileSync(readme, 'utf8'), table);
  files.set(readme, await format(text, { ...(await resolveConfig(readme)), parser: 'markdown' }));
  return files;
}

/** Paths of generated files that are missing, differ, or belong to a CRD that is gone. */
export async function staleChartFiles(): Promise<string[]> {
  const wanted = await chartFiles();
  const changed = [...wanted].filter(
    ([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text,
  );
  return [...changed.map(([file]) => file), ...orphans(wanted)];
}

function orphans(wanted: Map<string, string>): string[] {
  return readdirSync(templateFolder)
    .filter((name) => name.startsWith('crd-'))
    .map((name) => path.join(templateFolder, name))
    .filter((file) => !wanted.has(file));
}

export async function writeChartFiles(): Promise<void> {
  const wanted = await chartFiles();
  for (const file of orphans(wanted)) rmSync(file);
  for (const [file, text] of wanted) writeFileSync(file, text);
}
