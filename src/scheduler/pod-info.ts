import { type LabelSelector, nothing, selectorFromObject } from '../api/meta/label-selector.ts';
import type { LabelSelector as LabelSelectorObject } from '../api/meta/object.ts';
import type { Pod, PodAffinityTerm, Toleration } from '../api/types/core-v1.ts';
import { type PodRequests, podRequests } from './pod-requests.ts';

/** A port that a pod holds on its node. */
export interface HostPort {
  readonly protocol: string;
  readonly ip: string;
  readonly port: number;
}

/** An affinity term with its selectors compiled. */
export interface AffinityTerm {
  /** The same for terms that say the same. */
  readonly key: string;
  readonly namespaces: ReadonlySet<string>;
  /** Selects namespaces by label; undefined: only `namespaces` count. */
  readonly namespaceSelector: LabelSelector | undefined;
  readonly selector: LabelSelector;
  readonly topologyKey: string;
  /** 1 to 100 for a preferred term, 0 for a required one. */
  readonly weight: number;
}

/** A pod's inter-pod affinity, compiled. */
export interface PodAffinityTerms {
  readonly required: readonly AffinityTerm[];
  readonly requiredAnti: readonly AffinityTerm[];
  readonly preferred: readonly AffinityTerm[];
  readonly preferredAnti: readonly AffinityTerm[];
}

const noPorts: readonly HostPort[] = [];
const noTolerations: readonly Toleration[] = [];
const noLabels: Readonly<Record<string, string>> = {};
const noClaims: readonly string[] = [];

/** A pod with what the scheduler asks of it again and again, computed once. Immutable. */
export class PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly requests: PodRequests;
  readonly hostPorts: readonly HostPort[];
  /** Undefined for the many that have none. */
  readonly affinity: PodAffinityTerms | undefined;
  /** Being deleted: it still holds its node's resources, but spreading no longer counts it. */
  readonly terminating: boolean;
  /** Names of the claims it mounts, generic ephemeral volumes' included. */
  readonly claims: readonly string[];
  #localSignature: string | undefined;

  constructor(pod: Pod, like?: PodInfo) {
    const { name = '', namespace = '', uid = '', labels = noLabels } = pod.metadata ?? {};
    this.pod = pod;
    this.uid = uid;
    this.namespace = namespace;
    this.name = name;
    this.labels = labels;
    this.priority = pod.spec?.priority ?? 0;
    this.terminating = pod.metadata?.deletionTimestamp !== undefined;
    this.requests = like?.requests ?? podRequests(pod);
    this.hostPorts = like?.hostPorts ?? hostPortsOf(pod);
    this.affinity = like?.affinity ?? affinityOf(pod);
    this.claims = like?.claims ?? claimsOf(pod);
  }

  /** `namespace/name`. */
  get key(): string {
    return `${this.namespace}/${this.name}`;
  }

  get tolerations(): readonly Toleration[] {
    return this.pod.spec?.tolerations ?? noTolerations;
  }

  /**
   * Everything about the pod that its fit to a single node, taken by itself, can depend on. Pods that share it are judged alike by plugins that
   * look at one node only, so that a verdict can be used again until the node changes.
   */
  get localSignature(): string {
    if (this.#localSignature === undefined) {
      const { spec } = this.pod;
      const { scalars, ...native } = this.requests;
      this.#localSignature = JSON.stringify([
        Object.values(native),
        scalars.size === 0 ? 0 : [...scalars],
        spec?.nodeName ?? '',
        spec?.nodeSelector,
        spec?.affinity?.nodeAffinity,
        spec?.tolerations?.map((t) => [t.key, t.operator, t.value, t.effect]),
        this.hostPorts,
        spec?.containers.map((c) => c.image),
        spec?.initContainers?.map((c) => c.image),
      ]);
    }
    return this.#localSignature;
  }
}

/**
 * The info of a pod's new state. What is computed from parts that did not change (binding and status updates leave them as they are) is taken
 * over.
 */
export function updatedInfo(before: PodInfo | undefined, pod: Pod): PodInfo {
  const old = before?.pod;
  const same =
    old !== undefined &&
    old.spec?.containers === pod.spec?.containers &&
    old.spec?.initContainers === pod.spec?.initContainers &&
    old.spec?.affinity === pod.spec?.affinity &&
    old.spec?.volumes === pod.spec?.volumes &&
    old.spec?.resources === pod.spec?.resources &&
    old.spec?.overhead === pod.spec?.overhead &&
    old.metadata?.labels === pod.metadata?.labels &&
    !resizing(old) &&
    !resizing(pod);
  return new PodInfo(pod, same ? before : undefined);
}

/** Whether the status may say other amounts than the spec: then they must be compared. */
const resizing = (pod: Pod): boolean =>
  pod.status?.resources !== undefined ||
  (pod.status?.containerStatuses ?? []).some((s) => s.resources !== undefined) ||
  (pod.status?.initContainerStatuses ?? []).some((s) => s.resources !== undefined);

