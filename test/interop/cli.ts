/**
 * `npm run test:interop [-- NAME]`: the operator beside other people's programs, each built from its published source or
 * taken from the distribution: KEDA scales services, also to zero, Prometheus scrapes what is there, Kueue admits,
 * preempts and resumes runs, and an S3 server has their data and results. Sets everything up itself. With a name, keda,
 * kueue or s3, only what is about it.
 */
import { spawn } from 'node:child_process';
import { installOperator, releaseNamespace } from '../../scripts/deploy';
import { deployImages } from '../../scripts/images';
import { openTarget } from '../../scripts/target';
import { clusterDown, clusterIsUp } from '../cluster/index';
import { installPackages } from '../cluster/packages';
import { ensureKeda, installKeda } from './keda';
import { ensureKueue, installKueue } from './kueue';
import { ensureS3, installS3 } from './s3';

const names = process.argv.slice(2);
const known = ['keda', 'kueue', 's3'];
const wrong = names.find((name) => !known.includes(name));
if (wrong !== undefined) {
  console.error(`error: nothing here is about ${wrong}: name ${known.join(', ')}, or nothing for all.`);
  process.exit(2);
}
const wants = (name: string) => names.length === 0 || names.includes(name);
const report = (line: string) => console.log(line);

function vitest(env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('vitest', ['run', '--project', 'interop', ...names], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

const wasUp = await clusterIsUp();
const keda = wants('keda') ? await ensureKeda(report) : undefined;
const kueue = wants('kueue') ? await ensureKueue(report) : undefined;
const s3 = wants('s3') ? await ensureS3(report) : undefined;
await installPackages(report, ['prometheus', 'openssl']);
try {
  const target = await openTarget({}, report);
  const images = await deployImages({}, report);
  if (keda !== undefined) await installKeda(target, keda);
  if (kueue !== undefined) await installKueue(target, kueue);
  if (s3 !== undefined) await installS3(target, s3);
  await installOperator(target, images, ['--set', `keda.enabled=${keda !== undefined}`]);
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
