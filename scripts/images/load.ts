/** Brings built images to where a cluster finds them. */
import { ClusterError, type Report } from '../../test/cluster/index';
import { exec } from '../../test/cluster/exec';
import type { TargetChoice } from '../target';
import { buildImages, timed, type Built, type BuiltImage, type EngineName } from './build';
import { loadEmbedded } from './embedded';
import type { ImageName, ImageRefs } from './names';

export type Destination =
  | { kind: 'embedded' }
  | { kind: 'kind'; cluster: string }
  | { kind: 'registry'; prefix: string; tag?: string | undefined };

async function loadKind(images: readonly BuiltImage[], cluster: string, report: Report): Promise<void> {
  for (const { name, ref } of images) {
    const told = timed(report, name);
    told(`loading into the kind cluster ${cluster}`);
    await exec('kind', ['load', 'docker-image', ref, '--name', cluster], { onErrorLine: told });
  }
}

async function push(
  built: Built,
  prefix: string,
  tag: string | undefined,
  report: Report,
): Promise<BuiltImage[]> {
  const pushed: BuiltImage[] = [];
  // In sequence, so that shared layers are uploaded once.
  for (const image of built.images) {
    const target = `${prefix.replace(/\/+$/, '')}/${image.name}:${tag ?? image.ref.split(':')[1] ?? ''}`;
    const told = timed(report, image.name);
    told(`pushing ${target}`);
    await built.engine.tag(image.fullRef, target);
    await built.engine.push(target, told);
    pushed.push({ ...image, ref: target, fullRef: target });
  }
  return pushed;
}

/** Returns the references under which the cluster finds the images. */
export async function loadImages(built: Built, to: Destination, report: Report): Promise<Partial<ImageRefs>> {
  let images: readonly BuiltImage[] = built.images;
  if (to.kind === 'embedded') await loadEmbedded(built, report);
  else if (to.kind === 'kind') await loadKind(built.images, to.cluster, report);
  else images = await push(built, to.prefix, to.tag, report);
  return Object.fromEntries(images.map(({ name, ref }): [ImageName, string] => [name, ref]));
}

/** The cluster that `kind create cluster --name sparsedm` makes. */
const ownKindCluster = 'sparsedm';

export function destinationOf({ context, kind, registry }: TargetChoice, tag?: string): Destination {
  if (registry !== undefined) return { kind: 'registry', prefix: registry, tag };
  if (kind) return { kind: 'kind', cluster: ownKindCluster };
  if (context?.startsWith('kind-')) return { kind: 'kind', cluster: context.slice('kind-'.length) };
  return { kind: 'embedded' };
}

/** What builds for a destination, and whether the one asked for can. */
export function engineFor(to: Destination, wanted?: EngineName): EngineName {
  const own = to.kind === 'embedded' ? 'buildah' : 'docker';
  if (wanted !== undefined && wanted !== own && to.kind !== 'registry') {
    const where = to.kind === 'embedded' ? 'The embedded cluster' : 'A kind cluster';
    throw new ClusterError(`${where} takes images that ${own} built: leave out --engine ${wanted}.`);
  }
  return wanted ?? own;
}

/** Builds the three images where something changed, and brings them to the chosen cluster. */
export async function deployImages(choice: TargetChoice, report: Report): Promise<ImageRefs> {
  const to = destinationOf(choice);
  const built = await buildImages({ engine: engineFor(to), report });
  return (await loadImages(built, to, report)) as ImageRefs;
}
