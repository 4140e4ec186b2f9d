import { describe, expect, it } from 'vitest';
import { addCounts, parseJUnit, parseVitest, summaryLine } from './counts';

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
});
