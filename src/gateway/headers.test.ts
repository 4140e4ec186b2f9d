import { describe, expect, it } from 'vitest';
import { clientDeadlineMs, hopOf, QUEUED_SECONDS, secondsOf, toClient, toPod, valueOf } from './headers';

const hop = { id: 'req_1', traceparent: '00-a-b-00', client: '10.0.0.9', host: 'shirts' };
const added = ['x-forwarded-for', '10.0.0.9', 'x-forwarded-proto', 'http', 'x-forwarded-host', 'shirts'];
const ids = ['x-request-id', 'req_1', 'traceparent', '00-a-b-00'];
const byGateway = ['x-sparsedm-by-gateway', 'true'];

describe('toPod', () => {
  it.each<[string, string[], string[]]>([
    ['passes the message’s own', ['Accept', '*/*', 'Host', 'shirts'], ['Accept', '*/*', 'Host', 'shirts']],
    ['drops the connection’s', ['Keep-Alive', '5', 'TE', 'trailers', 'Upgrade', 'h2c', 'Trailer', 'X'], []],
    [
      'drops those that Connection names',
      ['Connection', 'close, X-One', 'x-one', '1', 'X-Two', '2'],
      ['X-Two', '2'],
    ],
    [
      'keeps the length that Connection names',
      ['Connection', 'content-length', 'Content-Length', '5'],
      ['Content-Length', '5'],
    ],
    [
      'drops what is between gateway and pods',
      ['X-SparseDM-Queued-Seconds', '9', 'X-SparseDM-By-Gateway', 'maybe'],
      [],
    ],
    [
      'drops a proxy’s secrets',
      ['Proxy-Authorization', 'Basic x', 'Authorization', 'y'],
      ['Authorization', 'y'],
    ],
    ['answers Expect itself', ['Expect', '100-continue'], []],
    ['keeps repeated ones', ['Cookie', 'a', 'Cookie', 'b'], ['Cookie', 'a', 'Cookie', 'b']],
  ])('%s', (_, given, kept) => {
    expect(toPod(given, hop, false)).toEqual([...kept, ...added, ...ids, ...byGateway]);
  });

  it('leaves the length of a body that was read to the client of the pod', () => {
    expect(valueOf(toPod(['Content-Length', '5'], hop, true), 'content-length')).toBeUndefined();
  });

  it.each([
    ['X-Stainless-Read-Timeout', '600', 2_500, '597.500'],
    ['X-Stainless-Read-Timeout', '2', 0, '2.000'],
    ['X-Stainless-Read-Timeout', '1', 5_000, '0.001'],
    ['X-Stainless-Read-Timeout', 'soon', 0, undefined],
    ['X-Stainless-Timeout', '600', 2_500, '597.500'],
  ])('tells the pod of %s: %s less %d ms', (name, given, elapsed, want) => {
    const sent = toPod([name, given], hop, false, elapsed);
    expect(valueOf(sent, 'x-stainless-read-timeout')).toBe(want);
    expect(valueOf(sent, 'x-stainless-timeout')).toBeUndefined();
  });

  it('adds to what earlier proxies said', () => {
    const given = [
      'X-Forwarded-For',
      '1.1.1.1',
      'X-Forwarded-Proto',
      'https',
      'X-Forwarded-Host',
      'example.org',
    ];
    const sent = toPod(given, hop, false);
    expect(valueOf(sent, 'x-forwarded-for')).toBe('1.1.1.1, 10.0.0.9');
    expect(valueOf(sent, 'x-forwarded-proto')).toBe('https');
    expect(valueOf(sent, 'x-forwarded-host')).toBe('example.org');
  });
});

it('gives the client its request id once, and nothing of the gateway’s own talk', () => {
  const given = [
    'X-Request-Id',
    'other',
    'X-SparseDM-Not-Accepted',
    'true',
    'Transfer-Encoding',
    'chunked',
    'Set-Cookie',
    'a',
    'Set-Cookie',
    'b',
  ];
  expect(toClient(given, hop)).toEqual(['Set-Cookie', 'a', 'Set-Cookie', 'b', 'x-request-id', 'req_1']);
});

describe('hopOf', () => {
  it('keeps an id and a trace that are safe', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(hopOf({ 'x-request-id': 'abc.1', traceparent, host: 'h' }, '::1')).toEqual({
      ...{ id: 'abc.1', traceparent, client: '::1', host: 'h' },
    });
  });

  it.each([['a b'], ['"; drop'], ['x'.repeat(129)], ['']])('makes an id in the place of %j', (given) => {
    expect(hopOf({ 'x-request-id': given }).id).toMatch(/^req_[0-9a-f-]{36}$/);
  });

  it.each([['00-zz-1-01'], [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`], ['']])(
    'makes a trace that is not sampled in the place of %j',
    (given) => {
      expect(hopOf({ traceparent: given }).traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    },
  );
});

it.each([
  ['600', 600_000],
  ['0.5', 500],
  ['0', undefined],
  ['-1', undefined],
  ['soon', undefined],
  [undefined, undefined],
])('reads a client’s deadline of %j', (given, expected) => {
  expect(clientDeadlineMs({ 'x-stainless-read-timeout': given })).toBe(expected);
  expect(clientDeadlineMs({ 'x-stainless-timeout': given })).toBe(expected);
});

it.each([
  ['3', 3],
  ['0.250', 0.25],
  ['-1', undefined],
  ['1e9', undefined],
  ['3, 4', undefined],
  ['', undefined],
])('reads the seconds %j of a pod as %j', (text, want) => {
  expect(secondsOf(['X-SparseDM-Queued-Seconds', text], QUEUED_SECONDS)).toBe(want);
});
