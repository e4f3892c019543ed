/** `resource.k8s.io`: devices, and claims to them (dynamic resource allocation, KEP-4381). */
import type { Resource } from '../resource.ts';
import { deviceClass } from './dynamic-resources/device-class.ts';
import { resourceClaim, resourceClaimTemplate } from './dynamic-resources/resource-claim.ts';
import { resourceSlice } from './dynamic-resources/resource-slice.ts';

export const dynamicResources: readonly Resource[] = [deviceClass, resourceClaim, resourceClaimTemplate, resourceSlice];
