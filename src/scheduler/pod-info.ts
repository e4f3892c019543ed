import { type LabelSelector, selectorFromObject } from '../api/meta/label-selector.ts';
import { milliValue, quantityValue } from '../api/meta/quantity.ts';
import type { Container, Pod, PodAffinityTerm, ResourceRequirements, Toleration } from '../api/types/core-v1.ts';

/** Amounts of resources. CPU in thousandths of a core, memory and ephemeral storage in bytes; other resources by name. */
export interface Resources {
  readonly milliCpu: number;
  readonly memory: number;
  readonly ephemeralStorage: number;
  readonly scalars: ReadonlyMap<string, number>;
}

/** A port that a pod holds on its node. */
export interface HostPort {
  readonly protocol: string;
  readonly ip: string;
  readonly port: number;
}

/** An affinity term with its selectors compiled. */
export interface AffinityTerm {
  readonly namespaces: ReadonlySet<string>;
  /** Selects namespaces by label; undefined: only `namespaces` count. */
  readonly namespaceSelector: LabelSelector | undefined;
  readonly selector: LabelSelector;
  readonly topologyKey: string;
  readonly weight: number;
}

/** A pod with what the scheduler asks of it again and again, computed once. */
export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly requests: Resources;
  /** Requests with upstream's assumption for containers that ask for nothing (100m, 200Mi): for scores only. */
  readonly nonZero: { readonly milliCpu: number; readonly memory: number };
  readonly hostPorts: readonly HostPort[];
  readonly tolerations: readonly Toleration[];
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
  readonly priority: number;
}

const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;
const noTerms: readonly AffinityTerm[] = [];
const noScalars: ReadonlyMap<string, number> = new Map();

