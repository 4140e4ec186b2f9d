import path from 'node:path';

export type Counts = { passed: number; failed: number; skipped: number };

export const noTests: Counts = { passed: 0, failed: 0, skipped: 0 };

export function addCounts(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, one) => ({
      passed: sum.passed + one.passed,
      failed: sum.failed + one.failed,
      skipped: sum.skipped + one.skipped,
    }),
    noTests,
  );
}

export function summaryLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

type VitestReport = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { status: string; fullName: string; failureMessages?: string[] }[];
  }[];
};

/** A failed test, and what it said. */
export type Failure = { name: string; message: string };

/** What fits above the counts: the whole story stands where the test ran, thousands of lines before them. */
const shownLines = 12;

export function failureText({ name, message }: Failure): string {
  const lines = message.trim().split('\n').slice(0, shownLines);
  return [`FAILED ${name}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** The failures of vitest's JSON report; a file that could not be loaded is one. */
export function vitestFailures(text: string): Failure[] {
  return (JSON.parse(text) as VitestReport).testResults.flatMap(
    ({ name: file, status, message, assertionResults }) => {
      const name = path.relative('.', file);
      const failed = assertionResults
        .filter((test) => test.status === 'failed')
        .map((test) => ({
          name: `${name} > ${test.fullName}`,
          message: (test.failureMessages ?? []).join('\n'),
        }));
      return status === 'failed' && failed.length === 0 ? [{ name, message: message ?? '' }] : failed;
    },
  );
}

const entities: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&', '#10': '\n' };

/** The failures and errors of a JUnit report as pytest writes it. */
export function junitFailures(text: string): Failure[] {
  const testcase =
    /<testcase\sclassname="([^"]*)"\sname="([^"]*)"[^>]*><(?:failure|error)\smessage="([^"]*)"/g;
  const decoded = (value = '') =>
    value.replace(/&(#?\w+);/g, (whole, name: string) => entities[name] ?? whole);
  return [...text.matchAll(testcase)].map(([, file, name, message]) => ({
    name: `${decoded(file)} > ${decoded(name)}`,
    message: decoded(message),
  }));
}

/** Counts of vitest's JSON report. A test file that could not be loaded has no tests but counts as one failure. */
export function parseVitest(text: string): Counts {
  const report = JSON.parse(text) as VitestReport;
  const broken = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Counts of a JUnit report as pytest writes it: attributes of the testsuite elements. */
export function parseJUnit(text: string): Counts {
  const sum = (attribute: string) =>
    [...text.matchAll(/<testsuite\s[^>]*>/g)].reduce(
      (total, [element]) => total + Number(new RegExp(`\\s${attribute}="(\\d+)"`).exec(element)?.[1] ?? 0),
      0,
    );
  const failed = sum('failures') + sum('errors');
  const skipped = sum('skipped');
  return { passed: sum('tests') - failed - skipped, failed, skipped };
}
