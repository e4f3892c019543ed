import { formatTime, parseTime } from '../../api/meta/time.ts';
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { Node, NodeCondition } from '../../api/types/core-v1.ts';
import { findCondition } from '../conditions.ts';

/** How long signs of life may stay away. Milliseconds. */
export interface HealthLimits {
  /** Upstream's --node-monitor-grace-period. */
  readonly monitorGraceMs: number;
  /** The same for a node that never reported. */
  readonly startupGraceMs: number;
}

export const defaultHealthLimits: HealthLimits = { monitorGraceMs: 50_000, startupGraceMs: 60_000 };

/** What is remembered of a node between two looks. */
export interface HealthMemory {
  /** When the last sign of life was noticed here; clocks of nodes are not trusted. */
  readonly probedAt: number;
  /** The Ready condition's times as last seen; undefined while there was no such condition. */
  readonly heartbeat: string | undefined;
  readonly renewTime: string | undefined;
}

export interface HealthCheck {
  readonly memory: HealthMemory;
  /** Ready as the node itself told: 'Unknown' when it never did. */
  readonly observed: string;
  /** Ready as it is to be from now on; undefined when there is no such condition. */
  readonly current: string | undefined;
  /** The conditions to be written; undefined when they may stay. */
  readonly conditions: readonly NodeCondition[] | undefined;
}

/** The conditions that only the kubelet can know: without it they are unknown. NetworkUnavailable is not among them. */
const kubeletConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;
const NO_HEARTBEAT = '';

/**
 * Judges one node by its status and its lease: a changed heartbeat or a renewed lease is a sign of life; without any for longer than its grace
 * period its conditions become Unknown. Pure.
 */
export function checkHealth(
  node: Node,
  lease: Lease | undefined,
  before: HealthMemory | undefined,
  limits: HealthLimits,
  now: number,
): HealthCheck {
  const ready = findCondition(node.status?.conditions, 'Ready');
  const heartbeat = ready === undefined ? undefined : (ready.lastHeartbeatTime ?? NO_HEARTBEAT);
  const renewTime = lease?.spec?.renewTime;
  let probedAt = before?.probedAt ?? now;
  if (before === undefined) {
    if (ready === undefined) probedAt = parseTime(node.metadata?.creationTimestamp) ?? now;
  } else if (before.heartbeat !== heartbeat) probedAt = now;
  if (renewTime !== undefined && isLater(renewTime, before?.renewTime)) probedAt = now;
  const memory: HealthMemory = { probedAt, heartbeat, renewTime: renewTime ?? before?.renewTime };
  const observed = ready?.status ?? 'Unknown';
  const grace = ready === undefined ? limits.startupGraceMs : limits.monitorGraceMs;
  if (now <= probedAt + grace) return { memory, observed, current: ready?.status, conditions: undefined };
  const conditions = unknownConditions(node, now);
  // What we write ourselves must not pass for a sign of life at the next look.
  const written = findCondition(conditions ?? node.status?.conditions, 'Ready');
  return {
    memory: { ...memory, heartbeat: written?.lastHeartbeatTime ?? NO_HEARTBEAT },
    observed,
    current: 'Unknown',
    conditions,
  };
}

function isLater(time: string, than: string | undefined): boolean {
  if (than === undefined) return true;
  return time !== than && (parseTime(time) ?? 0) >= (parseTime(than) ?? 0);
}

/** The node's conditions with those of the kubelet unknown; undefined when they are already. */
function unknownConditions(node: Node, now: number): readonly NodeCondition[] | undefined {
  const conditions = [...(node.status?.conditions ?? [])];
  const time = formatTime(now);
  let changed = false;
  for (const type of kubeletConditions) {
    const at = conditions.findIndex((condition) => condition.type === type);
    const current = conditions[at];
    if (current?.status === 'Unknown') continue;
    changed = true;
    if (current === undefined) {
      conditions.push({
        type,
        status: 'Unknown',
        lastHeartbeatTime: node.metadata?.creationTimestamp ?? time,
        lastTransitionTime: time,
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
      });
    } else {
      conditions[at] = {
        ...current,
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastTransitionTime: time,
      };
    }
  }
  return changed ? conditions : undefined;
}
