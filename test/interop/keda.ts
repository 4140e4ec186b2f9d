/** The real KEDA: built from its Go module once for each version, and run on the cluster by its own manifests. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { Target } from '../../scripts/target';
import { elapsed } from '../cluster/binaries';
import { exec } from '../cluster/exec';
import { cacheDir, loadedSource, loadImage, type Report } from '../cluster/index';
import { scratchImage } from '../cluster/images';
import { withLock } from '../cluster/lock';
import { KEDA, moduleFolder } from './modules';

export type Keda = {
  operator: string;
  adapter: string;
  /** KEDA's own folder of manifests. */
  config: string;
};

const version = KEDA.slice(KEDA.indexOf('@v') + 2);

function kedaIn(folder: string): Keda {
  const at = (name: string) => path.join(folder, name);
  return { operator: at('operator'), adapter: at('adapter'), config: at('config') };
}

export async function ensureKeda(report: Report): Promise<Keda> {
  const module = await moduleFolder(KEDA);
  const toolchain = await exec('go', ['env', 'GOVERSION', 'GOARCH']);
  const key = createHash('sha256').update(`${KEDA}\0${toolchain}`).digest('hex').slice(0, 16);
  const folder = path.join(cacheDir(), 'keda', key);
  if (!existsSync(folder)) {
    await withLock(
      path.join(cacheDir(), 'keda.lock'),
      async () => {
        if (!existsSync(folder)) await build(module, folder, report);
      },
      () => report('waiting for another build of KEDA on this machine'),
    );
  }
  return kedaIn(folder);
}

/** In a writable copy, since KEDA's go.mod has replacements of its own, which count in its own folder alone. */
async function build(module: string, folder: string, report: Report): Promise<void> {
  const started = performance.now();
  report(`building KEDA ${version} from its module: once, about 12 minutes on 2 cores`);
  await mkdir(path.dirname(folder), { recursive: true });
  const scratch = await mkdtemp(`${folder}.building-`);
  try {
    const source = path.join(scratch, 'source');
    await cp(module, source, { recursive: true });
    await exec('chmod', ['-R', 'u+w', source]);
    for (const name of ['operator', 'adapter']) {
      const out = path.join(scratch, 'built', name);
      const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', out, `./cmd/${name}`];
      await exec('go', args, { cwd: source, env: { CGO_ENABLED: '0', GOOS: 'linux', GOWORK: 'off' } });
      report(`built KEDA's ${name}: ${elapsed(started)}`);
    }
    await cp(path.join(source, 'config'), path.join(scratch, 'built', 'config'), { recursive: true });
    await rename(path.join(scratch, 'built'), folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const images = {
  operator: { name: `sparsedm-interop/keda:${version}`, program: 'keda' },
  adapter: { name: `sparsedm-interop/keda-metrics-apiserver:${version}`, program: 'keda-adapter' },
} as const;

async function load(file: string, { name, program }: { name: string; program: string }): Promise<void> {
  const content = await readFile(file);
  const source = createHash('sha256').update(content).digest('hex').slice(0, 16);
  if ((await loadedSource(name)) === source) return;
  const options = { entrypoint: [`/${program}`], user: '65532:65532' };
  const archive = scratchImage(name, [{ name: program, content }], options);
  await loadImage(name, Readable.from([archive]), source);
}

/** KEDA's manifests without its admission webhooks, with the images that were built here. */
const kustomization = `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../config/minimal]
images:
  - { name: ghcr.io/kedacore/keda, newName: sparsedm-interop/keda, newTag: '${version}' }
  - { name: ghcr.io/kedacore/keda-metrics-apiserver, newName: sparsedm-interop/keda-metrics-apiserver, newTag: '${version}' }
patches:
  - target: { kind: Deployment }
    patch: |
      - { op: replace, path: /spec/template/spec/containers/0/imagePullPolicy, value: Never }
`;

export async function installKeda(target: Target, keda: Keda): Promise<void> {
  await load(keda.operator, images.operator);
  await load(keda.adapter, images.adapter);
  const overlay = path.join(path.dirname(keda.config), 'interop');
  await mkdir(overlay, { recursive: true });
  await writeFile(path.join(overlay, 'kustomization.yaml'), kustomization);
  await target.kubectl(['apply', '--server-side', '--force-conflicts', '-k', overlay]);
  for (const name of ['keda-operator', 'keda-metrics-apiserver']) {
    await target.kubectl(['-n', 'keda', 'rollout', 'status', `deployment/${name}`, '--timeout=240s']);
  }
  const service = 'apiservice/v1beta1.external.metrics.k8s.io';
  await target.kubectl(['wait', service, '--for=condition=Available', '--timeout=120s']);
}
