import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';

type KubeconfigFile = { users?: { name?: string; user?: { tokenFile?: string } | null }[] | null } | null;

/** The kubeconfigs that are read, first one first: the given one, else $KUBECONFIG's, else the user's own. */
function filesOf(kubeconfig: string | undefined): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const listed = (process.env.KUBECONFIG ?? '').split(path.delimiter).filter((file) => file !== '');
  return (listed.length > 0 ? listed : [path.join(homedir(), '.kube', 'config')]).filter((file) =>
    existsSync(file),
  );
}

function tokenFileIn(file: string, user: string): string | undefined {
  const content = parse(readFileSync(file, 'utf8')) as KubeconfigFile;
  const found = content?.users?.find(({ name }) => name === user)?.user?.tokenFile;
  return found === undefined ? undefined : path.resolve(path.dirname(file), found);
}

/**
 * client-node drops a user's tokenFile and would ask as nobody. It is taken from the kubeconfig itself and treated as
 * the pod's own token is: read again every minute, and preferred to a token beside it, as client-go does.
 */
export function adoptTokenFile(config: KubeConfig, kubeconfig: string | undefined): void {
  const user = config.getCurrentUser()?.name;
  if (user === undefined) return;
  const tokenFile = filesOf(kubeconfig)
    .map((file) => tokenFileIn(file, user))
    .find((file) => file !== undefined);
  if (tokenFile === undefined) return;
  const authProvider = { name: 'tokenFile', config: { tokenFile } };
  config.users = config.users.map((each) => {
    if (each.name !== user) return each;
    const { token: _, ...rest } = each;
    return { ...rest, authProvider };
  });
}
