import type { Resource } from '../resource.ts';
import { configMap } from './core/config-map.ts';
import { endpoints } from './core/endpoints.ts';
import { event } from './core/event.ts';
import { namespace } from './core/namespace.ts';
import { secret } from './core/secret.ts';
import { service } from './core/service.ts';
import { serviceAccount } from './core/service-account.ts';

export const coreResources: readonly Resource[] = [configMap, endpoints, event, namespace, secret, service, serviceAccount];
