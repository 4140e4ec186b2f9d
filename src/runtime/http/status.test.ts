import { describe, expect, test } from 'vitest';
import { isAlreadyExists, isConflict, isGone, isNotFound } from '../errors';
import { errorFromResponse, errorFromStatus, parseRetryAfter } from './status';

const status = (fields: object) => JSON.stringify({ kind: 'Status', status: 'Failure', ...fields });

describe('errorFromResponse', () => {
  test('takes reason, message and details from a Status', () => {
    const body = status({
      reason: 'Invalid',
      message: 'spec.steps: too large',
      details: { causes: [{ field: 'spec.steps', message: 'too large' }] },
    });
    const error = errorFromResponse(422, body, undefined);
    expect(error).toMatchObject({ status: 422, reason: 'Invalid', message: 'spec.steps: too large' });
    expect(error.details?.causes?.[0]?.field).toBe('spec.steps');
  });

  test('quotes the beginning of what is no Status', () => {
    const error = errorFromResponse(502, `<html>\n  Bad   Gateway ${'x'.repeat(500)}`, undefined);
    expect(error.message).toMatch(/^the server answered 502: <html> Bad Gateway x+$/);
    expect(error.message.length).toBeLessThan(240);
    expect(errorFromResponse(404, '', undefined)).toMatchObject({ reason: 'NotFound' });
  });

  test('the header wins over the body for the time to wait', () => {
    const body = status({ reason: 'TooManyRequests', details: { retryAfterSeconds: 9 } });
    expect(errorFromResponse(429, body, 2).retryAfterSeconds).toBe(2);
    expect(errorFromResponse(429, body, undefined).retryAfterSeconds).toBe(9);
  });
});

test.each([
  ['a missing object', 404, 'NotFound', isNotFound],
  ['a lost race', 409, 'Conflict', isConflict],
  ['a name that is taken', 409, 'AlreadyExists', isAlreadyExists],
  ['a version that is too old', 410, 'Expired', isGone],
])('%s is recognised by one test only', (_, code, reason, want) => {
  const error = errorFromResponse(code, status({ reason }), undefined);
  for (const is of [isNotFound, isConflict, isAlreadyExists, isGone]) expect(is(error)).toBe(is === want);
});

test('the error event of a watch carries its code', () => {
  expect(isGone(errorFromStatus({ kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }))).toBe(
    true,
  );
  expect(errorFromStatus(null)).toMatchObject({ status: 500 });
});

test.each([
  ['seconds', '3', 3],
  ['a date', 'Thu, 01 Jan 2026 00:00:05 GMT', 5],
  ['a date in the past', 'Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['nonsense', 'soon', undefined],
  ['nothing', undefined, undefined],
])('Retry-After as %s', (_, header, want) => {
  expect(parseRetryAfter(header, new Date('2026-01-01T00:00:00Z'))).toBe(want);
});
