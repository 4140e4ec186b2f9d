import { describe, expect, it } from 'vitest';
import { choiceProblem, type TargetChoice } from './target';

describe('choice of a cluster', () => {
  it.each<{ name: string; choice: TargetChoice; want: RegExp | undefined }>([
    { name: 'nothing: the embedded cluster', choice: {}, want: undefined },
    { name: 'kind', choice: { kind: true }, want: undefined },
    {
      name: 'a kind context, which takes images by itself',
      choice: { context: 'kind-dev' },
      want: undefined,
    },
    { name: 'a context with a registry', choice: { context: 'gke', registry: 'host/me' }, want: undefined },
    { name: 'a context without a registry', choice: { context: 'gke' }, want: /needs --registry HOST\/PATH/ },
    { name: 'a context and kind', choice: { context: 'gke', kind: true }, want: /exclude each other/ },
    { name: 'a registry alone', choice: { registry: 'host/me' }, want: /needs --context NAME/ },
  ])('$name', ({ choice, want }) => {
    const problem = choiceProblem(choice);
    if (want === undefined) expect(problem).toBeUndefined();
    else expect(problem).toMatch(want);
  });
});
