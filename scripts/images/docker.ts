/** Docker, where an engine runs: public base images, its own store and cache. */
import { ClusterError } from '../../test/cluster/index';
import { exec, succeeds } from '../../test/cluster/exec';
import type { Base, BuildRequest, Engine } from './engine';

const publicBase = (ref: string): (() => Promise<Base>) => {
  const base = { ref, key: ref };
  return () => Promise.resolve(base);
};

async function build({ ref, dockerfile, context, args = {}, report }: BuildRequest): Promise<void> {
  const buildArgs = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  await exec(
    'docker',
    ['build', '--progress=plain', ...buildArgs, '--tag', ref, '--file', dockerfile, context],
    {
      env: { DOCKER_BUILDKIT: '1' },
      onErrorLine: report,
    },
  );
}

export async function openDocker(): Promise<Engine> {
  if (!(await succeeds('docker', ['info']))) {
    throw new ClusterError(
      'No Docker engine answers (docker info): start Docker, or build with --engine buildah.',
    );
  }
  return {
    name: 'docker',
    has: (ref) => succeeds('docker', ['image', 'inspect', ref]),
    build,
    tag: async (ref, other) => void (await exec('docker', ['tag', ref, other])),
    push: async (ref, report) => void (await exec('docker', ['push', ref], { onErrorLine: report })),
    bases: () =>
      Promise.resolve({
        python: publicBase('docker.io/library/python:3.11-slim-bookworm'),
        node: publicBase('docker.io/library/node:24-bookworm-slim'),
      }),
  };
}
