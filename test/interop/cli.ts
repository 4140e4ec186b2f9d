/**
 * `npm run test:interop`: the operator beside other people's programs, each built from its published source or taken
 * from the distribution: KEDA scales services, also to zero, and Prometheus scrapes what is there. Sets everything up
 * itself.
 */
import { spawn } from 'node:child_process';
import { installOperator, releaseNamespace } from '../../scripts/deploy';
import { deployImages } from '../../scripts/images';
import { openTarget } from '../../scripts/target';
import { clusterDown, clusterIsUp } from '../cluster/index';
import { installPackages } from '../cluster/packages';
import { ensureKeda, installKeda } from './keda';

const report = (line: string) => console.log(line);

function vitest(env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('vitest', ['run', '--project', 'interop'], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

const wasUp = await clusterIsUp();
const keda = await ensureKeda(report);
await installPackages(report, ['prometheus']);
try {
  const target = await openTarget({}, report);
  const images = await deployImages({}, report);
  await installKeda(target, keda);
  await installOperator(target, images, ['--set', 'keda.enabled=true,gateway.enabled=true']);
  process.exitCode = await vitest({
    KUBECONFIG: target.env['KUBECONFIG'],
    SPARSEDM_E2E_KUBECTL: JSON.stringify(target.kubectlCommand),
    SPARSEDM_E2E_NAMESPACE: releaseNamespace,
    SPARSEDM_OPERATOR_IMAGE: images.operator,
    SPARSEDM_TRAINER_IMAGE: images.trainer,
    SPARSEDM_SERVING_IMAGE: images.serving,
  });
} finally {
  if (!wasUp) await clusterDown();
}
