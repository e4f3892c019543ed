import { type KubernetesObject, type OwnerReference, objectKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { Client, EventRecorder } from '../../client/contract.ts';
import { pods } from '../../client/resource-refs.ts';
import { namespaceIsGoing } from '../service-account.ts';
import type { Expectations } from './expectations.ts';

/** Longest prefix of a generated name that leaves room for the suffix. */
const MAX_PREFIX = 58;

/** Upstream's prefix of pod names: the owner's name and a dash. */
export function podNamePrefix(name: string): string {
  return `${name}-`.length <= MAX_PREFIX ? `${name}-` : `${name}-`.slice(0, MAX_PREFIX);
}

/** The pod that a template makes for an owner. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubernetesObject, ownerRef: OwnerReference): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: podNamePrefix(owner.metadata!.name!),
      namespace: owner.metadata!.namespace!,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [ownerRef],
    },
    ...(template.spec === undefined ? {} : { spec: template.spec }),
  };
}

/** Creates and deletes pods for workloads, with the events that users know. */
export class PodControl {
  readonly #client: Client;
  readonly #recorder: EventRecorder;

  constructor(client: Client, recorder: EventRecorder) {
    this.#client = client;
    this.#recorder = recorder;
  }

  async create(pod: Pod, owner: KubernetesObject, signal: AbortSignal): Promise<Pod> {
    try {
      const created = await this.#client.resource(pods).create(pod, { signal });
      this.#recorder.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata?.name}`);
      return created;
    } catch (err) {
      if (!namespaceIsGoing(err)) this.#recorder.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(err)}`);
      throw err;
    }
  }

  async delete(pod: Pod, owner: KubernetesObject, signal: AbortSignal): Promise<void> {
    const { name = '', namespace = '' } = pod.metadata ?? {};
    try {
      await this.#client.resource(pods).delete(name, namespace, { signal });
    } catch (err) {
      if (!isNotFound(err)) this.#recorder.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(err)}`);
      throw err;
    }
    this.#recorder.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
}

export const messageOf = (err: unknown): string => (err instanceof Error ? err.message : String(err));

export interface BatchResult {
  readonly succeeded: number;
  /** Calls never made, because an earlier batch had a failure. */
  readonly skipped: number;
  readonly error: unknown;
}

/**
 * Calls `fn` `count` times in batches of 1, 2, 4 …, stopping after the first batch with a failure: a quota or a bad template then costs one request,
 * not hundreds.
 */
export async function slowStart(count: number, fn: (index: number) => Promise<unknown>): Promise<BatchResult> {
  let succeeded = 0;
  let next = 0;
  for (let batch = Math.min(count, 1); batch > 0; batch = Math.min(2 * batch, count - next)) {
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, i) => fn(next + i)));
    next += batch;
    succeeded += results.filter((result) => result.status === 'fulfilled').length;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) return { succeeded, skipped: count - next, error: failed.reason };
  }
  return { succeeded, skipped: 0, error: undefined };
}

/** Deletes pods at once and side by side; those already gone count as done. Gives the first failure. */
export async function deleteAll(list: readonly Pod[], fn: (pod: Pod) => Promise<void>): Promise<unknown> {
  const results = await Promise.allSettled(list.map((pod) => fn(pod)));
  return results.find((result) => result.status === 'rejected')?.reason;
}

export const podKeys = (list: readonly Pod[]): readonly string[] => list.map(objectKey);

/** Owner, and what it expects to see: what `createPods` and `deletePods` need to know. */
export interface PodOwner {
  readonly object: KubernetesObject;
  readonly key: string;
  readonly expectations: Expectations;
}

/** Creates pods in batches that grow; what was not made is not expected. Gives the first failure. */
export async function createPods(
  control: PodControl,
  owner: PodOwner,
  count: number,
  podAt: (i: number) => Pod,
  signal: AbortSignal,
): Promise<unknown> {
  const result = await slowStart(count, async (i) => {
    try {
      await control.create(podAt(i), owner.object, signal);
    } catch (err) {
      owner.expectations.creationObserved(owner.key);
      if (!namespaceIsGoing(err)) throw err;
    }
  });
  for (let i = 0; i < result.skipped; i++) owner.expectations.creationObserved(owner.key);
  return result.error;
}

/** Deletes pods; what was not deleted is not expected to go. Gives the first failure. */
export async function deletePods(
  control: PodControl,
  owner: PodOwner,
  list: readonly Pod[],
  signal: AbortSignal,
): Promise<unknown> {
  return await deleteAll(list, async (pod) => {
    try {
      await control.delete(pod, owner.object, signal);
    } catch (err) {
      owner.expectations.deletionObserved(owner.key, objectKey(pod));
      if (!isNotFound(err)) throw err;
    }
  });
}
