/** The lint rules that are ours alone do what they are there for. */
import { ESLint, Linter } from 'eslint';
import { describe, expect, it } from 'vitest';

type Configured = { rules?: Linter.RulesRecord };

/** Complaints about a line of code, were it in this file, by the rule that restricts imports there. */
async function complaints(file: string, code: string): Promise<string[]> {
  const config = (await new ESLint().calculateConfigForFile(file)) as Configured;
  const rule = config.rules?.['no-restricted-imports'] ?? 'off';
  return new Linter()
    .verify(code, [{ rules: { 'no-restricted-imports': rule } }])
    .map(({ message }) => message);
}

describe('a reconciler', () => {
  it.each([
    ['src/finetune/reconcile.ts', "import { createTransport } from '../runtime/http/transport';"],
    ['src/inference/plan.ts', "import { createTransport } from '../runtime/http/transport';"],
    ['src/workload/refusal.ts', "import { createManager } from '../runtime/manager';"],
    ['src/finetune/job.ts', "import { request } from 'undici';"],
    ['src/inference/service.ts', "import { request } from 'node:https';"],
  ])('may not reach past KubeClient: %s with %s', async (file, code) => {
    const found = await complaints(file, code);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('through KubeClient alone');
  });

  it.each([
    ['src/finetune/reconcile.ts', "import { isAlreadyExists } from '../runtime/errors';"],
    ['src/operator.ts', "import { createTransport } from './runtime/transport';"],
    ['src/kube/client.ts', "import { createTransport } from '../runtime/http/transport';"],
  ])('and others may do their work: %s with %s', async (file, code) => {
    expect(await complaints(file, code)).toEqual([]);
  });
});
