// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.
import type { ObjectReference, Protocol } from './core-v1.ts';
import type { ListMeta, ObjectMeta } from './meta-v1.ts';

export type AddressType = string;

export interface Endpoint {
  readonly addresses: readonly string[];
  readonly conditions?: EndpointConditions;
  readonly deprecatedTopology?: Readonly<Record<string, string>>;
  readonly hints?: EndpointHints;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: ObjectReference;
  readonly zone?: string;
}

export interface EndpointConditions {
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}

export interface EndpointHints {
  readonly forNodes?: readonly ForNode[];
  readonly forZones?: readonly ForZone[];
}

export interface EndpointPort {
  readonly appProtocol?: string;
  readonly name?: string;
  readonly port?: number;
  readonly protocol?: Protocol;
}

export interface EndpointSlice {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly addressType: AddressType;
  readonly endpoints?: readonly Endpoint[];
  readonly metadata?: ObjectMeta;
  readonly ports?: readonly EndpointPort[];
}

export interface EndpointSliceList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly EndpointSlice[];
  readonly metadata?: ListMeta;
}

export interface ForNode {
  readonly name: string;
}

export interface ForZone {
  readonly name: string;
}
