import { compileNodeSelector } from '../../api/groups/core/node-selector.ts';
import type { LabelSelector } from '../../api/meta/label-selector.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { DeviceClass, ResourceClaim, ResourceSlice } from '../../api/types/resource-v1.ts';
import type { CSINode, StorageClass } from '../../api/types/storage-v1.ts';
import { SeededRandom } from '../../util/random.ts';
import { ClusterCache } from '../cache.ts';
import { DevicePools, deviceId } from '../device-pools.ts';
import { DeviceSelectors } from '../device-selector.ts';
import { fitMessage } from '../diagnosis.ts';
import type { ClaimView, ClusterView, Plugin, VolumeView } from '../framework.ts';
import { isRejection } from '../framework.ts';
import { PodInfo } from '../pod-info.ts';
import { defaultPlugins } from '../profile.ts';
import { SchedulingAlgorithm } from '../scheduling-algorithm.ts';
import { volumeClass } from '../volume-matching.ts';

export interface ClusterParts {
  readonly nodes?: readonly Node[];
  /** Pods with a node name. */
  readonly pods?: readonly Pod[];
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly csiNodes?: readonly CSINode[];
  readonly resourceClaims?: readonly ResourceClaim[];
  readonly deviceClasses?: readonly DeviceClass[];
  readonly slices?: readonly ResourceSlice[];
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What spreadSelector answers. */
  readonly selector?: LabelSelector;
  readonly plugins?: readonly Plugin[];
  readonly seed?: number;
}

/** A cluster in memory, to ask plugins and the algorithm about. */
export class TestCluster {
  readonly cache = new ClusterCache();
  readonly view: ClusterView;
  readonly algorithm: SchedulingAlgorithm;
  readonly plugins: readonly Plugin[];

  constructor(parts: ClusterParts) {
    for (const [name, labels] of Object.entries(parts.namespaces ?? {})) this.cache.setNamespace(name, labels);
    for (const node of parts.nodes ?? []) this.cache.setNode(node);
    for (const pod of parts.pods ?? []) this.cache.setPod(pod);
    this.view = { cache: this.cache, volumes: volumesOf(parts), claims: claimsOf(parts), spreadSelector: () => parts.selector };
    this.plugins = parts.plugins ?? defaultPlugins;
    const random = new SeededRandom(parts.seed ?? 1);
    this.algorithm = new SchedulingAlgorithm({ view: this.view, plugins: this.plugins, random });
  }

  /** What one plugin says about each node: its first reason, or `ok`. A verdict on the pod as a whole is the only answer. */
  filter(plugin: Plugin, pod: Pod): Readonly<Record<string, string>> | string {
    const plan = plugin.plan(new PodInfo(pod), this.view);
    if (plan !== undefined && isRejection(plan)) return text(plan);
    return Object.fromEntries(
      this.cache.nodes.map((node) => {
        const rejection = plan?.filter?.(node);
        return [node.name, rejection === undefined ? 'ok' : text(rejection)];
      }),
    );
  }

  /** The points one plugin gives each node, normalized. */
  score(plugin: Plugin, pod: Pod): Readonly<Record<string, number>> {
    const { nodes } = this.cache;
    const plan = plugin.plan(new PodInfo(pod), this.view);
    if (plan === undefined || isRejection(plan) || plan.score === undefined || plan.preScore?.(nodes) === false) return {};
    const scores = Int32Array.from(nodes, (node) => plan.score!(node));
    plan.normalize?.(scores, nodes);
    return Object.fromEntries(nodes.map((node, i) => [node.name, scores[i]!]));
  }

  /** The node for a pod, or the message. */
  schedule(pod: Pod): string {
    const decision = this.algorithm.schedule(new PodInfo(pod));
    return decision.placement?.node.name ?? fitMessage(decision.diagnosis!, '');
  }
}

const text = (rejection: { readonly reasons: readonly string[]; readonly unresolvable: boolean }): string =>
  rejection.reasons.join(', ') + (rejection.unresolvable ? '!' : '');

function volumesOf(parts: ClusterParts): VolumeView {
  const named = <T extends { readonly metadata?: { readonly name?: string } }>(list: readonly T[] | undefined, name: string) =>
    (list ?? []).find((o) => o.metadata?.name === name);
  return {
    claim: (namespace, name) =>
      (parts.claims ?? []).find((c) => c.metadata?.name === name && c.metadata?.namespace === namespace),
    volume: (name) => named(parts.volumes, name),
    volumesOfClass: (name) => (parts.volumes ?? []).filter((v) => volumeClass(v) === name),
    reaches: (volume, node) => {
      const required = volume.spec?.nodeAffinity?.required;
      return required === undefined || compileNodeSelector(required)(node.labels, node.name);
    },
    storageClass: (name) => named(parts.classes, name),
    csiDriver: () => undefined,
    csiNode: (name) => named(parts.csiNodes, name),
    capacities: () => [],
    assume: (decision) => ({ carriedOut: decision, revert: () => {} }),
    bind: () => Promise.resolve(),
  };
}

function claimsOf(parts: ClusterParts): ClaimView {
  const pools = new DevicePools(parts.slices ?? []);
  const taken = new Set(
    (parts.resourceClaims ?? []).flatMap((c) =>
      (c.status?.allocation?.devices?.results ?? []).map((r) => deviceId(r.driver, r.pool, r.device)),
    ),
  );
  return {
    ready: true,
    selectors: new DeviceSelectors(),
    claim: (namespace, name) =>
      (parts.resourceClaims ?? []).find((c) => c.metadata?.name === name && c.metadata?.namespace === namespace),
    deviceClass: (name) => (parts.deviceClasses ?? []).find((c) => c.metadata?.name === name),
    devicesFor: (node) => pools.devicesFor(node),
    taken: (id) => taken.has(id),
    assume: () => () => {},
    bind: () => Promise.resolve(),
    deallocate: () => Promise.resolve(),
  };
}
