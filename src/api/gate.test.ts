import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { judgeGate, type Figures, type ServedFigures } from './gate';
import type { Acceptance } from './types';

type Case = {
  gate: Acceptance;
  figures: Figures;
  served?: ServedFigures[];
  passed: boolean | null;
  message: string;
};

/** The servers' own rule is held to the same cases (test_serve_gate.py). */
const shared = JSON.parse(readFileSync('images/sparsedm/tests/gate_cases.json', 'utf8')) as Case[];

it.each(shared)('judges $gate as the servers do: $message', ({ gate, figures, served, passed, message }) => {
  expect(judgeGate(gate, figures, served)).toEqual({ passed: passed ?? undefined, message });
});
