import { describe, expect, it } from 'vitest';
import {
  addCounts,
  failureText,
  junitFailures,
  parseJUnit,
  parseVitest,
  summaryLine,
  vitestFailures,
} from './counts';

describe('test counts', () => {
  it('adds the parts and ends with the plain closing line', () => {
    const total = addCounts([
      { passed: 3, failed: 0, skipped: 1 },
      { passed: 4, failed: 2, skipped: 0 },
    ]);
    expect(summaryLine(total)).toBe('7 passed, 2 failed, 1 skipped');
  });

  it('counts a vitest file that could not be loaded as a failure', () => {
    const report = {
      numPassedTests: 5,
      numFailedTests: 1,
      numPendingTests: 2,
      numTodoTests: 0,
      testResults: [
        { status: 'passed', assertionResults: [{ status: 'passed' }] },
        { status: 'failed', assertionResults: [{ status: 'failed' }] },
        { status: 'failed', assertionResults: [] },
      ],
    };
    expect(parseVitest(JSON.stringify(report))).toEqual({ passed: 5, failed: 2, skipped: 2 });
  });

  it('reads JUnit as pytest writes it', () => {
    const text =
      '<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="20" time="1.0">' +
      '<testcase name="a" time="0.1" /></testsuite></testsuites>';
    expect(parseJUnit(text)).toEqual({ passed: 14, failed: 3, skipped: 3 });
  });

  it('names what failed, and what it said', () => {
    const report = {
      testResults: [
        {
          name: 'a.test.ts',
          status: 'failed',
          assertionResults: [
            { status: 'passed', fullName: 'counts' },
            {
              status: 'failed',
              fullName: 'a run ends',
              failureMessages: ['expected 1 to be 2\n    at a.test.ts:3'],
            },
          ],
        },
        { name: 'b.test.ts', status: 'failed', message: 'no such module', assertionResults: [] },
      ],
    };
    expect(vitestFailures(JSON.stringify(report)).map(failureText)).toEqual([
      'FAILED a.test.ts > a run ends\n  expected 1 to be 2\n      at a.test.ts:3',
      'FAILED b.test.ts\n  no such module',
    ]);
    expect(
      junitFailures(
        '<testcase classname="tests.test_a" name="test_b[1&lt;2]" time="0.1"><failure message="assert 1 &gt; 2&#10; +  where">' +
          'def …</failure></testcase><testcase classname="tests.test_a" name="test_c" time="0.1" />',
      ),
    ).toEqual([{ name: 'tests.test_a > test_b[1<2]', message: 'assert 1 > 2\n +  where' }]);
  });
});
