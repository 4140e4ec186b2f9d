/** The checks of invariants: each must find its fault. */
import { describe, expect, it } from 'vitest';
import { checkJobs, checkWriters, writersOf, type AuditEvent } from './audit';
import { busiestSecond, requestsPerRun } from './faults';
import { slopeOf } from './memory';
import { spreadOf } from './outcome';
import { sumOf } from './process';
import { createRandom } from './random';

type Told = {
  at: number;
  verb?: string;
  user?: string;
  resource?: string;
  code?: number | undefined;
  ms?: number;
};

function event({ at, verb = 'create', user = 'a', resource = 'jobs', ms = 10, ...rest }: Told): AuditEvent {
  const code = 'code' in rest ? rest.code : 201;
  return {
    verb,
    user: { username: user },
    objectRef: { resource, name: 'run-00001-train', namespace: 'test' },
    responseStatus: code === undefined ? {} : { code },
    requestReceivedTimestamp: new Date(at).toISOString(),
    stageTimestamp: new Date(at + ms).toISOString(),
  };
}

describe('Jobs in the audit log', () => {
  const names = ['run-00001-train'];
  const holds = (events: AuditEvent[], isComplete = true) =>
    checkJobs(events, names, isComplete).every(({ ok }) => ok);

  it.each([
    ['one creation', [event({ at: 0 })], true],
    ['a second attempt that is refused', [event({ at: 0 }), event({ at: 1, code: 409 })], true],
    ['an answer that was lost with its reader', [event({ at: 0, code: undefined })], true],
    ['a second creation', [event({ at: 0 }), event({ at: 1 })], false],
    ['no creation', [event({ at: 0, code: 409 })], false],
    ['a deletion', [event({ at: 0 }), event({ at: 1, verb: 'delete', code: 200 })], false],
  ])('with %s', (_, events, want) => {
    expect(holds(events)).toBe(want);
  });

  it('may lack a creation only where the log may have gaps', () => {
    expect(holds([], false)).toBe(true);
    expect(holds([])).toBe(false);
  });
});

describe('writers in the audit log', () => {
  const check = (events: AuditEvent[]) =>
    checkWriters(
      writersOf(events, () => true),
      2,
    ).ok;

  it.each([
    ['in turn', [event({ at: 0 }), event({ at: 20, user: 'b' })], true],
    ['one again after the other', [event({ at: 0 }), event({ at: 20, user: 'b' }), event({ at: 40 })], false],
    [
      'one not yet done when the other begins',
      [event({ at: 0, ms: 30 }), event({ at: 20, user: 'b' })],
      false,
    ],
    [
      'whose later events and leases are no writes',
      [event({ at: 0 }), event({ at: 20, user: 'b' }), event({ at: 40, resource: 'events' })],
      true,
    ],
    ['of which only one wrote', [event({ at: 0 }), event({ at: 20, user: 'b', verb: 'get' })], false],
  ])('%s', (_, events, want) => {
    expect(check(events)).toBe(want);
  });
});

describe('requests', () => {
  const seen = (at: number, line: string, text = line) => ({ at, line, text });

  it('of one aim are counted within any second', () => {
    const same = [0, 400, 900, 1_350].map((at) => seen(at, 'GET /a'));
    expect(busiestSecond([...same, seen(1_400, 'GET /b')])).toEqual({ aim: 'GET /a', count: 3 });
  });

  it('that create are told apart by the run they name', () => {
    const made = [1, 2].map((number) => seen(0, 'POST /jobs', `/jobs {"name":"run-0000${number}-train"}`));
    expect(busiestSecond(made).count).toBe(1);
  });

  it('are counted for the run that they name, or whose Job', () => {
    const uid = '01234567-89ab-cdef-0123-456789abcdef';
    const counts = requestsPerRun(
      [seen(0, 'PATCH', '/run-00001/status {"name":"run-00001"}'), seen(0, 'GET', `/events?uid=${uid}`)],
      new Map([[uid, 'run-00001']]),
    );
    expect([...counts]).toEqual([['run-00001', 2]]);
  });
});

it('percentiles are nearest ranks', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(spreadOf(values)).toEqual({ count: 100, p50: 50, p99: 99, max: 100 });
});

it('the line of least squares through (0, 1), (1, 3), (2, 5) rises by 2', () => {
  expect(slopeOf([[0, 1], [1, 3], [2, 5]])).toBe(2); // prettier-ignore
});

it('a metric is summed over its series', () => {
  const text = 'total{controller="a"} 2\ntotal{controller="b"} 3\ntotal_created{controller="a"} 9\n';
  expect(sumOf(text, 'total', '')).toBe(5);
  expect(sumOf(text, 'total', 'controller="b"')).toBe(3);
});

it('a seed repeats its random numbers, and another does not', () => {
  const draw = (seed: string) => Array.from({ length: 5 }, createRandom(seed).next);
  expect(draw('1')).toEqual(draw('1'));
  expect(draw('1')).not.toEqual(draw('2'));
  expect(draw('1').every((value) => value >= 0 && value < 1)).toBe(true);
});
