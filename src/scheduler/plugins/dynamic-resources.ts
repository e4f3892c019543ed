import { compileNodeSelector } from '../../api/groups/core/node-selector.ts';
import { claimNames } from '../../api/groups/core/pod-resource-claims.ts';
import type { ResourceClaim } from '../../api/types/resource-v1.ts';
import { actions, type EventResource, type Hint } from '../cluster-event.ts';
import { allocateDevices, classNames } from '../device-allocator.ts';
import {
  type ClaimDecision,
  type ClusterView,
  isRejection,
  type Plugin,
  type Rejection,
  reject,
  rejectForGood,
} from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';

const NAME = 'DynamicResources';
/** A claim can be used by so many pods at once (resource.k8s.io ResourceClaimReservedForMaxSize). */
const MAX_RESERVED = 256;

const notHere = reject(NAME, 'resourceclaim not available on the node');
const cannotAllocate = reject(NAME, 'cannot allocate all claims');
const inUse = reject(NAME, 'resourceclaim in use');
const notKnownYet = rejectForGood(NAME, 'resource claims are not known yet');

const whenChanged = (resource: EventResource, more = 0): Hint => ({ resource, actions: actions.add | actions.update | more });

/** DynamicResources: the pod's resource claims have devices that can be used on the node, or can get them there (KEP-4381). */
export const dynamicResources: Plugin = {
  name: NAME,
  weight: 0,
  local: false,
  hints: [
    whenChanged('ResourceClaim', actions.delete),
    whenChanged('ResourceSlice'),
    whenChanged('DeviceClass'),
    { resource: 'Node', actions: actions.add | actions.updateNodeLabel | actions.updateNodeTaint },
    { resource: 'TargetPod', actions: actions.updatePodGeneratedResourceClaim },
  ],
  plan(pod, view) {
    if (claimNames(pod.pod).length === 0) return undefined;
    if (!view.claims.ready) return notKnownYet;
    const claims = claimsOf(pod, view);
    if (isRejection(claims)) return claims;
    const decide = (node: NodeInfo): readonly ClaimDecision[] | Rejection => decideOn(claims, node, view);
    return {
      filter(node) {
        const decision = decide(node);
        return 'reasons' in decision ? decision : undefined;
      },
      prepare(node) {
        const decision = decide(node);
        if ('reasons' in decision) throw new Error(`devices of ${pod.key} cannot be had on node ${node.name} after all`);
        const revert = view.claims.assume(decision);
        return { revert, carryOut: (signal) => view.claims.bind(pod, decision, signal) };
      },
      remedy() {
        // Devices that are where the pod cannot go may be given up for others, if nobody else uses them.
        const stuck = claims.allocated.find(
          ({ claim, usableOn }) => !usedByOthers(claim, pod) && !view.cache.nodes.every(usableOn),
        );
        if (stuck === undefined) return undefined;
        return {
          message: 'deallocation of ResourceClaim completed',
          act: (signal) => view.claims.deallocate(stuck.claim, signal),
        };
      },
    };
  },
};

const usedByOthers = (claim: ResourceClaim, pod: PodInfo): boolean =>
  (claim.status?.reservedFor ?? []).some((user) => user.uid !== pod.uid);

interface PodClaims {
  /** With devices, and where those can be used. */
  readonly allocated: readonly { readonly claim: ResourceClaim; usableOn(node: NodeInfo): boolean }[];
  readonly pending: readonly ResourceClaim[];
}

function claimsOf(pod: PodInfo, view: ClusterView): PodClaims | Rejection {
  const allocated: { claim: ResourceClaim; usableOn(node: NodeInfo): boolean }[] = [];
  const pending: ResourceClaim[] = [];
  for (const { name, generated } of claimNames(pod.pod)) {
    // A generated claim that turned out not to be needed has no name.
    if (name === '') continue;
    if (name === undefined) return notKnownYet;
    const claim = view.claims.claim(pod.namespace, name);
    if (claim === undefined) return rejectForGood(NAME, `resourceclaim "${name}" not found`);
    if (claim.metadata?.deletionTimestamp !== undefined) return rejectForGood(NAME, `resourceclaim "${name}" is being deleted`);
    const owned = claim.metadata?.ownerReferences?.some((o) => o.controller === true && o.uid === pod.uid) === true;
    if (generated && !owned) {
      return rejectForGood(NAME, `ResourceClaim ${pod.namespace}/${name} was not created for pod ${pod.key} (pod is not owner)`);
    }
    const allocation = claim.status?.allocation;
    if (allocation === undefined) {
      for (const { request, className } of classNames(claim)) {
        if (view.claims.deviceClass(className) === undefined)
          return rejectForGood(NAME, `request ${request}: device class ${className} does not exist`);
      }
      pending.push(claim);
      continue;
    }
    const users = claim.status?.reservedFor ?? [];
    if (users.length >= MAX_RESERVED && !users.some((u) => u.uid === pod.uid)) return inUse;
    const test = allocation.nodeSelector === undefined ? undefined : compileNodeSelector(allocation.nodeSelector);
    allocated.push({ claim, usableOn: (node) => test === undefined || test(node.labels, node.name) });
  }
  return { allocated, pending };
}

function decideOn({ allocated, pending }: PodClaims, node: NodeInfo, view: ClusterView): readonly ClaimDecision[] | Rejection {
  for (const { usableOn } of allocated) if (!usableOn(node)) return notHere;
  const kept = allocated.map(({ claim }): ClaimDecision => ({ claim, allocation: undefined }));
  if (pending.length === 0) return kept;
  const { claims } = view;
  const allocations = allocateDevices({
    claims: pending,
    devices: claims.devicesFor(node),
    selectors: claims.selectors,
    deviceClass: (name) => claims.deviceClass(name),
    taken: (id) => claims.taken(id),
  });
  if (allocations === undefined) return cannotAllocate;
  return [...kept, ...pending.map((claim, i): ClaimDecision => ({ claim, allocation: allocations[i]! }))];
}
