import type { Node } from '../api/types/core-v1.ts';

/** A way to another node's pods. */
export interface Route {
  readonly cidr: string;
  readonly via: string;
}

/** The routes a node needs: one for each other node that has pods' addresses and an address of its own. Sorted by CIDR. */
export function wantedRoutes(nodes: readonly Node[], self: string): readonly Route[] {
  return nodes
    .filter((node) => node.metadata?.name !== self)
    .flatMap((node) => {
      const via = node.status?.addresses?.find((a) => a.type === 'InternalIP' && !a.address.includes(':'))?.address;
      return via === undefined ? [] : (node.spec?.podCIDRs ?? []).filter((c) => !c.includes(':')).map((cidr) => ({ cidr, via }));
    })
    .sort((a, b) => (a.cidr < b.cidr ? -1 : 1));
}

/** What to add (or replace) and what to take away to come from `have` to `want`. */
export function routeChanges(
  have: readonly Route[],
  want: readonly Route[],
): { readonly replace: readonly Route[]; readonly remove: readonly Route[] } {
  const held = new Map(have.map((r) => [r.cidr, r.via]));
  const wanted = new Set(want.map((r) => r.cidr));
  return { replace: want.filter((r) => held.get(r.cidr) !== r.via), remove: have.filter((r) => !wanted.has(r.cidr)) };
}
