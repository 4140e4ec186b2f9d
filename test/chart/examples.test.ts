/** Every manifest of the documentation works for a reader who applies it from top to bottom: against a real API server. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { exec } from '../cluster/exec';
import { startControlPlane, type ControlPlane } from '../cluster/index';
import { whenEstablished } from './helm';

const root = path.join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

type Manifest = { kind: string; metadata: { name: string }; spec: Record<string, unknown> };
/** What a reader applies in one go: a file, or the manifests of a page in their order. */
type Reading = { name: string; text: string };

/** The blocks of a page that are whole manifests; others show a part of one. */
function manifestBlocks(page: string): string {
  const blocks = [...read(page).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  return blocks.filter((block) => block.startsWith('apiVersion:')).join('---\n');
}

const examples: Reading[] = readdirSync(path.join(root, 'docs/examples'))
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => ({ name: `docs/examples/${file}`, text: read(`docs/examples/${file}`) }));
const markdown = readdirSync(path.join(root, 'docs')).filter((file) => file.endsWith('.md'));
const pages: Reading[] = ['README.md', ...markdown.map((file) => `docs/${file}`)]
  .map((name) => ({ name, text: manifestBlocks(name) }))
  .filter(({ text }) => text !== '');
const readings = [...pages, ...examples];

function parsed(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

/** Names of the claims in the values of a spec, with the field that names each. */
function claimsOf(value: unknown, field: string): [field: string, claim: string][] {
  if (typeof value === 'string') {
    const claim = /^pvc:\/\/([^/]+)/.exec(value)?.[1];
    return claim === undefined ? [] : [[field, claim]];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => claimsOf(part, `${field}.${name}`));
}

let plane: ControlPlane;

function kubectl(args: readonly string[], input?: string): Promise<string> {
  const command = ['kubectl', '--kubeconfig', plane.kubeconfig, ...args];
  return exec(plane.binaries.k8s, command, input === undefined ? {} : { input });
}

beforeAll(async () => {
  plane = await startControlPlane();
  // The pages also show a ScaledObject of the reader's own.
  for (const folder of ['crds', 'test/interop/crds']) {
    await kubectl(['apply', '--server-side', '--filename', path.join(root, folder)]);
  }
  await whenEstablished(kubectl);
});

afterAll(async () => {
  await plane.stop();
});

describe.each(readings)('the manifests of $name', ({ name, text }) => {
  it('are accepted as they are', async () => {
    const namespace = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
    await kubectl(['create', 'namespace', namespace]);
    const applied = await kubectl(
      ['-n', namespace, 'apply', '--server-side', '--validate=strict', '--filename', '-'],
      text,
    );
    expect(applied.trim().split('\n')).toHaveLength(parsed(text).length);
  });

  it('bring each claim that is written to, and say of the others that the reader makes them', () => {
    const brought = new Set<string>();
    for (const { kind, metadata, spec } of parsed(text)) {
      if (kind === 'PersistentVolumeClaim') brought.add(metadata.name);
      for (const [field, claim] of claimsOf(spec, 'spec')) {
        if (brought.has(claim)) continue;
        expect(field, `${name} does not bring the claim ${claim} of ${field}`).not.toBe('spec.output.uri');
        expect(text, `${name} does not mention the claim ${claim} of ${field}`).toContain(
          `claim \`${claim}\``,
        );
      }
    }
  });
});

describe('the README', () => {
  it('shows what the files hold that it applies', () => {
    const files = ['docs/examples/finetune.yaml', 'docs/examples/service.yaml'];
    for (const file of files) expect(read('README.md')).toContain(`kubectl apply -f ${file}`);
    expect(parsed(manifestBlocks('README.md'))).toEqual(files.flatMap((file) => parsed(read(file))));
  });

  it('installs the operator before it needs it', () => {
    const text = read('README.md');
    expect(text.indexOf('helm install')).toBeGreaterThan(0);
    expect(text.indexOf('helm install')).toBeLessThan(text.indexOf('kind: SparseFinetune'));
  });
});