export function podInfo(pod: Pod): PodInfo {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  const affinity = pod.spec?.affinity?.podAffinity;
  const anti = pod.spec?.affinity?.podAntiAffinity;
  const weighted = (
    terms: readonly { readonly weight: number; readonly podAffinityTerm: PodAffinityTerm }[] | undefined,
  ): readonly AffinityTerm[] =>
    terms === undefined ? noTerms : terms.map((t) => affinityTerm(t.podAffinityTerm, pod, t.weight));
  const plain = (terms: readonly PodAffinityTerm[] | undefined): readonly AffinityTerm[] =>
    terms === undefined ? noTerms : terms.map((t) => affinityTerm(t, pod, 0));
  return {
    pod,
    uid,
    key: `${namespace}/${name}`,
    requests: podRequests(pod, (c) => c.resources),
    nonZero: nonZeroRequests(pod),
    hostPorts: hostPortsOf(pod),
    tolerations: pod.spec?.tolerations ?? [],
    requiredAffinity: plain(affinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: plain(anti?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: weighted(affinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: weighted(anti?.preferredDuringSchedulingIgnoredDuringExecution),
    priority: pod.spec?.priority ?? 0,
  };
}

function affinityTerm(term: PodAffinityTerm, pod: Pod, weight: number): AffinityTerm {
  const listed = term.namespaces ?? [];
  const own = listed.length === 0 && term.namespaceSelector === undefined ? [pod.metadata?.namespace ?? ''] : listed;
  const labels = pod.metadata?.labels ?? {};
  // matchLabelKeys (KEP-3633): the values of these labels of the incoming pod are part of the selector.
  const matched = (term.matchLabelKeys ?? [])
    .filter((k) => labels[k] !== undefined)
    .map((key) => ({ key, operator: 'In', values: [labels[key]!] }));
  const mismatched = (term.mismatchLabelKeys ?? [])
    .filter((k) => labels[k] !== undefined)
    .map((key) => ({ key, operator: 'NotIn', values: [labels[key]!] }));
  const extra = [...matched, ...mismatched];
  const object =
    extra.length === 0
      ? term.labelSelector
      : { ...term.labelSelector, matchExpressions: [...(term.labelSelector?.matchExpressions ?? []), ...extra] };
  return {
    namespaces: new Set(own),
    namespaceSelector: term.namespaceSelector === undefined ? undefined : selectorFromObject(term.namespaceSelector),
    selector: selectorFromObject(object),
    topologyKey: term.topologyKey,
    weight,
  };
}

/** Whether a term of one pod is about another pod. `namespaceLabels` gives the labels of a namespace. */
export function termMatches(
  term: AffinityTerm,
  pod: Pod,
  namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined,
): boolean {
  const namespace = pod.metadata?.namespace ?? '';
  if (!term.namespaces.has(namespace)) {
    if (term.namespaceSelector === undefined || !term.namespaceSelector.matches(namespaceLabels(namespace) ?? {})) return false;
  }
  return term.selector.matches(pod.metadata?.labels ?? {});
}

/** Names that are not counted as scalar resources. */
const nativeResources = new Set(['cpu', 'memory', 'ephemeral-storage', 'pods']);

/**
 * What a pod asks for (component-helpers resource.PodRequests): the containers together with restartable init containers, or the largest init
 * container with the sidecars started before it, plus overhead. Pod-level resources take the place of the sum where they are set (KEP-2837).
 */
export function podRequests(pod: Pod, resourcesOf: (container: Container) => ResourceRequirements | undefined): Resources {
  const names = new Set<string>();
  const requestOf = (c: Container): Readonly<Record<string, string>> => resourcesOf(c)?.requests ?? {};
  const containers = pod.spec?.containers ?? [];
  const inits = pod.spec?.initContainers ?? [];
  for (const c of [...containers, ...inits]) for (const name in requestOf(c)) names.add(name);
  const overhead = pod.spec?.overhead ?? {};
  for (const name in overhead) names.add(name);
  const level = pod.spec?.resources?.requests ?? {};
  for (const name in level) names.add(name);
  const totals = new Map<string, number>();
  for (const name of names) {
    const amount = (list: Readonly<Record<string, string>>): number =>
      name === 'cpu' ? milliValue(list[name]) : quantityValue(list[name]);
    let running = 0;
    for (const c of containers) running += amount(requestOf(c));
    let sidecars = 0;
    let peak = 0;
    for (const c of inits) {
      const own = amount(requestOf(c));
      if (c.restartPolicy === 'Always') {
        sidecars += own;
        peak = Math.max(peak, sidecars);
      } else peak = Math.max(peak, sidecars + own);
    }
    const sum = level[name] === undefined ? Math.max(running + sidecars, peak) : amount(level);
    totals.set(name, sum + amount(overhead));
  }
  const scalars = new Map([...totals].filter(([name]) => !nativeResources.has(name)));
  return {
    milliCpu: totals.get('cpu') ?? 0,
    memory: totals.get('memory') ?? 0,
    ephemeralStorage: totals.get('ephemeral-storage') ?? 0,
    scalars: scalars.size === 0 ? noScalars : scalars,
  };
}

function nonZeroRequests(pod: Pod): PodInfo['nonZero'] {
  const withDefaults = (c: Container): ResourceRequirements => {
    const requests = c.resources?.requests ?? {};
    return { requests: { cpu: `${DEFAULT_MILLI_CPU}m`, memory: String(DEFAULT_MEMORY), ...requests } };
  };
  const { milliCpu, memory } = podRequests(pod, withDefaults);
  return { milliCpu, memory };
}

function hostPortsOf(pod: Pod): readonly HostPort[] {
  const containers = [
    ...(pod.spec?.containers ?? []),
    ...(pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'),
  ];
  return containers.flatMap((c) =>
    (c.ports ?? [])
      .filter((p) => (p.hostPort ?? 0) > 0)
      .map((p) => ({ protocol: p.protocol ?? 'TCP', ip: p.hostIP || '0.0.0.0', port: p.hostPort ?? 0 })),
  );
}
