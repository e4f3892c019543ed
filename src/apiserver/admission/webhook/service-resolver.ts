import type { Service } from '../../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../../api/types/discovery-v1.ts';
import type { ApiAccess } from '../../contract.ts';
import type { ResolveService } from './client.ts';

const SERVICE_LABEL = 'kubernetes.io/service-name';

/**
 * Finds a ready endpoint of a Service, any of them: the server then needs no Service proxy on its machine (upstream's
 * `--enable-aggregator-routing`).
 */
export function endpointResolver(access: ApiAccess): ResolveService {
  return (namespace, name, port) => {
    const service = access.view<Service>('', 'services')?.get(namespace, name);
    if (service === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
    const { type = 'ClusterIP', externalName, ports = [] } = service.spec ?? {};
    if (type === 'ExternalName') {
      if (!externalName) throw new Error(`unsupported service type ${JSON.stringify(type)}`);
      return { host: externalName, port };
    }
    const wanted = ports.find((p) => p.port === port);
    if (wanted === undefined) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
    const found: { host: string; port: number }[] = [];
    for (const slice of access.view<EndpointSlice>('discovery.k8s.io', 'endpointslices')?.list(namespace) ?? []) {
      if (slice.metadata?.labels?.[SERVICE_LABEL] !== name) continue;
      const target = slice.ports?.find((p) => (p.name ?? '') === (wanted.name ?? ''))?.port;
      if (target === undefined) continue;
      for (const { addresses, conditions } of slice.endpoints ?? []) {
        const host = addresses[0];
        if (host !== undefined && conditions?.ready !== false) found.push({ host, port: target });
      }
    }
    if (found.length === 0) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
    return found[access.random.int(found.length)]!;
  };
}
