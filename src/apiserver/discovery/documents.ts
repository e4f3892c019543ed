import { createHash } from 'node:crypto';
import { apiVersionOf } from '../../api/meta/object.ts';
import type { Verb } from '../../api/request.ts';
import type { Resource, Subresource } from '../../api/resource.ts';
import type { VirtualResource } from '../contract.ts';
import type { Registry } from '../rest/registry.ts';

/** One type as discovery shows it: stored or virtual. */
interface Shown {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly ShownSubresource[];
  readonly storageHash: string;
}

interface ShownSubresource {
  readonly name: string;
  readonly verbs: readonly string[];
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
}

/** A group with its versions, best first. */
interface Group {
  readonly name: string;
  readonly versions: readonly { readonly version: string; readonly types: readonly Shown[] }[];
}

/** Where clients of the legacy documents are told to go. */
export interface ServerAddress {
  readonly clientCIDR: string;
  readonly serverAddress: string;
}

const sorted = (list: readonly string[]): string[] => [...list].sort();

/** The discovery documents of what is served. Made anew after a change; JSON text is kept. */
export class DiscoveryDocuments {
  readonly #groups: readonly Group[];
  readonly #addresses: readonly ServerAddress[];

  constructor(registry: Registry, addresses: readonly ServerAddress[]) {
    this.#groups = collect(registry);
    this.#addresses = addresses;
  }

  /** `/api`. */
  coreVersions(): object {
    const core = this.#groups.find((g) => g.name === '');
    return {
      kind: 'APIVersions',
      versions: core?.versions.map((v) => v.version) ?? [],
      serverAddressByClientCIDRs: this.#addresses,
    };
  }

  /** `/apis`. */
  groupList(): object {
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: this.#groups.filter((g) => g.name !== '').map(groupDocument),
    };
  }

  /** `/apis/G`. */
  group(name: string): object | undefined {
    const group = this.#groups.find((g) => g.name === name);
    return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) };
  }

  /** `/api/v1`, `/apis/G/V`. */
  resourceList(group: string, version: string): object | undefined {
    const types = this.#groups.find((g) => g.name === group)?.versions.find((v) => v.version === version)?.types;
    if (types === undefined) return undefined;
    return {
      kind: 'APIResourceList',
      ...(group === '' ? {} : { apiVersion: 'v1' }),
      groupVersion: apiVersionOf({ group, version }),
      resources: types.flatMap(resourceEntries),
    };
  }

  /** `/api` or `/apis` as an APIGroupDiscoveryList. */
  aggregated(core: boolean, version: string): object {
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: this.#groups.filter((g) => (g.name === '') === core).map(aggregatedGroup),
    };
  }

  /** Group versions as paths: `/api/v1`, `/apis/apps/v1`, and the groups' own. */
  paths(): string[] {
    const out: string[] = [];
    for (const { name, versions } of this.#groups) {
      const base = name === '' ? '/api' : `/apis/${name}`;
      out.push(base, ...versions.map((v) => `${base}/${v.version}`));
    }
    return out;
  }
}

