import { createHash } from 'node:crypto';
import type { Verb } from '../../api/request.ts';
import type { Shown } from '../discovery/shown.ts';
import type { OpenApiV2Part } from './contract.ts';

/** One entry of an APIResourceList. */
interface ApiResource {
  readonly name?: string;
  readonly singularName?: string;
  readonly namespaced?: boolean;
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
  readonly verbs?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly storageVersionHash?: string;
}

/** The types that an APIResourceList names; entries that make no sense are left out. Throws when it is none. */
export function typesOf(list: unknown, group: string, version: string): readonly Shown[] {
  const { resources } = (list ?? {}) as { readonly resources?: unknown };
  if (!Array.isArray(resources)) throw new Error('the answer is no APIResourceList');
  const entries = (resources as readonly ApiResource[]).filter((r) => typeof r?.name === 'string' && typeof r.kind === 'string');
  const kindOf = (r: ApiResource) => ({ group: r.group || group, version: r.version || version, kind: r.kind! });
  return entries
    .filter((r) => !r.name!.includes('/'))
    .map((r) => ({
      ...kindOf(r),
      plural: r.name!,
      singular: r.singularName ?? '',
      namespaced: r.namespaced === true,
      verbs: (r.verbs ?? []) as readonly Verb[],
      shortNames: r.shortNames ?? [],
      categories: r.categories ?? [],
      storageHash: r.storageVersionHash ?? '',
      subresources: entries
        .filter((s) => s.name!.startsWith(`${r.name!}/`))
        .map((s) => ({ name: s.name!.slice(r.name!.length + 1), verbs: s.verbs ?? [], kind: kindOf(s) })),
    }));
}

/** What a server's `/openapi/v2` says of one group version: its paths, and every definition and parameter. */
export function openApiV2Part(document: unknown, group: string, version: string): OpenApiV2Part {
  const { paths, definitions, parameters } = (document ?? {}) as Partial<OpenApiV2Part>;
  const prefix = `/apis/${group}/${version}/`;
  const own = Object.entries(paths ?? {}).filter(([path]) => path.startsWith(prefix));
  return { paths: Object.fromEntries(own), definitions: definitions ?? {}, parameters: parameters ?? {} };
}

/** The hash under which a server's `/openapi/v3` lists a path; undefined when it does not. */
export function openApiV3Hash(index: unknown, path: string): string | undefined {
  const { paths } = (index ?? {}) as { readonly paths?: Readonly<Record<string, { readonly serverRelativeURL?: string }>> };
  const url = paths?.[path]?.serverRelativeURL;
  if (typeof url !== 'string') return undefined;
  return new URL(url, 'https://remote').searchParams.get('hash') ?? createHash('sha512').update(url).digest('hex').toUpperCase();
}
