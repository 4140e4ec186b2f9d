import { describe, expect, it } from 'vitest';
import { aDeployment, aService, uriModel } from '../../test/support/inference';
import type { RevisionStatus } from '../api/types';
import { resolveModel } from './model';
import { asking, buildRevision, changes, versionOf, wantedRevision, withServed } from './revision';

const tuned = { uri: 'pvc://models/tuned', sha256: 'a'.repeat(64), finetune: { name: 'tuned', uid: 'u' } };
const service = aService({ engine: { steps: 5 }, server: { image: 'own:1' } });

describe('a version', () => {
  it('has one name for one content, which fits into a label', () => {
    const name = wantedRevision(service, uriModel);
    expect(name).toMatch(/^shirts-[0-9a-f]{10}$/);
    expect(wantedRevision(structuredClone(service), uriModel)).toBe(name);
    expect(wantedRevision(service, tuned)).not.toBe(name);
    const long = { ...service, metadata: { ...service.metadata, name: 's'.repeat(52) } };
    expect(wantedRevision(long, uriModel)).toHaveLength(63);
  });

  it('is kept as a ControllerRevision that the service owns', () => {
    const { metadata, revision, data } = buildRevision(service, uriModel, 3);
    expect(metadata.name).toBe(wantedRevision(service, uriModel));
    expect(metadata.ownerReferences).toMatchObject([{ uid: 'service-uid', controller: true }]);
    expect(revision).toBe(3);
    expect(data).toEqual({ model: uriModel, engine: { steps: 5 }, server: { image: 'own:1' } });
  });

  it.each([
    ['a model by URI', uriModel],
    ['a model whose run may be gone', tuned],
  ])('of %s is asked for again as it was', (_, model) => {
    const restarted = {
      ...service,
      metadata: { ...service.metadata, annotations: { 'sparsedm.io/restarted-at': 'noon' } },
    };
    const kept = buildRevision(restarted, model, 1).data!;
    const now = aService(
      { model: { uri: 'pvc://models/other' }, engine: { steps: 50 }, replicas: 7 },
      { model: { uri: 'pvc://models/other' } },
    );
    const asked = asking(now, JSON.parse(JSON.stringify(kept)) as typeof kept);
    const resolution = resolveModel(asked, undefined);
    expect(resolution.model).toEqual(model);
    expect(wantedRevision(asked, resolution.model!)).toBe(wantedRevision(restarted, model));
    expect(asked.spec.replicas).toBe(7);
    const { metadata } = asking(restarted, buildRevision(service, model, 1).data!);
    expect(metadata.annotations).toEqual({});
  });

  it.each([
    ['steps', aService({ engine: { steps: 9 }, server: { image: 'own:1' } }), uriModel, 'engine.steps'],
    ['a field less', aService({ engine: { steps: 5 } }), uriModel, 'server'],
    ['a model', service, tuned, 'model'],
    ['nothing', service, uriModel, ''],
  ])('differs from the one before by %s', (_, changed, model, want) => {
    expect(changes(versionOf(service, uriModel), versionOf(changed, model))).toBe(want);
  });
});

describe('the versions that served', () => {
  const versions = [1, 2, 3, 4].map((steps) => aService({ engine: { steps } }));
  const stored = versions.map((each, index) => buildRevision(each, uriModel, index + 1));
  const nameOf = (number: number) => stored[number - 1]!.metadata.name;
  const deployment = aDeployment(service);
  const serve = (listed: RevisionStatus[] | undefined, number: number, hour: number, limit = 10) =>
    withServed(listed, {
      deployment,
      stored,
      name: nameOf(number),
      servedAt: `2026-01-01T0${hour}:00:00Z`,
      limit,
    });

  it('are numbered, with what changed, the model, the image and the time', () => {
    const list = serve(serve(undefined, 1, 1), 2, 2);
    expect(list).toEqual([
      { number: 1, name: nameOf(1), model: uriModel.uri, image: 'own:1', servedAt: '2026-01-01T01:00:00Z' },
      {
        number: 2,
        name: nameOf(2),
        model: uriModel.uri,
        image: 'own:1',
        changed: 'engine.steps',
        servedAt: '2026-01-01T02:00:00Z',
      },
    ]);
  });

  it('keep their numbers when they come back', () => {
    const list = serve(serve(serve(undefined, 1, 1), 2, 2), 1, 3);
    expect(list.map(({ number, servedAt }) => [number, servedAt])).toEqual([
      [1, '2026-01-01T03:00:00Z'],
      [2, '2026-01-01T02:00:00Z'],
    ]);
  });

  it('are forgotten beyond the limit, those that served longest ago first', () => {
    const list = serve(serve(serve(serve(undefined, 1, 1), 2, 2), 1, 3), 3, 4, 1);
    expect(list.map(({ number }) => number)).toEqual([1, 3]);
    expect(serve(list, 4, 5, 0).map(({ number }) => number)).toEqual([4]);
  });

  it('stay as they are when nothing was kept of the one that serves', () => {
    const list = serve(undefined, 1, 1);
    const name = 'shirts-unknown';
    expect(withServed(list, { deployment, stored, name, servedAt: '', limit: 1 })).toEqual(list);
  });
});