function groupDocument(group: Group): object {
  const versions = group.versions.map((v) => ({
    groupVersion: apiVersionOf({ group: group.name, version: v.version }),
    version: v.version,
  }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

function resourceEntries(type: Shown): object[] {
  const main = {
    name: type.plural,
    singularName: type.singular,
    namespaced: type.namespaced,
    kind: type.kind,
    verbs: sorted(type.verbs),
    ...(type.shortNames.length === 0 ? {} : { shortNames: type.shortNames }),
    ...(type.categories.length === 0 ? {} : { categories: type.categories }),
    ...(type.storageHash === '' ? {} : { storageVersionHash: type.storageHash }),
  };
  const subresources = type.subresources.map((s) => ({
    name: `${type.plural}/${s.name}`,
    singularName: '',
    namespaced: type.namespaced,
    ...(s.kind.group === type.group && s.kind.version === type.version ? {} : { group: s.kind.group, version: s.kind.version }),
    kind: s.kind.kind,
    verbs: sorted(s.verbs),
  }));
  return [main, ...subresources];
}

function aggregatedGroup(group: Group): object {
  return {
    metadata: { name: group.name },
    versions: group.versions.map((v) => ({
      version: v.version,
      freshness: 'Current',
      resources: v.types.map((t) => ({
        resource: t.plural,
        responseKind: { group: t.group, version: t.version, kind: t.kind },
        scope: t.namespaced ? 'Namespaced' : 'Cluster',
        singularResource: t.singular,
        verbs: sorted(t.verbs),
        ...(t.shortNames.length === 0 ? {} : { shortNames: t.shortNames }),
        ...(t.categories.length === 0 ? {} : { categories: t.categories }),
        ...(t.subresources.length === 0
          ? {}
          : {
              subresources: t.subresources.map((s) => ({
                subresource: s.name,
                responseKind: s.kind,
                verbs: sorted(s.verbs),
              })),
            }),
      })),
    })),
  };
}

function collect(registry: Registry): readonly Group[] {
  const groups = new Map<string, Map<string, Shown[]>>();
  const add = (type: Shown): void => {
    let versions = groups.get(type.group);
    if (versions === undefined) groups.set(type.group, (versions = new Map()));
    const types = versions.get(type.version);
    if (types === undefined) versions.set(type.version, [type]);
    else types.push(type);
  };
  for (const resource of registry.resources()) add(fromResource(resource));
  for (const virtual of registry.virtuals()) add(fromVirtual(virtual));
  return [...groups]
    .map(([name, versions]) => ({
      name,
      versions: [...versions]
        .map(([version, types]) => ({ version, types: types.sort((a, b) => (a.plural < b.plural ? -1 : 1)) }))
        .sort((a, b) => compareVersions(a.version, b.version)),
    }))
    .sort((a, b) => groupRank(a.name) - groupRank(b.name) || (a.name < b.name ? -1 : 1));
}

function fromResource(resource: Resource): Shown {
  const { group, version, kind, plural } = resource;
  const own = { group, version, kind };
  const known = Object.values(resource.subresources).map(
    (s: Subresource): ShownSubresource => ({ name: s.name, verbs: s.verbs, kind: s.kind ?? own }),
  );
  return {
    ...own,
    plural,
    singular: resource.singular,
    namespaced: resource.namespaced,
    verbs: resource.verbs,
    shortNames: resource.shortNames,
    categories: resource.categories,
    subresources: known.sort((a, b) => (a.name < b.name ? -1 : 1)),
    storageHash: createHash('sha256')
      .update(`${resource.storage.group}/${resource.storage.version}/${kind}`)
      .digest()
      .subarray(0, 8)
      .toString('base64'),
  };
}

function fromVirtual(virtual: VirtualResource): Shown {
  const { group, version, kind, plural, singular, namespaced, verbs } = virtual;
  return {
    group,
    version,
    kind,
    plural,
    singular,
    namespaced,
    verbs,
    shortNames: [],
    categories: [],
    subresources: [],
    storageHash: '',
  };
}

/** Groups in the order kube-apiserver prefers them; it decides what `kubectl get events` means. */
const rankedGroups = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

function groupRank(name: string): number {
  const rank = rankedGroups.indexOf(name);
  return rank < 0 ? rankedGroups.length : rank;
}

/** Kubernetes version order, best first: v2, v1, v1beta2, v1beta1, v1alpha1, then anything else by name (CRD documentation, "version priority"). */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a);
  const y = parseVersion(b);
  if (x === undefined || y === undefined) return x === y ? (a < b ? -1 : a > b ? 1 : 0) : x === undefined ? 1 : -1;
  return y.stability - x.stability || y.major - x.major || y.minor - x.minor;
}

function parseVersion(text: string): { readonly major: number; readonly stability: number; readonly minor: number } | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
  if (match === null) return undefined;
  return {
    major: Number(match[1]),
    stability: match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0,
    minor: Number(match[3] ?? 0),
  };
}
