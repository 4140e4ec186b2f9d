import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { byVerb, countRequests, requestOf, totalRequests } from './audit';

type Changes = { verb?: string; userAgent?: string; at?: string; objectRef?: object | undefined };

function line(changes: Changes = {}): string {
  const {
    verb = 'patch',
    userAgent = 'sparsedm-operator/0.1.0',
    at = '2026-01-01T00:00:01.000001Z',
  } = changes;
  const objectRef =
    'objectRef' in changes ? changes.objectRef : { resource: 'sparsefinetunes', subresource: 'status' };
  return JSON.stringify({ kind: 'Event', verb, userAgent, requestReceivedTimestamp: at, objectRef });
}

const counted = { userAgent: 'sparsedm-operator', until: Date.parse('2026-01-01T00:00:02Z') };

describe('a line of the audit log', () => {
  test.each([
    ['counts by verb, resource and subresource', line(), 'patch sparsefinetunes/status'],
    ['counts without a subresource', line({ objectRef: { resource: 'jobs' } }), 'patch jobs'],
    ['of a page that is no resource counts', line({ verb: 'get', objectRef: undefined }), 'get -'],
    ['of another program does not count', line({ userAgent: 'kwok/v0.8.0' }), undefined],
    [
      'of a program with a longer name does not count',
      line({ userAgent: 'sparsedm-operator-x/1' }),
      undefined,
    ],
    [
      'that only names the program does not count',
      line({ verb: 'sparsedm-operator', userAgent: 'x' }),
      undefined,
    ],
    ['that came too late does not count', line({ at: '2026-01-01T00:00:02.500000Z' }), undefined],
  ])('%s', (_, text, want) => {
    expect(requestOf(text, counted)).toBe(want);
  });
});

describe('the log', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-audit-'));
    const jobs = { resource: 'jobs' };
    await writeFile(
      path.join(folder, 'audit.log'),
      `${line()}\n${line({ verb: 'create', objectRef: jobs })}\n`,
    );
    await writeFile(path.join(folder, 'audit-2026-01-01T00-00-00.000.log'), `${line()}\n`);
    await writeFile(path.join(folder, 'other.log'), `${line()}\n`);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('is counted with its rotated parts', async () => {
    const requests = await countRequests(path.join(folder, 'audit.log'), counted);
    expect(requests).toEqual({ 'patch sparsefinetunes/status': 2, 'create jobs': 1 });
    expect(totalRequests(requests)).toBe(3);
  });
});

test('verbs sum up over resources', () => {
  const requests = { 'patch jobs': 1, 'patch sparsefinetunes/status': 3, 'list pods': 2 };
  expect(byVerb(requests)).toEqual({ patch: 4, list: 2 });
});
