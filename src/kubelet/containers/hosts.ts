import type { HostAlias, Pod } from '../../api/types/core-v1.ts';

/** Longest host name the kernel takes. */
const MAX_HOSTNAME = 63;

/**
 * The pod's host name and its domain ('' for none); upstream's GeneratePodHostNameAndDomain. `hostnameOverride` (KEP-4762) wins over all.
 * Names beyond 63 characters are cut, dots and dashes at the cut removed.
 */
export function podHostname(pod: Pod, clusterDomain: string): { readonly hostname: string; readonly domain: string } {
  const spec = pod.spec;
  if (spec?.hostnameOverride !== undefined && spec.hostnameOverride !== '')
    return { hostname: spec.hostnameOverride, domain: '' };
  const wanted = spec?.hostname !== undefined && spec.hostname !== '' ? spec.hostname : (pod.metadata?.name ?? '');
  const hostname = wanted.length <= MAX_HOSTNAME ? wanted : wanted.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');
  const domain =
    spec?.subdomain !== undefined && spec.subdomain !== ''
      ? `${spec.subdomain}.${pod.metadata?.namespace ?? 'default'}.svc.${clusterDomain}`
      : '';
  return { hostname, domain };
}

/** What the container sees as its host name: the FQDN when the pod says so (KEP-1797). Throws when that is too long. */
export function nodeHostname(pod: Pod, hostname: string, domain: string): string {
  if (pod.spec?.setHostnameAsFQDN !== true || domain === '') return hostname;
  const fqdn = `${hostname}.${domain}`;
  if (fqdn.length > 64) {
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long (64 characters is the max, ${fqdn.length} characters requested)`,
    );
  }
  return fqdn;
}

/** The text of a pod's own /etc/hosts. */
export function managedHosts(
  ips: readonly string[],
  hostname: string,
  domain: string,
  aliases: readonly HostAlias[] = [],
): string {
  let text =
    '# Kubernetes-managed hosts file.\n' +
    '127.0.0.1\tlocalhost\n' +
    '::1\tlocalhost ip6-localhost ip6-loopback\n' +
    'fe00::0\tip6-localnet\n' +
    'fe00::0\tip6-mcastprefix\n' +
    'fe00::1\tip6-allnodes\n' +
    'fe00::2\tip6-allrouters\n';
  for (const ip of ips) text += domain === '' ? `${ip}\t${hostname}\n` : `${ip}\t${hostname}.${domain}\t${hostname}\n`;
  return text + aliasLines(aliases);
}

/** The text of /etc/hosts of a host-network pod: the node's own, and the aliases. */
export function hostNetworkHosts(nodeHosts: string, aliases: readonly HostAlias[] = []): string {
  return `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${aliasLines(aliases)}`;
}

function aliasLines(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return '';
  return `\n# Entries added by HostAliases.\n${aliases.map((a) => `${a.ip}\t${(a.hostnames ?? []).join('\t')}\n`).join('')}`;
}
