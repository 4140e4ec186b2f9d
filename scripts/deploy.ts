/** Installs or upgrades the operator on a cluster by Helm, with exactly the given images. */
import type { Target } from './target';

export type ImageRefs = { operator: string; trainer: string; serving: string };

export const release = 'sparsedm';
export const releaseNamespace = 'sparsedm-system';

export function splitRef(ref: string): { repository: string; tag: string } {
  const colon = ref.lastIndexOf(':');
  if (colon <= ref.lastIndexOf('/')) return { repository: ref, tag: '' };
  return { repository: ref.slice(0, colon), tag: ref.slice(colon + 1) };
}

export function imageValues(images: ImageRefs): string[] {
  const sections = {
    image: images.operator,
    'trainer.image': images.trainer,
    'serving.image': images.serving,
  };
  return Object.entries(sections).flatMap(([section, ref]) => {
    const { repository, tag } = splitRef(ref);
    return ['--set-string', `${section}.repository=${repository}`, '--set-string', `${section}.tag=${tag}`];
  });
}

export async function installOperator(target: Target, images: ImageRefs, extra: readonly string[] = []) {
  await target.helm([
    'upgrade',
    '--install',
    release,
    'charts/sparsedm-operator',
    '--namespace',
    releaseNamespace,
    '--create-namespace',
    ...imageValues(images),
    ...extra,
    '--wait',
    '--timeout',
    '180s',
  ]);
}