/** A selector of an object that was validated; one that was not selects nothing. */
export function compileSelector(object: LabelSelectorObject | undefined): LabelSelector {
  try {
    return selectorFromObject(object);
  } catch {
    return nothing;
  }
}

/** What sets selectors apart: `nothing` and `everything` print alike. */
export const selectorKey = (selector: LabelSelector): string => (selector.nothing ? '<none>' : selector.toString());

/** A selector narrowed to pods that have the same values as this pod of some labels: `matchLabelKeys` (KEP-3243, KEP-3633). */
export function withLabelKeys(
  selector: LabelSelectorObject | undefined,
  labels: Readonly<Record<string, string>>,
  match: readonly string[] | undefined,
  mismatch?: readonly string[],
): LabelSelectorObject | undefined {
  if (selector === undefined || (match === undefined && mismatch === undefined)) return selector;
  const extra = [
    ...(match ?? []).filter((k) => labels[k] !== undefined).map((key) => ({ key, operator: 'In', values: [labels[key]!] })),
    ...(mismatch ?? []).filter((k) => labels[k] !== undefined).map((key) => ({ key, operator: 'NotIn', values: [labels[key]!] })),
  ] as const;
  if (extra.length === 0) return selector;
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...extra] } as LabelSelectorObject;
}

function affinityOf(pod: Pod): PodAffinityTerms | undefined {
  const near = pod.spec?.affinity?.podAffinity;
  const apart = pod.spec?.affinity?.podAntiAffinity;
  if (near === undefined && apart === undefined) return undefined;
  const plain = (terms: readonly PodAffinityTerm[] | undefined): readonly AffinityTerm[] =>
    (terms ?? []).map((t) => affinityTerm(t, pod, 0));
  const weighted = (
    terms: readonly { readonly weight: number; readonly podAffinityTerm: PodAffinityTerm }[] | undefined,
  ): readonly AffinityTerm[] => (terms ?? []).map((t) => affinityTerm(t.podAffinityTerm, pod, t.weight));
  const all = {
    required: plain(near?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAnti: plain(apart?.requiredDuringSchedulingIgnoredDuringExecution),
    preferred: weighted(near?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAnti: weighted(apart?.preferredDuringSchedulingIgnoredDuringExecution),
  };
  const count = all.required.length + all.requiredAnti.length + all.preferred.length + all.preferredAnti.length;
  return count === 0 ? undefined : all;
}

function affinityTerm(term: PodAffinityTerm, pod: Pod, weight: number): AffinityTerm {
  const listed = term.namespaces ?? [];
  const namespaces = listed.length === 0 && term.namespaceSelector === undefined ? [pod.metadata?.namespace ?? ''] : listed;
  const selector = compileSelector(
    withLabelKeys(term.labelSelector, pod.metadata?.labels ?? noLabels, term.matchLabelKeys, term.mismatchLabelKeys),
  );
  const namespaceSelector = term.namespaceSelector === undefined ? undefined : compileSelector(term.namespaceSelector);
  const among = namespaceSelector === undefined ? '' : `(${selectorKey(namespaceSelector)})`;
  return {
    key: `${[...namespaces].sort().join()} ${among} ${selectorKey(selector)} ${term.topologyKey}`,
    namespaces: new Set(namespaces),
    namespaceSelector,
    selector,
    topologyKey: term.topologyKey,
    weight,
  };
}

/** Whether a term is about a pod. `namespaceLabels` gives the labels of a namespace. */
export function termMatches(
  term: AffinityTerm,
  pod: PodInfo,
  namespaceLabels: (name: string) => Readonly<Record<string, string>>,
): boolean {
  if (!term.namespaces.has(pod.namespace)) {
    if (term.namespaceSelector === undefined || !term.namespaceSelector.matches(namespaceLabels(pod.namespace))) return false;
  }
  return term.selector.matches(pod.labels);
}

function hostPortsOf(pod: Pod): readonly HostPort[] {
  let ports: HostPort[] | undefined;
  const collect = (containers: readonly NonNullable<Pod['spec']>['containers'][number][]): void => {
    for (const c of containers) {
      for (const p of c.ports ?? []) {
        if ((p.hostPort ?? 0) <= 0) continue;
        ports ??= [];
        ports.push({ protocol: p.protocol ?? 'TCP', ip: p.hostIP || '0.0.0.0', port: p.hostPort ?? 0 });
      }
    }
  };
  collect(pod.spec?.containers ?? []);
  // An ordinary init container holds its ports only until the others start, so they do not conflict; a sidecar keeps them.
  collect((pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'));
  return ports ?? noPorts;
}

function claimsOf(pod: Pod): readonly string[] {
  let claims: string[] | undefined;
  for (const v of pod.spec?.volumes ?? []) {
    const name =
      v.persistentVolumeClaim?.claimName ?? (v.ephemeral === undefined ? undefined : `${pod.metadata?.name}-${v.name}`);
    if (name !== undefined) (claims ??= []).push(name);
  }
  return claims ?? noClaims;
}
