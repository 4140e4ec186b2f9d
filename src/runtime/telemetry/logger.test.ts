import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ApiError, TransportError } from '../errors';
import { createLogger, redact, redactText } from './logger';

function capture(level: 'error' | 'warn' | 'info' | 'debug' = 'debug') {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  return { logger: createLogger({ level, stream }), lines };
}

test('a line is one JSON object with time, level, message and metadata', () => {
  const { logger, lines } = capture();
  logger.child({ controller: 'finetune' }).info('became leader', { key: 'a/b' });
  expect(lines).toEqual([
    {
      timestamp: expect.any(String) as unknown,
      level: 'info',
      message: 'became leader',
      controller: 'finetune',
      key: 'a/b',
    },
  ]);
});

test('levels below the chosen one are left out', () => {
  const { logger, lines } = capture('warn');
  logger.debug('no');
  logger.info('no');
  logger.warn('yes');
  logger.error('yes');
  expect(lines.map(({ level }) => level)).toEqual(['warn', 'error']);
});

describe('errors', () => {
  test('carry name, message, code and causes', () => {
    const { logger, lines } = capture();
    const cause = new ApiError({ status: 403, reason: 'Forbidden', message: 'no rights' });
    logger.error('failed', { error: new TransportError('cannot', { cause }) });
    expect(lines[0]?.error).toEqual({
      name: 'TransportError',
      message: 'cannot',
      cause: { name: 'ApiError', message: 'no rights', status: 403, reason: 'Forbidden' },
    });
  });

  test('that surprise carry their stack', () => {
    expect(redact(new TypeError('x is not a function'))).toMatchObject({
      name: 'TypeError',
      stack: expect.stringContaining('logger.test.ts') as unknown,
    });
  });

  test('that cause themselves do not loop', () => {
    const error = new Error('a');
    error.cause = error;
    expect(JSON.stringify(redact(error))).toContain('[deep]');
  });
});

describe('secrets', () => {
  test.each([
    ['a bearer token', 'Authorization: Bearer eyJhbGciOi.J9-x_y', 'Authorization: Bearer [redacted]'],
    ['basic credentials', 'basic dXNlcjpwYXNz', 'basic [redacted]'],
    ['the user part of a URL', 'GET https://me:pass@host/x', 'GET https://[redacted]@host/x'],
    ['a signed URL', 'https://h/x?X-Amz-Signature=abc123&y=1', 'https://h/x?X-Amz-Signature=[redacted]&y=1'],
    ['nothing', 'pvc://claim/a@b', 'pvc://claim/a@b'],
  ])('%s in a text', (_, text, want) => {
    expect(redactText(text)).toBe(want);
  });

  test('by the name of their field, at any depth', () => {
    const { logger, lines } = capture();
    logger.info('x', { token: 'abc', nested: [{ password: 'p', accessToken: 't', tokens: 3, name: 'n' }] });
    expect(lines[0]).toMatchObject({
      token: '[redacted]',
      nested: [{ password: '[redacted]', accessToken: '[redacted]', name: 'n' }],
    });
  });

  test('in messages of errors', () => {
    const { logger, lines } = capture();
    logger.warn('failed', { error: new Error('GET https://u:p@h failed') });
    expect(JSON.stringify(lines)).not.toContain('u:p@');
  });
});
