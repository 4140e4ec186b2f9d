import { describe, expect, it } from 'vitest';
import { ApiError, TransportError } from '../runtime/errors';
import { refusalFrom } from './refusal';

const apiError = (status: number, reason: string, message: string, causes: object[] = []) =>
  new ApiError({ status, reason, message, details: { causes } });

describe('an error of the API server', () => {
  const downWebhook = apiError(500, 'InternalError', 'failed calling webhook "x"');

  it.each([
    [
      'that names fields is final, and says them by our names',
      apiError(422, 'Invalid', 'Job.batch "x" is invalid: ...', [
        { field: 'spec.template.labels', message: 'Invalid value: "!"' },
        { field: 'spec.template.labels', message: 'Invalid value: "!"' },
        { field: 'spec.backoffLimit', message: 'must be less' },
      ]),
      {
        reason: 'Invalid',
        message: 'our spec.template.labels: Invalid value: "!"; our spec.backoffLimit: must be less',
        final: true,
      },
    ],
    [
      'that is a policy’s decision may be another one later',
      apiError(422, 'Invalid', 'ValidatingAdmissionPolicy denied', [
        { message: 'ValidatingAdmissionPolicy' },
      ]),
      { reason: 'Invalid', message: 'ValidatingAdmissionPolicy denied', final: false },
    ],
    [
      'that is a quota’s too',
      apiError(403, 'Forbidden', 'exceeded quota'),
      { reason: 'Forbidden', message: 'exceeded quota', final: false },
    ],
    [
      'that is none of our making is retried with back-off',
      downWebhook,
      {
        reason: 'InternalError',
        message: 'failed calling webhook "x". The operator tries again.',
        final: false,
        retry: downWebhook,
      },
    ],
    ...[502, 503, 504].map((status) => {
      const error = apiError(status, 'ServiceUnavailable', 'etcd is away');
      const want = {
        reason: 'ServiceUnavailable',
        message: 'etcd is away. The operator tries again.',
        final: false,
      };
      return [`of code ${status} as well`, error, { ...want, retry: error }] as const;
    }),
  ] as const)('%s', (_, error, want) => {
    expect(refusalFrom(error, (field) => `our ${field}`)).toEqual(want);
  });

  it.each([
    ['a lost race', apiError(409, 'Conflict', 'changed')],
    ['an old version', apiError(410, 'Gone', 'too old')],
    ['a full server', apiError(429, 'TooManyRequests', 'later')],
    ['no answer', new TransportError('reset')],
    ['a fault of ours', new TypeError('x is not a function')],
  ])('is no news when it is %s', (_, error) => {
    expect(() => refusalFrom(error)).toThrow(error);
  });
});
