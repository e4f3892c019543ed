import type { Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointHints, EndpointSlice } from '../../api/types/discovery-v1.ts';

const close: ReadonlySet<string> = new Set(['PreferClose', 'PreferSameZone', 'PreferSameNode']);

/** How a service wants its traffic spread; undefined for no preference. */
export function trafficDistributionOf(service: Service): string | undefined {
  const wanted = service.spec?.trafficDistribution;
  return wanted !== undefined && close.has(wanted) ? wanted : undefined;
}

/** The hints one endpoint should have (KEP-4444, KEP-3015). Those not ready keep what they have. */
function hintsFor(endpoint: Endpoint, distribution: string | undefined): EndpointHints | undefined {
  if (distribution === undefined) return undefined;
  if (endpoint.conditions?.ready !== true) return endpoint.hints;
  const forZones = endpoint.zone === undefined ? undefined : [{ name: endpoint.zone }];
  const forNodes =
    distribution !== 'PreferSameNode' || endpoint.nodeName === undefined ? undefined : [{ name: endpoint.nodeName }];
  if (forZones === undefined && forNodes === undefined) return undefined;
  return { ...(forZones === undefined ? {} : { forZones }), ...(forNodes === undefined ? {} : { forNodes }) };
}

/** The slice with the hints that the distribution asks for; the same object when it has them. */
export function withHints(slice: EndpointSlice, distribution: string | undefined): EndpointSlice {
  let changed = false;
  const endpoints = (slice.endpoints ?? []).map((endpoint) => {
    const hints = hintsFor(endpoint, distribution);
    if (sameHints(hints, endpoint.hints)) return endpoint;
    changed = true;
    const { hints: _, ...rest } = endpoint;
    return hints === undefined ? rest : { ...rest, hints };
  });
  return changed ? { ...slice, endpoints } : slice;
}

function sameHints(a: EndpointHints | undefined, b: EndpointHints | undefined): boolean {
  if (a === b) return true;
  return (a === undefined) === (b === undefined) && sameNames(a?.forZones, b?.forZones) && sameNames(a?.forNodes, b?.forNodes);
}

type Named = { readonly name: string };

function sameNames(a: readonly Named[] = [], b: readonly Named[] = []): boolean {
  return a.length === b.length && a.every(({ name }, i) => name === b[i]!.name);
}
