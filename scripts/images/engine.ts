/** What builds and keeps images: buildah (no daemon, no Docker) or docker. */
import type { Report } from '../../test/cluster/index';

export type BuildRequest = {
  /** Full name, with the registry's host and a tag. */
  ref: string;
  dockerfile: string;
  context: string;
  args?: Readonly<Record<string, string>>;
  /** Keep the layer of each instruction, so that the next build starts where the inputs differ. */
  layers?: boolean;
  report: Report;
};

export type Engine = {
  name: 'buildah' | 'docker';
  has(ref: string): Promise<boolean>;
  build(request: BuildRequest): Promise<void>;
  /** Gives an image another name. */
  tag(ref: string, other: string): Promise<void>;
  push(ref: string, report: Report): Promise<void>;
  /** Images that the public registry has and this engine can't reach there: the local stand-ins for them. */
  bases(report: Report): Promise<Bases>;
};

/** An image to start from, and what identifies its content. */
export type Base = { ref: string; key: string };
export type Bases = { python: () => Promise<Base>; node: () => Promise<Base> };
