import type { Resource } from '../resource.ts';
import { ingress, ingressClass } from './networking/ingress.ts';
import { networkPolicy } from './networking/network-policy.ts';
import { ipAddress, serviceCIDR } from './networking/service-addresses.ts';

export const networkingResources: readonly Resource[] = [ingressClass, ingress, ipAddress, networkPolicy, serviceCIDR];
