import { createHash } from 'node:crypto';
import { apiVersionOf } from '../../api/meta/object.ts';
import type { Resource, Subresource } from '../../api/resource.ts';
import type { RemoteVersion } from '../aggregation/contract.ts';
import { builtinPriority } from '../aggregation/priorities.ts';
import type { VirtualResource } from '../contract.ts';
import { isCustom } from '../rest/endpoint.ts';
import type { Registry } from '../rest/registry.ts';
import type { Shown, ShownSubresource } from './shown.ts';

/** A group with its versions, best first. */
interface Group {
  readonly name: string;
  readonly priority: number;
  readonly versions: readonly GroupVersion[];
}

interface GroupVersion {
  readonly version: string;
  readonly priority: number;
  readonly types: readonly Shown[];
  /** Another server serves it, and did not answer lately. */
  readonly stale: boolean;
  readonly remote: boolean;
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

  constructor(registry: Registry, addresses: readonly ServerAddress[], remote: readonly RemoteVersion[] = []) {
    this.#groups = collect(registry, remote);
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
      freshness: v.stale ? 'Stale' : 'Current',
      ...(v.types.length === 0
        ? {}
        : {
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
          }),
    })),
  };
}

function collect(registry: Registry, remote: readonly RemoteVersion[]): readonly Group[] {
  const groups = new Map<string, { priority: number; versions: Map<string, GroupVersion & { types: Shown[] }> }>();
  const at = (group: string, version: string): GroupVersion & { types: Shown[] } => {
    const priority = builtinPriority(group, version);
    let known = groups.get(group);
    if (known === undefined) groups.set(group, (known = { priority: priority.group, versions: new Map() }));
    let found = known.versions.get(version);
    if (found === undefined) {
      found = { version, priority: priority.version, types: [], stale: false, remote: false };
      known.versions.set(version, found);
    }
    return found;
  };
  const builtin = new Set<string>();
  for (const resource of registry.resources()) if (!isCustom(resource)) builtin.add(apiVersionOf(resource));
  for (const resource of registry.resources()) {
    // Definitions add no type to a version that upstream has itself.
    if (isCustom(resource) && builtin.has(apiVersionOf(resource))) continue;
    at(resource.group, resource.version).types.push(fromResource(resource));
  }
  for (const virtual of registry.virtuals()) at(virtual.group, virtual.version).types.push(fromVirtual(virtual));
  for (const { group, version, priority, types, stale } of remote) {
    at(group, version);
    const known = groups.get(group)!;
    // A group that is only elsewhere stands where its owner wants it.
    const local = [...known.versions.values()].some((v) => !v.remote && v.types.length > 0);
    if (!local) known.priority = Math.max(known.versions.size > 1 ? known.priority : 0, priority.group);
    known.versions.set(version, { version, priority: priority.version, types: [...types], stale, remote: true });
  }
  return [...groups]
    .map(([name, { priority, versions }]) => ({
      name,
      priority,
      versions: [...versions.values()]
        .map((v) => ({ ...v, types: v.types.sort((a, b) => (a.plural < b.plural ? -1 : 1)) }))
        .sort((a, b) => b.priority - a.priority || compareVersions(a.version, b.version)),
    }))
    .sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
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
    // Those of custom resources come as upstream lists them: status, then scale.
    subresources: !isCustom(resource) ? known.sort((a, b) => (a.name < b.name ? -1 : 1)) : known,
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
