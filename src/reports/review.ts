import { createHash } from 'node:crypto';
import type { KubeClient } from '../kube/client';
import type { Clock } from '../runtime/clock';
import type { KubeObject, Resource } from '../runtime/objects';
import { TOKEN_AUDIENCE } from '../workload/pod';
import { createRateLimit } from './limit';

/** The pod to which a token was given, as the API server says. */
export type Reporter = { namespace: string; podName: string; podUid: string };

export type TokenReviewer = {
  /**
   * The pod behind a token; undefined for a token that isn't valid for our audience or belongs to no pod. Throws
   * TooManyReviewsError where the API server is not to be asked now.
   */
  review(token: string): Promise<Reporter | undefined>;
};

export class TooManyReviewsError extends Error {
  override readonly name = 'TooManyReviewsError';
  constructor(readonly retryAfterMs: number) {
    super('too many tokens are to be reviewed');
  }
}

export type TokenReviewerOptions = {
  client: Pick<KubeClient, 'create'>;
  clock: Clock;
  /** Whether there is such a pod of ours, as far as the caches know. */
  isKnown(reporter: Reporter): boolean;
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

/** How long a good answer stands; tokens themselves live for an hour. */
const GOOD_MS = 60_000;
/** How long a bad answer stands, so that guessing does not reach the API server each time. */
const BAD_MS = 5_000;
/** A service account token is a few kilobytes at most. */
const LONGEST_TOKEN = 16_384;
/** What our clock and the API server's may differ before an expired token is not even asked about. */
const CLOCK_SKEW_MS = 60_000;

const MOST_IN_FLIGHT = 32;
const BUSY_MS = 1_000;
/** Reviews of all pods together: with answers that stand for a minute, enough for 12,000 of them. */
const ALL_REVIEWS = { burst: 400, perSecond: 200 };
/** Of one pod: its token changes once an hour, and a failed review is tried again. */
const POD_REVIEWS = { burst: 5, perSecond: 0.2 };
/**
 * Of all pods that we do not know: one of ours that the watch has not told of yet, or anybody who writes tokens of his
 * own. They can't use up what our pods need.
 */
const STRANGERS_REVIEWS = { burst: 20, perSecond: 5 };

type Claims = { audiences: readonly string[]; expiresAt: number; reporter: Reporter };
type Answer = { reporter: Reporter | undefined; until: number };

/**
 * Asks the API server, and remembers answers for a short time by the token's hash, never the token itself. Only a token
 * that may be good by what it says of itself is asked about. What is remembered is bounded by the rate of reviews.
 */
export function createTokenReviewer(options: TokenReviewerOptions): TokenReviewer {
  const { client, clock } = options;
  /** Good and bad answers apart, so that each is in the order in which it lapses. */
  const known = { good: new Map<string, Answer>(), bad: new Map<string, Answer>() };
  const asking = new Map<string, Promise<Reporter | undefined>>();
  const all = createRateLimit(clock, ALL_REVIEWS);
  const ofPod = createRateLimit(clock, POD_REVIEWS);
  const ofStrangers = createRateLimit(clock, STRANGERS_REVIEWS);

  function mayBeGood(claims: Claims | undefined): claims is Claims {
    if (claims === undefined) return false;
    return (
      claims.audiences.includes(TOKEN_AUDIENCE) && claims.expiresAt + CLOCK_SKEW_MS > clock.now().getTime()
    );
  }

  /** Throws where one more review would be too many. */
  function checkBudget({ reporter }: Claims): void {
    if (asking.size >= MOST_IN_FLIGHT) throw new TooManyReviewsError(BUSY_MS);
    const waitMs = options.isKnown(reporter) ? ofPod.take(reporter.podUid) : ofStrangers.take('');
    if (waitMs > 0) throw new TooManyReviewsError(waitMs);
    const allWaitMs = all.take('');
    if (allWaitMs > 0) throw new TooManyReviewsError(allWaitMs);
  }

  async function ask(token: string, key: string): Promise<Reporter | undefined> {
    const answer = await client.create(tokenReviews, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: { name: '' },
      spec: { token, audiences: [TOKEN_AUDIENCE] },
    });
    const reporter = reporterFrom(answer);
    remember(key, reporter);
    return reporter;
  }

  function remember(key: string, reporter: Reporter | undefined): void {
    const now = clock.monotonic();
    const [answers, ms] = reporter === undefined ? [known.bad, BAD_MS] : [known.good, GOOD_MS];
    for (const [oldest, { until }] of answers) {
      if (until > now) break;
      answers.delete(oldest);
    }
    answers.delete(key);
    answers.set(key, { reporter, until: now + ms });
  }

  function recall(key: string): Answer | undefined {
    const now = clock.monotonic();
    return [known.good.get(key), known.bad.get(key)].find((answer) => answer && answer.until > now);
  }

  return {
    async review(token) {
      if (token === '' || token.length > LONGEST_TOKEN) return undefined;
      const key = createHash('sha256').update(token).digest('base64');
      const answer = recall(key);
      if (answer !== undefined) return answer.reporter;
      // Many requests with one token are one question.
      const pending = asking.get(key);
      if (pending !== undefined) return pending;
      const claims = claimsOf(token);
      if (!mayBeGood(claims)) return undefined;
      checkBudget(claims);
      const question = ask(token, key).finally(() => asking.delete(key));
      asking.set(key, question);
      return question;
    },
  };
}

type Payload = {
  aud?: unknown;
  exp?: unknown;
  'kubernetes.io'?: { namespace?: unknown; pod?: { name?: unknown; uid?: unknown } };
};

/** What a service account token says of itself, unverified; undefined for what is none of a pod. */
function claimsOf(token: string): Claims | undefined {
  const payload = payloadOf(token);
  const { namespace, pod } = payload?.['kubernetes.io'] ?? {};
  if (typeof payload?.exp !== 'number' || !isName(namespace) || !isName(pod?.name) || !isName(pod.uid)) {
    return undefined;
  }
  return {
    audiences: [payload.aud].flat().map(String),
    expiresAt: payload.exp * 1000,
    reporter: { namespace, podName: pod.name, podUid: pod.uid },
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 253;
}

function payloadOf(token: string): Payload | undefined {
  const [, payload, signature, ...more] = token.split('.');
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
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
