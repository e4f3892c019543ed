import { badRequest } from '../../api/meta/status.ts';
import type { Node } from '../../api/types/core-v1.ts';

/** Where the kubelet of a node listens. */
export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
}

/** Upstream's port, for nodes that do not tell theirs. */
export const DEFAULT_KUBELET_PORT = 10_250;

/** Which of a node's addresses is called, best first: kubeadm's choice, then the others in upstream's order. */
export const preferredAddressTypes: readonly string[] = ['InternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS', 'ExternalIP'];

/** The address of a node's kubelet. Throws upstream's error when it has none of the preferred types. */
export function kubeletAddress(node: Node, preferred: readonly string[] = preferredAddressTypes): KubeletAddress {
  const addresses = node.status?.addresses ?? [];
  for (const type of preferred) {
    const found = addresses.find((a) => a.type === type);
    if (found !== undefined) {
      return { host: found.address, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port || DEFAULT_KUBELET_PORT };
    }
  }
  const known = addresses.map((a) => `{${a.type} ${a.address}}`).join(' ');
  throw new Error(`no preferred addresses found; known addresses: [${known}]`);
}

/** `name`, `name:port` or `scheme:name:port`, as proxy URLs name what they mean. */
export interface SchemeNamePort {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** Upstream's SplitSchemeNamePort. Throws a 400 that calls it an invalid `what` request. */
export function splitSchemeNamePort(id: string, what: string): SchemeNamePort {
  const parts = id.split(':');
  const [scheme, name, port] =
    parts.length === 1
      ? ['', parts[0]!, '']
      : parts.length === 2
        ? ['', parts[0]!, parts[1]!]
        : (parts as [string, string, string]);
  if (parts.length > 3 || name === '' || !['', 'http', 'https'].includes(scheme)) {
    throw badRequest(`invalid ${what} request ${JSON.stringify(id)}`);
  }
  return { scheme, name, port };
}
