import { formatTime } from '../../api/meta/time.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { IPAddress, ServiceCIDR } from '../../api/types/networking-v1.ts';
import type { Store } from '../../store/contract.ts';
import type { ApiServer } from '../server.ts';
import { newAddress } from './address-object.ts';
import { type AddressWriter, Allocations, type AllocationViews, DEFAULT_CIDR } from './allocations.ts';
import type { PortRange } from './ranges.ts';
import { Repair } from './repair.ts';
import type { ServiceGuard } from './service-guard.ts';

const NETWORKING = { group: 'networking.k8s.io', version: 'v1' };

export interface ServiceAddressOptions {
  readonly store: Store;
  /** One range, or one of each family; the first is the default family's. */
  readonly cidrs: readonly string[];
  readonly ports: PortRange;
}

/**
 * Has a server's Services get addresses and node ports: makes the default ServiceCIDR, tells the guard what it may hand out, and puts right
 * what is not as the Services say. Resolves when Services can be written.
 */
export async function addServiceAddresses(server: ApiServer, guard: ServiceGuard, options: ServiceAddressOptions): Promise<void> {
  const views = viewsOf(server);
  const { store, cidrs, ports } = options;
  const { clock, random, logger } = server.access;
  const keepDefault = (): Promise<void> => {
    const conditions = [
      {
        type: 'Ready',
        status: 'True',
        lastTransitionTime: formatTime(clock.now()),
        reason: '',
        message: 'Kubernetes default Service CIDR is ready',
      },
    ];
    const object = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: DEFAULT_CIDR },
      spec: { cidrs },
      status: { conditions },
    };
    return server.access.seed({ ...NETWORKING, resource: 'servicecidrs' }, [object], 'kube-apiserver');
  };
  const found = views.cidrs.get('', DEFAULT_CIDR)?.spec?.cidrs;
  if (found === undefined) await keepDefault();
  else if (found.join() !== cidrs.join()) {
    logger.warn(
      { configured: cidrs, found },
      'the default ServiceCIDR is not what this server is configured for; it stays as it is',
    );
  }
  views.cidrs.watch(({ type, object }) => {
    if (type !== 'deleted' || object.metadata?.name !== DEFAULT_CIDR) return;
    keepDefault().catch((err: unknown) => logger.error({ err }, 'the default ServiceCIDR could not be made again'));
  }, server.shutdown);

  const allocations = new Allocations(views, writerOf(server), ports, random, server.shutdown);
  guard.start(allocations);
  await new Repair({ store, views, allocations, clock, logger }).start(server.shutdown);
}

function viewsOf({ access }: ApiServer): AllocationViews {
  const services = access.view<Service>('', 'services');
  const cidrs = access.view<ServiceCIDR>(NETWORKING.group, 'servicecidrs');
  const addresses = access.view<IPAddress>(NETWORKING.group, 'ipaddresses');
  if (services === undefined || cidrs === undefined || addresses === undefined)
    throw new Error('Services need ServiceCIDRs and IPAddresses');
  return { services, cidrs, addresses };
}

function writerOf({ registry, access }: ApiServer): AddressWriter {
  const endpoint = registry.find(NETWORKING.group, NETWORKING.version, 'ipaddresses')!;
  const prefix = endpoint.keyPrefix('');
  return {
    key: (address) => endpoint.key('', address),
    addressOf: (key) => (key.startsWith(prefix) ? key.slice(prefix.length) : undefined),
    encode: (address, family, service) =>
      endpoint.stored.codec.encode(newAddress(address, family, service, access.random.uuid(), formatTime(access.clock.now()))),
  };
}
