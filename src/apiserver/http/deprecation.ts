import type { Resource } from '../../api/resource.ts';

/** Types that are still served and should not be used any more (their APILifecycleDeprecated in k8s.io/api). */
const deprecated: Readonly<Record<string, { readonly since: string; readonly use?: string }>> = {
  'v1 ComponentStatus': { since: 'v1.19' },
  'v1 Endpoints': { since: 'v1.33', use: 'discovery.k8s.io/v1 EndpointSlice' },
};

/** The text of the Warning header that every request for a type gets; undefined for those that are well. */
export function deprecationWarning({ group, version, kind }: Resource): string | undefined {
  if (group !== '') return undefined;
  const name = `${version} ${kind}`;
  const found = deprecated[name];
  if (found === undefined) return undefined;
  return `${name} is deprecated in ${found.since}+${found.use === undefined ? '' : `; use ${found.use}`}`;
}
