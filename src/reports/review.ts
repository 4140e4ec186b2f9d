import { createHash } from 'node:crypto';
import type { KubeClient } from '../kube/client';
import { reportAudience } from '../kube/names';
import type { Clock } from '../runtime/clock';
import type { KubeObject, Resource } from '../runtime/objects';
import { createRateLimit } from './limit';

/** The pod to which a token was issued, according to the API server. */
export type Reporter = {
  namespace: string;
  podName: string;
  podUid: string;
  /** Name of its ServiceAccount. */
  account: string;
};

export type TokenReviewer = {
  /**
   * The pod behind a token; undefined for a token that isn't valid for our audience or belongs to no pod. Throws
   * TooManyReviewsError when the API server must not be asked now.
   */
  review(token: string): Promise<Reporter | undefined>;
};

export class TooManyReviewsError extends Error {
  override readonly name = 'TooManyReviewsError';
  constructor(readonly retryAfterMs: number) {
    super('too many tokens to review');
  }
}

export type TokenReviewerOptions = {
  client: Pick<KubeClient, 'create'>;
  clock: Clock;
  /** Whether the caches hold such a pod of ours. */
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

/** Time for which a positive answer is kept; tokens themselves are valid for an hour. */
const GOOD_MS = 60_000;
/** Time for which a negative answer is kept, so that guesses do not reach the API server each time. */
const BAD_MS = 5_000;
/** Longest token that is looked at: a service account token has a few kilobytes at most. */
const LONGEST_TOKEN = 16_384;
/** Tolerated difference between our clock and the API server's before an expired token is refused without a review. */
const CLOCK_SKEW_MS = 60_000;

const MOST_IN_FLIGHT = 32;
const BUSY_MS = 1_000;
/** Reviews of all pods together: with answers kept for a minute, enough for 12,000 pods. */
const ALL_REVIEWS = { burst: 400, perSecond: 200 };
/** Reviews of one pod: its token changes once an hour, and a failed review is retried. */
const POD_REVIEWS = { burst: 5, perSecond: 0.2 };
/**
 * Reviews of all unknown pods together: pods of ours that the watch has not delivered yet, and forged tokens. They
 * can't use up the reviews that our pods need.
 */
const STRANGERS_REVIEWS = { burst: 20, perSecond: 5 };

type Claims = { audiences: readonly string[]; expiresAt: number; reporter: Reporter };
type Answer = { reporter: Reporter | undefined; until: number };

/**
 * Asks the API server, and keeps answers for a short time by the token's hash, never the token itself. Asks only about
 * a token whose unverified claims allow it to be valid. The rate of reviews bounds what is kept.
 */
export function createTokenReviewer(options: TokenReviewerOptions): TokenReviewer {
  const { client, clock } = options;
  /** Positive and negative answers are kept apart, so that each map is in order of expiry. */
  const known = { good: new Map<string, Answer>(), bad: new Map<string, Answer>() };
  const asking = new Map<string, Promise<Reporter | undefined>>();
  const all = createRateLimit(clock, ALL_REVIEWS);
  const ofPod = createRateLimit(clock, POD_REVIEWS);
  const ofStrangers = createRateLimit(clock, STRANGERS_REVIEWS);

  function mayBeGood(claims: Claims | undefined): claims is Claims {
    if (claims === undefined) return false;
    return (
      claims.audiences.includes(reportAudience) && claims.expiresAt + CLOCK_SKEW_MS > clock.now().getTime()
    );
  }

  /** Throws when one more review would be too many. */
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
      spec: { token, audiences: [reportAudience] },
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
      // Concurrent requests with one token share a review.
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
  'kubernetes.io'?: {
    namespace?: unknown;
    pod?: { name?: unknown; uid?: unknown };
    serviceaccount?: { name?: unknown };
  };
};

/** The unverified claims of a service account token; undefined for anything but a pod's token. */
function claimsOf(token: string): Claims | undefined {
  const payload = payloadOf(token);
  const { namespace, pod, serviceaccount } = payload?.['kubernetes.io'] ?? {};
  if (typeof payload?.exp !== 'number' || !isName(namespace) || !isName(pod?.name) || !isName(pod.uid)) {
    return undefined;
  }
  return {
    audiences: [payload.aud].flat().map(String),
    expiresAt: payload.exp * 1000,
    reporter: {
      namespace,
      podName: pod.name,
      podUid: pod.uid,
      account: nameOr(serviceaccount?.name, ''),
    },
  };
}

function nameOr(value: unknown, otherwise: string): string {
  return isName(value) ? value : otherwise;
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
  const [, namespace, account] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(status.user?.username ?? '') ?? [];
  const podName = extraOf(status, 'pod-name');
  const podUid = extraOf(status, 'pod-uid');
  return namespace && account && podName && podUid ? { namespace, podName, podUid, account } : undefined;
}

function isForUs({ authenticated, audiences }: ReviewStatus): boolean {
  return authenticated === true && audiences?.includes(reportAudience) === true;
}

function extraOf(status: ReviewStatus, name: string): string | undefined {
  return status.user?.extra?.[`authentication.kubernetes.io/${name}`]?.[0];
}
