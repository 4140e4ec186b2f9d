import { createHash } from 'node:crypto';
import type { KubeClient } from '../kube/client';
import type { Clock } from '../runtime/clock';
import type { KubeObject, Resource } from '../runtime/objects';
import { TOKEN_AUDIENCE } from '../workload/pod';

/** The pod to which a token was given, as the API server says. */
export type Reporter = { namespace: string; podName: string; podUid: string };

export type TokenReviewer = {
  /** The pod behind a token; undefined for a token that isn't valid for our audience or belongs to no pod. */
  review(token: string): Promise<Reporter | undefined>;
};

type TokenReview = Omit<KubeObject, 'metadata'> & {
  metadata: KubeObject['metadata'];
  spec: { token: string; audiences: string[] };
  status?: {
    authenticated?: boolean;
    audiences?: string[];
    user?: { username?: string; extra?: Record<string, string[]> };
  };
};

const tokenReviews: Resource<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};

/** A token that was good is asked about again after so long; tokens themselves live for an hour. */
const GOOD_MS = 60_000;
/** A token that was bad, so that guessing does not reach the API server each time. */
const BAD_MS = 5_000;
const MOST_REMEMBERED = 4096;
/** A service account token is a few kilobytes at most. */
const LONGEST_TOKEN = 16_384;

type Remembered = { reporter: Reporter | undefined; until: number };

/** Asks the API server, and remembers answers for a short time by the token's hash, never the token itself. */
export function createTokenReviewer(client: Pick<KubeClient, 'create'>, clock: Clock): TokenReviewer {
  const known = new Map<string, Remembered>();
  const asking = new Map<string, Promise<Reporter | undefined>>();

  async function ask(token: string, key: string): Promise<Reporter | undefined> {
    const answer = await client.create(tokenReviews, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: { name: '' },
      spec: { token, audiences: [TOKEN_AUDIENCE] },
    });
    const reporter = reporterFrom(answer);
    if (known.size >= MOST_REMEMBERED) forgetOldest(known);
    known.set(key, { reporter, until: clock.monotonic() + (reporter === undefined ? BAD_MS : GOOD_MS) });
    return reporter;
  }

  return {
    async review(token) {
      if (token === '' || token.length > LONGEST_TOKEN) return undefined;
      const key = createHash('sha256').update(token).digest('base64');
      const remembered = known.get(key);
      if (remembered !== undefined && remembered.until > clock.monotonic()) return remembered.reporter;
      known.delete(key);
      // Many requests with one token are one question.
      const pending = asking.get(key) ?? ask(token, key).finally(() => asking.delete(key));
      asking.set(key, pending);
      return pending;
    },
  };
}

function forgetOldest(known: Map<string, Remembered>): void {
  for (const key of known.keys()) {
    known.delete(key);
    return;
  }
}

type ReviewStatus = NonNullable<TokenReview['status']>;

function reporterFrom({ status }: TokenReview): Reporter | undefined {
  if (status === undefined || !isForUs(status)) return undefined;
  const namespace = /^system:serviceaccount:([^:]+):[^:]+$/.exec(status.user?.username ?? '')?.[1];
  const podName = extraOf(status, 'pod-name');
  const podUid = extraOf(status, 'pod-uid');
  return namespace && podName && podUid ? { namespace, podName, podUid } : undefined;
}

function isForUs({ authenticated, audiences }: ReviewStatus): boolean {
  return authenticated === true && audiences?.includes(TOKEN_AUDIENCE) === true;
}

function extraOf(status: ReviewStatus, name: string): string | undefined {
  return status.user?.extra?.[`authentication.kubernetes.io/${name}`]?.[0];
}
