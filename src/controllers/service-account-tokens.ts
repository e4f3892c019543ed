import { objectKey, splitKey } from '../api/meta/object.ts';
import { isConflict, isNotFound } from '../api/meta/status.ts';
import type { Secret, ServiceAccount } from '../api/types/core-v1.ts';
import type { Controller } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { secrets, serviceAccounts } from '../client/resource-refs.ts';

export const TOKEN_TYPE = 'kubernetes.io/service-account-token';
export const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const ACCOUNT_UID = 'kubernetes.io/service-account.uid';
/** Upstream's --concurrent-serviceaccount-token-syncs. */
const WORKERS = 5;
const MAX_RETRIES = 10;
const BY_ACCOUNT = 'token-account';
const NONE: readonly string[] = [];

export interface ServiceAccountTokensOptions {
  /** Signs the token of a secret: one that does not end, and is good as long as the secret and the account are there. */
  readonly sign: (account: ServiceAccount, secret: Secret) => Promise<string>;
  /** The cluster's CA bundle, PEM; left out of the secrets when not given. */
  readonly rootCa?: string;
}

/** The account that a token secret names, `namespace/name`; undefined for other secrets. */
const accountKeyOf = (secret: Secret): string | undefined => {
  const name = secret.metadata?.annotations?.[ACCOUNT_NAME];
  return secret.type !== TOKEN_TYPE || name === undefined ? undefined : `${secret.metadata?.namespace}/${name}`;
};

/** Whether a token secret is of this account, and not of an earlier one of the same name. */
const isOf = (secret: Secret, accountUid: string | undefined): boolean => {
  const uid = secret.metadata?.annotations?.[ACCOUNT_UID] ?? '';
  return uid === '' || uid === accountUid;
};

/** The secret with what it lacks but for the token, and whether it lacks that; undefined when it lacks nothing. Pure. */
export function planTokenSecret(
  secret: Secret,
  account: ServiceAccount,
  rootCa: string | undefined,
): { readonly secret: Secret; readonly needsToken: boolean } | undefined {
  const data = secret.data ?? {};
  const ca = rootCa === undefined ? undefined : Buffer.from(rootCa).toString('base64');
  const needsCa = ca !== undefined && data['ca.crt'] !== ca;
  const needsNamespace = !data['namespace'];
  const needsToken = !data['token'];
  if (!needsCa && !needsNamespace && !needsToken) return undefined;
  const namespace = Buffer.from(secret.metadata!.namespace!).toString('base64');
  return {
    needsToken,
    secret: {
      ...secret,
      metadata: {
        ...secret.metadata,
        annotations: {
          ...secret.metadata?.annotations,
          [ACCOUNT_NAME]: account.metadata!.name!,
          [ACCOUNT_UID]: account.metadata!.uid!,
        },
      },
      data: { ...data, ...(needsCa ? { 'ca.crt': ca } : {}), ...(needsNamespace ? { namespace } : {}) },
    },
  };
}

/** Fills the secrets that ask for a service account's token, and deletes them when the account is gone. */
export function serviceAccountTokensController({ sign, rootCa }: ServiceAccountTokensOptions): Controller {
  return {
    name: 'serviceaccount-token-controller',
    start(context, signal) {
      const accounts = context.informers.informer(serviceAccounts);
      const allSecrets = context.informers.informer(secrets);
      const accountClient = context.client.resource(serviceAccounts);
      const client = context.client.resource(secrets);
      allSecrets.addIndex(BY_ACCOUNT, (secret) => {
        const key = accountKeyOf(secret);
        return key === undefined ? NONE : [key];
      });

      const deleteSecret = async ({ metadata }: Secret): Promise<void> => {
        const preconditions = { uid: metadata!.uid! };
        try {
          await client.delete(metadata!.name!, metadata!.namespace!, { preconditions, signal });
        } catch (err) {
          // Another of its name is another one's business.
          if (!isNotFound(err) && !isConflict(err)) throw err;
        }
      };

      /** The account as the server has it now, where the cache knows none: it may lag behind. */
      const accountFor = async (secret: Secret, key: string): Promise<ServiceAccount | undefined> => {
        const cached = accounts.get(key);
        if (cached !== undefined && isOf(secret, cached.metadata?.uid)) return cached;
        const { namespace, name } = splitKey(key);
        try {
          const found = await accountClient.get(name, namespace, { signal });
          return isOf(secret, found.metadata?.uid) ? found : undefined;
        } catch (err) {
          if (isNotFound(err)) return undefined;
          throw err;
        }
      };

      const fill = async (account: ServiceAccount, cached: Secret): Promise<void> => {
        if (planTokenSecret(cached, account, rootCa) === undefined) return;
        const { name = '', namespace = '', resourceVersion } = cached.metadata!;
        try {
          const live = await client.get(name, namespace, { signal });
          // Something newer than what was seen: it comes by the watch.
          if (live.metadata?.resourceVersion !== resourceVersion) return;
          const plan = planTokenSecret(live, account, rootCa);
          if (plan === undefined) return;
          const data = { ...plan.secret.data };
          if (plan.needsToken) data['token'] = Buffer.from(await sign(account, live)).toString('base64');
          await client.update({ ...plan.secret, data }, { signal });
        } catch (err) {
          if (!isNotFound(err) && !isConflict(err)) throw err;
        }
      };

      /** A secret is gone: its account no longer lists it. */
      const removeReference = async (accountKey: string, secretName: string): Promise<void> => {
        const lists = (account: ServiceAccount | undefined): boolean =>
          account?.secrets?.some(({ name }) => name === secretName) === true;
        if (!lists(accounts.get(accountKey))) return;
        const { namespace, name } = splitKey(accountKey);
        try {
          const account = await accountClient.get(name, namespace, { signal });
          if (!lists(account)) return;
          await accountClient.update(
            { ...account, secrets: account.secrets!.filter((reference) => reference.name !== secretName) },
            { signal },
          );
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      };

      // Keys: the secret and the account it names, which is needed when the secret is gone.
      const secretQueue = startReconciler(
        context,
        {
          name: 'serviceaccount_tokens_secret',
          workers: WORKERS,
          informers: [accounts, allSecrets] as never,
          maxRetries: MAX_RETRIES,
          reconcile: async (id) => {
            const [key = '', accountKey = ''] = id.split(' ');
            const secret = allSecrets.get(key);
            if (secret === undefined) {
              await removeReference(accountKey, splitKey(key).name);
              return;
            }
            if (accountKeyOf(secret) !== accountKey) return;
            const account = await accountFor(secret, accountKey);
            if (account === undefined) await deleteSecret(secret);
            else await fill(account, secret);
          },
        },
        signal,
      );
      // Keys: the account and its uid.
      const accountQueue = startReconciler(
        context,
        {
          name: 'serviceaccount_tokens_service',
          workers: WORKERS,
          informers: [accounts, allSecrets] as never,
          maxRetries: MAX_RETRIES,
          reconcile: async (id) => {
            const [key = '', uid] = id.split(' ');
            if (accounts.get(key)?.metadata?.uid === uid) return;
            await Promise.all(
              allSecrets
                .byIndex(BY_ACCOUNT, key)
                .filter((secret) => isOf(secret, uid))
                .map(deleteSecret),
            );
          },
        },
        signal,
      );
      const enqueue = (secret: Secret): void => {
        const key = accountKeyOf(secret);
        if (key !== undefined) secretQueue.add(`${objectKey(secret)} ${key}`);
      };
      allSecrets.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue });
      accounts.addHandler({ onDelete: (account) => accountQueue.add(`${objectKey(account)} ${account.metadata?.uid}`) });
    },
  };
}
