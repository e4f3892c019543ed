import { parseApiVersion } from '../api/meta/object.ts';
import type { APIGroupList, APIResourceList } from '../api/types/meta-v1.ts';
import type { Client, ResourceRef } from '../client/contract.ts';

/** A type the API server serves, with what may be done to it. */
export interface DiscoveredResource extends ResourceRef {
  readonly verbs: readonly string[];
}

export interface Discovery {
  readonly resources: readonly DiscoveredResource[];
  /** Group versions that did not answer, and why; what they serve is unknown. */
  readonly failed: ReadonlyMap<string, Error>;
}

/** Every type the server serves, each once: in its group's preferred version, or another when that does not have it. */
export async function discoverResources(client: Client, signal?: AbortSignal): Promise<Discovery> {
  const groups = (await client.raw('/apis', signal)) as APIGroupList;
  const versions: (readonly string[])[] = [['v1']];
  for (const group of groups.groups) {
    const preferred = group.preferredVersion?.groupVersion;
    const all = group.versions.map((version) => version.groupVersion);
    versions.push(preferred === undefined ? all : [preferred, ...all.filter((version) => version !== preferred)]);
  }
  const failed = new Map<string, Error>();
  const perGroup = await Promise.all(
    versions.map((group) =>
      Promise.all(
        group.map(async (groupVersion) => {
          try {
            return await resourcesOf(client, groupVersion, signal);
          } catch (err) {
            failed.set(groupVersion, err instanceof Error ? err : new Error(String(err)));
            return [];
          }
        }),
      ),
    ),
  );
  return { resources: perGroup.flatMap(firstOfEach), failed };
}

/** In the order of preference, the first version of each plural. */
function firstOfEach(versions: readonly (readonly DiscoveredResource[])[]): readonly DiscoveredResource[] {
  const chosen = new Map<string, DiscoveredResource>();
  for (const resources of versions) for (const r of resources) if (!chosen.has(r.plural)) chosen.set(r.plural, r);
  return [...chosen.values()];
}

async function resourcesOf(client: Client, groupVersion: string, signal?: AbortSignal): Promise<readonly DiscoveredResource[]> {
  const { group, version } = parseApiVersion(groupVersion);
  const path = group === '' ? `/api/${version}` : `/apis/${groupVersion}`;
  const list = (await client.raw(path, signal)) as APIResourceList;
  return list.resources
    .filter((resource) => !resource.name.includes('/'))
    .map((resource) => ({
      group,
      version,
      kind: resource.kind,
      plural: resource.name,
      namespaced: resource.namespaced,
      verbs: resource.verbs as readonly string[],
    }));
}
