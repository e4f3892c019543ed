import { isNotFound } from '../api/meta/status.ts';
import { formatTime } from '../api/meta/time.ts';
import { patchTypes } from '../api/request.ts';
import type { Pod, PodCondition } from '../api/types/core-v1.ts';
import type { Client } from '../client/contract.ts';
import { pods } from '../client/resource-refs.ts';

/** What the scheduler writes into a pod's status. */
export interface StatusChange {
  readonly condition?: {
    readonly type: string;
    readonly status: 'True' | 'False';
    readonly reason: string;
    readonly message: string;
  };
  /** Undefined: as it is. '' takes the nomination back. */
  readonly nominatedNodeName?: string | undefined;
}

/**
 * The patch that makes the change, at `now` (milliseconds); undefined when the status says it all already. The uid makes sure that it is still the
 * same pod.
 */
export function statusPatch(pod: Pod, change: StatusChange, now: number): object | undefined {
  const status: { conditions?: readonly PodCondition[]; nominatedNodeName?: string | null } = {};
  const { condition, nominatedNodeName } = change;
  if (condition !== undefined) {
    const old = pod.status?.conditions?.find((c) => c.type === condition.type);
    const same = old?.status === condition.status && old.reason === condition.reason && old.message === condition.message;
    if (!same) {
      const kept = old !== undefined && old.status === condition.status ? old.lastTransitionTime : undefined;
      const { generation } = pod.metadata ?? {};
      status.conditions = [
        {
          ...condition,
          ...(generation === undefined ? {} : { observedGeneration: generation }),
          lastTransitionTime: kept ?? formatTime(now),
        } as PodCondition,
      ];
    }
  }
  if (nominatedNodeName !== undefined && nominatedNodeName !== (pod.status?.nominatedNodeName ?? '')) {
    status.nominatedNodeName = nominatedNodeName === '' ? null : nominatedNodeName;
  }
  if (Object.keys(status).length === 0) return undefined;
  return { metadata: { uid: pod.metadata?.uid }, status };
}

/** Writes the change. A pod that is gone needs none; other errors are the caller's. */
export async function patchStatus(
  client: Client,
  pod: Pod,
  change: StatusChange,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const patch = statusPatch(pod, change, now);
  if (patch === undefined) return;
  const { name = '', namespace = '' } = pod.metadata ?? {};
  try {
    await client.resource(pods).patch(name, namespace, patchTypes.strategic, patch, { subresource: 'status', signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}
