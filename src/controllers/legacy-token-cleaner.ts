import { type KubernetesObject, objectKey } from '../api/meta/object.ts';
import { isConflict, isNotFound } from '../api/meta/status.ts';
import { parseTime } from '../api/meta/time.ts';
import { patchTypes } from '../api/request.ts';
import type { ConfigMap, Pod, Secret, ServiceAccount } from '../api/types/core-v1.ts';
import type { Informer } from '../client/contract.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { configMaps, pods, secrets, serviceAccounts } from '../client/resource-refs.ts';
import type { ReconcileResult } from '../client/work-queue.ts';
import { ACCOUNT_NAME, TOKEN_TYPE } from './service-account-tokens.ts';

const DAY_MS = 24 * 3_600_000;
/** A token that was not used for so long is marked, and deleted after as long again (KEP-2799). */
const UNUSED_MS = 365 * DAY_MS;
const LAST_USED = 'kubernetes.io/legacy-token-last-used';
const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since';
/** Tells since when uses of tokens have been noted. */
const TRACKING = 'kube-system/kube-apiserver-legacy-service-account-token-tracking';

export type TokenVerdict = 'keep' | 'mark' | 'delete';

export interface TokenObservation {
  readonly secret: Secret;
  readonly account: ServiceAccount | undefined;
  readonly mounted: boolean;
  /** Since when uses have been noted, milliseconds; undefined: they are not. */
  readonly trackedSince: number | undefined;
}

const day = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : undefined;

/** Judges a token that was made for an account in the days when every account got one. Those made by hand are never touched. Pure. */
export function judgeToken({ secret, account, mounted, trackedSince }: TokenObservation, now: number): TokenVerdict {
  const limit = now - UNUSED_MS;
  if (trackedSince === undefined || trackedSince > limit || mounted || account === undefined) return 'keep';
  const { name, creationTimestamp, labels = {} } = secret.metadata!;
  if (!(account.secrets ?? []).some((reference) => reference.name === name)) return 'keep';
  if ((parseTime(creationTimestamp) ?? now) > limit) return 'keep';
  const used = day(labels[LAST_USED]);
  if (used !== undefined && used > limit) return 'keep';
  const invalidSince = day(labels[INVALID_SINCE]);
  if (invalidSince === undefined) return 'mark';
  return invalidSince > limit ? 'keep' : 'delete';
}

/** Marks, and later deletes, old tokens of service accounts that nobody uses. */
export function legacyTokenCleaner(): Controller {
  return {
    name: 'legacy-serviceaccount-token-cleaner-controller',
    start(context, signal) {
      const allSecrets = context.informers.informer(secrets);
      const accounts = context.informers.informer(serviceAccounts);
      const allPods = context.informers.informer(pods);
      const maps = context.informers.informer(configMaps);
      const client = context.client.resource(secrets);
      const informers = [allSecrets, accounts, allPods, maps] as readonly Informer<KubernetesObject>[];
      const mounts = (pod: Pod, name: string): boolean =>
        (pod.spec?.volumes ?? []).some((volume) => volume.secret?.secretName === name);

      const clean = async (secret: Secret): Promise<void> => {
        const { name = '', namespace = '', annotations, uid, resourceVersion } = secret.metadata!;
        const tracking: ConfigMap | undefined = maps.get(TRACKING);
        const verdict = judgeToken(
          {
            secret,
            account: accounts.get(`${namespace}/${annotations?.[ACCOUNT_NAME] ?? ''}`),
            mounted: allPods.list(namespace).some((pod) => mounts(pod, name)),
            trackedSince: day(tracking?.data?.['since']),
          },
          context.clock.now(),
        );
        if (verdict === 'mark') {
          const today = new Date(context.clock.now()).toISOString().slice(0, 10);
          const patch = { metadata: { resourceVersion, labels: { [INVALID_SINCE]: today } } };
          await client.patch(name, namespace, patchTypes.merge, patch, { signal });
        } else if (verdict === 'delete') {
          await client.delete(name, namespace, { preconditions: { uid: uid!, resourceVersion: resourceVersion! }, signal });
        }
      };
      const reconcile = async (): Promise<ReconcileResult> => {
        for (const secret of allSecrets.list()) {
          if (secret.type !== TOKEN_TYPE) continue;
          try {
            await clean(secret);
          } catch (err) {
            if (signal.aborted) throw err;
            // It changed, so it may be in use: the next day tells.
            const expected = isNotFound(err) || isConflict(err);
            if (!expected) context.logger.warn({ err, key: objectKey(secret) }, 'token was not cleaned');
          }
        }
        return { requeueAfterMs: DAY_MS };
      };
      startReconciler(context, { name: 'legacy_token_cleaner', workers: 1, informers, reconcile }, signal).add('');
    },
  };
}
