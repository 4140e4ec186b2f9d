/** Go modules whose programs or schemas the operator has to agree with, at the versions that the tests are about. */
import { exec } from '../cluster/exec';
import { checkGo } from '../cluster/preflight';

export const KEDA = 'github.com/kedacore/keda/v2@v2.21.0';

/** The read-only folder of a module, downloaded where it is not there. The checksum database vouches for it. */
export async function moduleFolder(module: string): Promise<string> {
  await checkGo();
  const answer = await exec('go', ['mod', 'download', '-json', module], { env: { GOWORK: 'off' } });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}
