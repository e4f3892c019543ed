import { DECLARED_FEATURES, KUBELET_VERSION } from '../../api/groups/core/node-release.ts';
import { Quantity } from '../../api/meta/quantity.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { ContainerImage, Node, NodeCondition, NodeStatus, ResourceList } from '../../api/types/core-v1.ts';
import type { Image, RuntimeStatus } from '../../runtime/contract.ts';
import { amountOf, type EvictionPolicy, type Pressure, type Signal } from '../eviction/thresholds.ts';
import type { MachineFacts } from './machine.ts';

/** Images named in the status; the largest come first (nodeStatusMaxImages). */
const MAX_IMAGES = 50;
/** Names given of one image. */
const MAX_NAMES = 5;

/** Held back from pods: kubeReserved and systemReserved together. Millicores and bytes. */
export interface Reserved {
  readonly cpuMilli: number;
  readonly memory: number;
  readonly ephemeralStorage?: number;
}

export interface NodeStatusInput {
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly facts: MachineFacts;
  /** Bytes of the kubelet's file system. */
  readonly diskCapacity: number;
  readonly eviction: EvictionPolicy;
  readonly pressure: Pressure;
  readonly maxPods: number;
  readonly port: number;
  readonly reserved: Reserved;
  readonly runtimeVersion: string;
  /** What the runtime tells that it can. */
  readonly runtime: Pick<RuntimeStatus, 'runtimeHandlers' | 'features'>;
  readonly images: readonly Image[];
  /** Why the node is not ready; empty when it is. */
  readonly problems: readonly string[];
  readonly previous: NodeStatus | undefined;
  /** The status as it stands in the API, with what others have put there. */
  readonly found?: NodeStatus | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const binary = (bytes: number): string => Quantity.of(bytes, 'BinarySI').toString();
const cpuText = (milli: number): string => (milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`);

/** Capacity and what of it pods may have (cm.GetNodeAllocatableReservation). */
export function nodeResources(input: Pick<NodeStatusInput, 'facts' | 'diskCapacity' | 'eviction' | 'maxPods' | 'reserved'>): {
  readonly capacity: ResourceList;
  readonly allocatable: ResourceList;
} {
  const { facts, diskCapacity, eviction, maxPods, reserved } = input;
  // What no pod may have lest others be ended for it.
  const kept = (signal: Signal, capacity: number): number => {
    const hard = eviction.thresholds.find((t) => t.signal === signal && t.grace === 0);
    return hard === undefined ? 0 : amountOf(hard.value, capacity);
  };
  const hugePages = Object.entries(facts.hugePages).map(([name, bytes]) => [name, binary(bytes)] as const);
  const inHugePages = Object.values(facts.hugePages).reduce((sum, bytes) => sum + bytes, 0);
  const common = { ...Object.fromEntries(hugePages), pods: String(maxPods) };
  const disk = diskCapacity - kept('nodefs.available', diskCapacity) - (reserved.ephemeralStorage ?? 0);
  const memory = facts.memory - kept('memory.available', facts.memory) - reserved.memory - inHugePages;
  return {
    capacity: { cpu: String(facts.cpus), 'ephemeral-storage': binary(diskCapacity), memory: binary(facts.memory), ...common },
    allocatable: {
      cpu: cpuText(Math.max(0, facts.cpus * 1000 - reserved.cpuMilli)),
      'ephemeral-storage': binary(Math.max(0, disk)),
      memory: binary(Math.max(0, memory)),
      ...common,
    },
  };
}

/** The status of a node: a pure function of what the machine and the runtime told. */
export function nodeStatus(input: NodeStatusInput): NodeStatus {
  const { facts, previous } = input;
  const { features, runtimeHandlers: handlers } = input.runtime;
  const v6 = (a: string): boolean => a.includes(':');
  const { capacity, allocatable } = nodeResources(input);
  // What others have put into the capacity, such as extended resources, is all for pods.
  const ofOthers = Object.entries(input.found?.capacity ?? {}).filter(([name]) => capacity[name] === undefined);
  return {
    // What is attached is told by who attaches.
    ...(previous?.volumesAttached === undefined ? {} : { volumesAttached: previous.volumesAttached }),
    addresses: [
      ...input.addresses
        .filter((a, i) => i === 0 || v6(a) !== v6(input.addresses[0]!))
        .map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: input.nodeName },
    ],
    capacity,
    allocatable: { ...allocatable, ...Object.fromEntries(ofOthers) },
    conditions: nodeConditions(input),
    daemonEndpoints: { kubeletEndpoint: { Port: input.port } },
    images: imageList(input.images),
    nodeInfo: {
      architecture: facts.architecture,
      bootID: facts.bootId,
      containerRuntimeVersion: input.runtimeVersion,
      kernelVersion: facts.kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: KUBELET_VERSION,
      machineID: facts.machineId,
      operatingSystem: 'linux',
      osImage: facts.osImage,
      systemUUID: facts.systemUuid,
      ...(facts.swap > 0 ? { swap: { capacity: facts.swap } } : {}),
    },
    ...(handlers === undefined ? {} : { runtimeHandlers: runtimeHandlers(handlers) }),
    ...(features === undefined ? {} : { features: { supplementalGroupsPolicy: features.supplementalGroupsPolicy } }),
    declaredFeatures: DECLARED_FEATURES,
  };
}

/** As the node tells of them: by name, a feature that is missing as false. */
function runtimeHandlers(handlers: NonNullable<RuntimeStatus['runtimeHandlers']>): NonNullable<NodeStatus['runtimeHandlers']> {
  return handlers
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, features }) => ({
      name,
      features: {
        recursiveReadOnlyMounts: features?.recursiveReadOnlyMounts === true,
        userNamespaces: features?.userNamespaces === true,
      },
    }));
}

/** The largest images, each with a few of its names. */
export function imageList(images: readonly Image[]): readonly ContainerImage[] {
  return [...images]
    .sort((a, b) => b.size - a.size)
    .slice(0, MAX_IMAGES)
    .map((i) => ({ names: [...i.repoDigests, ...i.repoTags].slice(0, MAX_NAMES), sizeBytes: i.size }));
}

function nodeConditions(input: NodeStatusInput): readonly NodeCondition[] {
  const { pressure, problems } = input;
  const now = formatTime(input.now);
  const condition = (type: string, status: boolean, reason: string, message: string): NodeCondition => {
    const before = input.previous?.conditions?.find((c) => c.type === type);
    const value = status ? 'True' : 'False';
    return {
      type,
      status: value,
      lastHeartbeatTime: now,
      lastTransitionTime: before?.status === value && before.lastTransitionTime !== undefined ? before.lastTransitionTime : now,
      reason,
      message,
    };
  };
  const own = [
    pressure.memory
      ? condition('MemoryPressure', true, 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available')
      : condition('MemoryPressure', false, 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    pressure.disk
      ? condition('DiskPressure', true, 'KubeletHasDiskPressure', 'kubelet has disk pressure')
      : condition('DiskPressure', false, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    pressure.pids
      ? condition('PIDPressure', true, 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available')
      : condition('PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    problems.length === 0
      ? condition('Ready', true, 'KubeletReady', 'kubelet is posting ready status')
      : condition('Ready', false, 'KubeletNotReady', problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`),
  ];
  const names = new Set(own.map((c) => c.type));
  return [...(input.previous?.conditions ?? []).filter((c) => !names.has(c.type)), ...own];
}

