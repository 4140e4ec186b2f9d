import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

export const imageNames = ['operator', 'trainer', 'serving'] as const;
export type ImageName = (typeof imageNames)[number];
export type ImageRefs = Record<ImageName, string>;

/** As manifests name the image. Kubernetes and the engines read it as docker.io/sparsedm/NAME:TAG. */
export function shortRef(name: ImageName | 'runtime', tag: string): string {
  return `sparsedm/${name}:${tag}`;
}

/** The same image with its registry spelled out: without it buildah would say localhost. */
export function fullRef(name: ImageName | 'runtime', tag: string): string {
  return `docker.io/${shortRef(name, tag)}`;
}
