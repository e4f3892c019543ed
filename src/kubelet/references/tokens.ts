import type { TokenRequest } from '../../api/types/authentication-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Client } from '../../client/contract.ts';
import { serviceAccounts } from '../../client/resource-refs.ts';
import type { Clock } from '../../util/clock.ts';
import { podName, podNamespace, podUid } from '../pods/pod-spec.ts';

/** A token is renewed at this part of its life, and at the latest after a day. */
const RENEW_AT = 0.8;
const MAX_AGE = 24 * 3_600_000;

interface Cached {
  readonly token: string;
  readonly renewAt: number;
}

/** Tokens of pods' service accounts, bound to the pod, renewed before they end (kubelet/token). */
export class TokenCache {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Map<string, Cached>>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async get(pod: Pod, audience: string, expirationSeconds: number): Promise<string> {
    const uid = podUid(pod);
    const key = `${audience}/${expirationSeconds}`;
    const cached = this.#tokens.get(uid)?.get(key);
    const now = this.#clock.now();
    if (cached !== undefined && now < cached.renewAt) return cached.token;
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === '' ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: podName(pod), uid },
      },
    };
    const account = pod.spec?.serviceAccountName ?? 'default';
    const answer = await this.#client
      .resource(serviceAccounts)
      .subresource<TokenRequest>('create', account, podNamespace(pod), 'token', request);
    const token = answer.status?.token ?? '';
    const expires = Date.parse(answer.status?.expirationTimestamp ?? '') || now + expirationSeconds * 1000;
    let own = this.#tokens.get(uid);
    if (own === undefined) this.#tokens.set(uid, (own = new Map()));
    own.set(key, { token, renewAt: Math.min(now + (expires - now) * RENEW_AT, now + MAX_AGE) });
    return token;
  }

  /** When the pod's next token is due for renewal; undefined when it has none. Milliseconds since the epoch. */
  renewAt(uid: string): number | undefined {
    const own = this.#tokens.get(uid);
    return own === undefined || own.size === 0 ? undefined : Math.min(...[...own.values()].map((c) => c.renewAt));
  }

  forget(uid: string): void {
    this.#tokens.delete(uid);
  }
}
