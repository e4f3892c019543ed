// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { ListMeta, ObjectMeta } from './meta-v1.ts';

export interface APIGroupDiscovery {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly versions?: readonly APIVersionDiscovery[];
}

export interface APIGroupDiscoveryList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly APIGroupDiscovery[];
  readonly metadata?: ListMeta;
}

export interface APIResourceDiscovery {
  readonly categories?: readonly string[];
  readonly resource: string;
  readonly responseKind?: unknown;
  readonly scope: ResourceScope;
  readonly shortNames?: readonly string[];
  readonly singularResource: string;
  readonly subresources?: readonly APISubresourceDiscovery[];
  readonly verbs: readonly string[];
}

export interface APISubresourceDiscovery {
  readonly acceptedTypes?: readonly unknown[];
  readonly responseKind?: unknown;
  readonly subresource: string;
  readonly verbs: readonly string[];
}

export interface APIVersionDiscovery {
  readonly freshness?: DiscoveryFreshness;
  readonly resources?: readonly APIResourceDiscovery[];
  readonly version: string;
}

export type DiscoveryFreshness = string;

export type ResourceScope = string;
