import type { EndpointAddress, EndpointPort, EndpointSubset } from '../../api/types/core-v1.ts';

/** Most addresses one Endpoints object holds; what is over is left out (upstream's maxCapacity). */
export const MAX_ADDRESSES = 1000;

/** One address of one pod, with the ports it serves. */
export interface ReadyAddress {
  readonly address: EndpointAddress;
  readonly ready: boolean;
  readonly ports: readonly EndpointPort[];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const compareAddresses = (a: EndpointAddress, b: EndpointAddress): number =>
  compare(a.ip, b.ip) || compare(a.targetRef?.uid ?? '', b.targetRef?.uid ?? '');

const portKey = (port: EndpointPort): string =>
  JSON.stringify([port.name ?? '', port.port, port.protocol ?? 'TCP', port.appProtocol]);

/**
 * Packs addresses into as few subsets as can be: ports that the very same addresses serve share one. Everything is in a fixed order, so that
 * equal input gives equal output. An address that is given as ready and as not ready for one port is not ready.
 */
export function packSubsets(list: readonly ReadyAddress[]): readonly EndpointSubset[] {
  const byPort = new Map<string, { readonly port: EndpointPort | undefined; readonly addresses: Map<string, ReadyAddress> }>();
  for (const entry of list) {
    const ports = entry.ports.length === 0 ? [undefined] : entry.ports;
    const id = `${entry.address.ip} ${entry.address.targetRef?.uid ?? ''}`;
    for (const port of ports) {
      const key = port === undefined ? '' : portKey(port);
      let group = byPort.get(key);
      if (group === undefined) {
        group = { port, addresses: new Map() };
        byPort.set(key, group);
      }
      const before = group.addresses.get(id);
      if (before === undefined || (before.ready && !entry.ready)) group.addresses.set(id, entry);
    }
  }
  const merged = new Map<string, { readonly ports: EndpointPort[]; readonly addresses: readonly ReadyAddress[] }>();
  for (const { port, addresses } of [...byPort.entries()].sort((a, b) => compare(a[0], b[0])).map(([, group]) => group)) {
    const sorted = [...addresses.values()].sort((a, b) => compareAddresses(a.address, b.address));
    const key = sorted.map(({ address, ready }) => `${address.ip} ${address.targetRef?.uid ?? ''} ${ready}`).join(',');
    let group = merged.get(key);
    if (group === undefined) {
      group = { ports: [], addresses: sorted };
      merged.set(key, group);
    }
    if (port !== undefined) group.ports.push(port);
  }
  return [...merged.values()].map(({ ports, addresses }) => subset(addresses, ports));
}

function subset(addresses: readonly ReadyAddress[], ports: readonly EndpointPort[]): EndpointSubset {
  const ready = addresses.filter((entry) => entry.ready).map((entry) => entry.address);
  const notReady = addresses.filter((entry) => !entry.ready).map((entry) => entry.address);
  return {
    ...(ready.length === 0 ? {} : { addresses: ready }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady }),
    ...(ports.length === 0 ? {} : { ports }),
  };
}

/** How many addresses subsets hold, ready or not. */
export const countAddresses = (subsets: readonly EndpointSubset[]): number =>
  subsets.reduce((sum, { addresses = [], notReadyAddresses = [] }) => sum + addresses.length + notReadyAddresses.length, 0);

/**
 * At most `MAX_ADDRESSES` of the addresses, ready ones before others, each subset in proportion to its size; the same list when there are no more.
 */
export function truncateSubsets(subsets: readonly EndpointSubset[]): readonly EndpointSubset[] {
  if (countAddresses(subsets) <= MAX_ADDRESSES) return subsets;
  const ready = subsets.reduce((sum, { addresses = [] }) => sum + addresses.length, 0);
  const notReady = countAddresses(subsets) - ready;
  const cutsReady = ready > MAX_ADDRESSES;
  const room = cutsReady ? MAX_ADDRESSES : MAX_ADDRESSES - ready;
  const total = cutsReady ? ready : notReady;
  let left = room;
  return subsets.map((entry) => {
    const { addresses = [], notReadyAddresses = [], ...rest } = entry;
    const cut = cutsReady ? addresses : notReadyAddresses;
    const kept = cut.slice(0, Math.min(left, Math.ceil((cut.length / total) * room)));
    left -= kept.length;
    const nextReady = cutsReady ? kept : addresses;
    const nextNotReady = cutsReady ? [] : kept;
    return {
      ...rest,
      ...(nextReady.length === 0 ? {} : { addresses: nextReady }),
      ...(nextNotReady.length === 0 ? {} : { notReadyAddresses: nextNotReady }),
    };
  });
}
