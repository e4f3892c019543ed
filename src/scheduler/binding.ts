import { isNotFound, isStatusError } from '../api/meta/status.ts';
import type { Binding } from '../api/types/core-v1.ts';
import type { Client } from '../client/contract.ts';
import { pods } from '../client/resource-refs.ts';
import type { Clock } from '../util/clock.ts';
import type { Preparation } from './framework.ts';
import type { PodInfo } from './pod-info.ts';

/** How often, and how far apart, the API is asked what became of a binding that was not answered. */
const LOOKS = 5;
const LOOK_EVERY_MS = 1000;

/** What a plugin has prepared for a pod. */
export interface NamedPreparation {
  readonly plugin: string;
  readonly preparation: Preparation;
}

/** Does what plugins have prepared, one after the other. Throws what fails first. */
export async function carryOut(preparations: readonly NamedPreparation[], signal: AbortSignal): Promise<void> {
  for (const { plugin, preparation } of preparations) {
    await named(`running PreBind plugin "${plugin}"`, preparation.carryOut(signal));
  }
}

/**
 * Binds a pod to a node. When it throws, the pod is not bound there: where the answer was lost, the API is asked what came of it, so that the pod
 * neither loses its place by a broken connection nor gets a second one.
 */
export async function bindPod(
  info: PodInfo,
  node: string,
  { client, clock, signal }: { readonly client: Client; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { name, namespace, uid } = info;
  const binding: Binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace, uid },
    target: { kind: 'Node', name: node },
  };
  try {
    await client.resource(pods).subresource('create', name, namespace, 'binding', binding, { signal });
  } catch (err) {
    const certain = isStatusError(err) && err.code < 500;
    if (!certain && (await nodeOf(info, client, clock, signal)) === node) return;
    await named('running Bind plugin "DefaultBinder"', Promise.reject(err));
  }
}

/** The node that the pod is bound to by the API's word; undefined when it is not, is gone, or nothing can be learned. */
async function nodeOf(info: PodInfo, client: Client, clock: Clock, signal: AbortSignal): Promise<string | undefined> {
  for (let look = 1; look <= LOOKS; look++) {
    try {
      const pod = await client.resource(pods).get(info.name, info.namespace, { signal });
      return pod.metadata?.uid === info.uid ? pod.spec?.nodeName : undefined;
    } catch (err) {
      if (isNotFound(err) || signal.aborted) return undefined;
      if (look < LOOKS) await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }
  return undefined;
}

/** Lets a failure begin with what was being done, as users read it in the pod's events. */
async function named<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (err) {
    throw new Error(`${what}: ${err instanceof Error ? err.message : String(err)}`, { cause: err });
  }
}