/** Whether two statuses differ in more than their heartbeats: a reason to write before the next heartbeat is due. */
export function statusChanged(a: NodeStatus | undefined, b: NodeStatus, equal: (x: unknown, y: unknown) => boolean): boolean {
  const still = (s: NodeStatus | undefined): unknown =>
    s === undefined ? undefined : { ...s, conditions: s.conditions?.map(({ lastHeartbeatTime: _, ...c }) => c) };
  return !equal(still(a), still(b));
}

/** Events that tell of changed conditions, by condition type and status (kubelet/nodestatus). */
const conditionEvents: Readonly<Record<string, string>> = {
  'Ready/True': 'NodeReady',
  'Ready/False': 'NodeNotReady',
  'MemoryPressure/True': 'NodeHasInsufficientMemory',
  'MemoryPressure/False': 'NodeHasSufficientMemory',
  'DiskPressure/True': 'NodeHasDiskPressure',
  'DiskPressure/False': 'NodeHasNoDiskPressure',
  'PIDPressure/True': 'NodeHasInsufficientPID',
  'PIDPressure/False': 'NodeHasSufficientPID',
};

/** Reasons of the events that a change of status calls for. */
export function transitionEvents(before: NodeStatus | undefined, after: NodeStatus): readonly string[] {
  return (after.conditions ?? []).flatMap((c) => {
    const old = before?.conditions?.find((b) => b.type === c.type);
    const reason = conditionEvents[`${c.type}/${c.status}`];
    return reason !== undefined && old?.status !== c.status ? [reason] : [];
  });
}

/** The node as it registers itself. */
export function initialNode(
  name: string,
  labels: Readonly<Record<string, string>>,
  architecture: string,
  taints: NonNullable<Node['spec']>['taints'],
  status: NodeStatus,
): Node {
  const builtIn = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': architecture };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'beta.kubernetes.io/arch': architecture,
        'beta.kubernetes.io/os': 'linux',
        ...builtIn,
        ...labels,
      },
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: { ...(taints === undefined || taints.length === 0 ? {} : { taints }) },
    status,
  };
}
