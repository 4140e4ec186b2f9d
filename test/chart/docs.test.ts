/** Every name that the documentation mentions exists, and every link has a target. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FINETUNE_CONDITIONS, REASONS, SERVICE_CONDITIONS, STUDY_CONDITIONS } from '../../src/api/conditions';

const root = path.join(import.meta.dirname, '..', '..');

function filesBelow(folder: string, extension: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => path.join(folder, name));
}

const pages = ['README.md', ...filesBelow('docs', '.md'), ...filesBelow('charts', '.md')];
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const operations = read('docs/operations.md');

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** Targets of a page's links and images that are not URLs. */
function localLinks(page: string): string[] {
  const text = read(page).replace(/^```[\s\S]*?^```/gm, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^\w+:/.test(target));
}

function isBroken(page: string, link: string): boolean {
  const [file = '', heading] = link.split('#');
  const target = file === '' ? page : path.join(path.dirname(page), file);
  if (!existsSync(path.join(root, target))) return true;
  if (heading === undefined) return false;
  const headings = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => anchor(text));
  return !headings.includes(heading);
}

describe('links', () => {
  it.each(pages)('of %s lead to a file and a heading', (page) => {
    expect(localLinks(page).filter((link) => isBroken(page, link))).toEqual([]);
  });
});

describe('the troubleshooting tables', () => {
  const section = operations.slice(operations.indexOf('## Troubleshooting'));

  it('have each condition', () => {
    const types = [...FINETUNE_CONDITIONS, ...SERVICE_CONDITIONS, ...STUDY_CONDITIONS];
    expect(types.filter((type) => !new RegExp(`^\\| ${type} +\\|`, 'm').test(section))).toEqual([]);
  });

  it('explain each reason that the operator gives', () => {
    const sources = filesBelow('src', '.ts').map(read).join('\n');
    const given = Object.entries(REASONS).filter(([key]) => sources.includes(`REASONS.${key}`));
    const reasons = given.map(([, reason]) => reason);
    expect(reasons.length).toBeGreaterThan(20);
    expect(reasons.filter((reason) => !section.includes(`\`${reason}\``))).toEqual([]);
  });

  it('explain each reason that the trainer and the server end with', () => {
    // The study is a command of developers, which no pod runs.
    const modules = filesBelow('images/sparsedm/src', '.py').filter(
      (file) => !file.split(path.sep).includes('study'),
    );
    const sources = modules.map(read).join('\n');
    const raised = sources.matchAll(
      /\b(?:InputError|SparseDMError|SourceError|__init__)\(\s*"([A-Z][A-Za-z]+)"/g,
    );
    const reasons = new Set([...raised].map(([, reason = '']) => reason));
    expect(reasons.size).toBeGreaterThan(10);
    expect([...reasons].filter((reason) => !section.includes(`\`${reason}\``))).toEqual([]);
  });
});

describe('the metrics table', () => {
  it('names only metrics that the operator or its servers have', () => {
    const sources = filesBelow('src', '.ts').map(read).join('\n');
    const server = filesBelow('images/sparsedm/src/sparsedm/serve', '.py').map(read).join('\n');
    // The server's library adds the ending of a counter itself.
    const isKnown = (name: string) =>
      sources.includes(`'${name}'`) || server.includes(`"${name.replace(/_total$/, '')}"`);
    const named = [
      ...operations.matchAll(
        /`((?:controller_runtime|workqueue|rest_client|reflector|leader|sparsedm)_\w+)/g,
      ),
    ];
    expect(named.length).toBeGreaterThan(8);
    expect(named.map(([, name = '']) => name).filter((name) => !isKnown(name))).toEqual([]);
  });
});
