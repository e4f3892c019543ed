import type { KubernetesObject, OwnerReference } from '../../api/meta/object.ts';
import { isNotFound, isStatusError } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { ResourceClient } from '../../client/contract.ts';

/** The owner that manages an object, if any. */
export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true);
}

/** A reference by which `owner` manages its dependents. */
export function controllerRef(owner: KubernetesObject, apiVersion: string, kind: string): OwnerReference {
  return {
    apiVersion,
    kind,
    name: owner.metadata!.name!,
    uid: owner.metadata!.uid!,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** What an owner should do about one candidate dependent. */
export type Claim = 'keep' | 'adopt' | 'release' | 'ignore';

/**
 * Decides on one candidate: an owner keeps what it controls and still selects, releases what it controls and no longer selects, and adopts orphans
 * that it selects. Something being deleted neither adopts nor is adopted.
 */
export function claimOf(owner: KubernetesObject, object: KubernetesObject, matches: boolean): Claim {
  const ref = controllerOf(object);
  const ownerGoing = owner.metadata?.deletionTimestamp !== undefined;
  if (ref !== undefined) {
    if (ref.uid !== owner.metadata?.uid) return 'ignore';
    if (matches) return 'keep';
    return ownerGoing ? 'ignore' : 'release';
  }
  if (ownerGoing || !matches || object.metadata?.deletionTimestamp !== undefined) return 'ignore';
  return object.metadata?.namespace === owner.metadata?.namespace ? 'adopt' : 'ignore';
}

export interface ClaimOptions<T extends KubernetesObject> {
  readonly owner: KubernetesObject;
  readonly ownerRef: OwnerReference;
  readonly candidates: readonly T[];
  readonly matches: (object: T) => boolean;
  readonly client: ResourceClient<T>;
  /** The owner as the API server has it now: read once, before the first adoption. */
  readonly freshOwner: () => Promise<KubernetesObject>;
  readonly finalizers?: readonly string[];
}

/** Claims dependents: performs adoptions and releases, and gives those that now belong to the owner. */
export async function claim<T extends KubernetesObject>(options: ClaimOptions<T>): Promise<readonly T[]> {
  const { owner, candidates, matches } = options;
  const claimed: T[] = [];
  let mayAdopt: boolean | undefined;
  for (const object of candidates) {
    switch (claimOf(owner, object, matches(object))) {
      case 'keep':
        claimed.push(object);
        break;
      case 'adopt': {
        mayAdopt ??= await canAdopt(options);
        if (!mayAdopt) break;
        const adopted = await adopt(options, object);
        if (adopted !== undefined) claimed.push(adopted);
        break;
      }
      case 'release':
        await release(options, object);
        break;
      case 'ignore':
        break;
    }
  }
  return claimed;
}

async function canAdopt(options: Pick<ClaimOptions<KubernetesObject>, 'owner' | 'freshOwner'>): Promise<boolean> {
  const fresh = await options.freshOwner();
  const { name, namespace, uid } = options.owner.metadata ?? {};
  if (fresh.metadata?.uid !== uid) {
    throw new Error(`original object ${namespace}/${name} is gone: got uid ${fresh.metadata?.uid}, wanted ${uid}`);
  }
  return fresh.metadata?.deletionTimestamp === undefined;
}

async function adopt<T extends KubernetesObject>(options: ClaimOptions<T>, object: T): Promise<T | undefined> {
  const { name = '', namespace = '', uid } = object.metadata ?? {};
  const metadata = {
    ownerReferences: [options.ownerRef],
    uid,
    ...(options.finalizers === undefined ? {} : { finalizers: options.finalizers }),
  };
  try {
    return await options.client.patch(name, namespace, patchTypes.strategic, { metadata });
  } catch (err) {
    if (isNotFound(err) || isStatusError(err, 'Invalid')) return undefined;
    throw err;
  }
}

async function release<T extends KubernetesObject>(options: ClaimOptions<T>, object: T): Promise<void> {
  const { name = '', namespace = '', uid } = object.metadata ?? {};
  const patch = { metadata: { uid, ownerReferences: [{ $patch: 'delete', uid: options.owner.metadata!.uid }] } };
  try {
    await options.client.patch(name, namespace, patchTypes.strategic, patch);
  } catch (err) {
    // Gone, or made anew under its name, or rewritten meanwhile: in each case it is no longer ours.
    if (!isNotFound(err) && !isStatusError(err, 'Invalid')) throw err;
  }
}
