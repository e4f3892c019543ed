import type { Pod } from '../../api/types/core-v1.ts';
import { isHostNetwork } from '../pods/pod-spec.ts';

/** What a resolv.conf holds. */
export interface ResolvConf {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** The node's part of a pod's DNS. */
export interface DnsOptions {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** The host's resolv.conf, as text; '' for none. */
  readonly hostResolvConf: string;
}

/** Limits of glibc and of the kubelet's own validation. */
const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;
const DEFAULT_OPTIONS: readonly string[] = ['ndots:5'];

export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (line.trimStart().startsWith('#') || line.trimStart().startsWith(';')) continue;
    if (fields[0] === 'nameserver' && fields[1] !== undefined) servers.push(fields[1]);
    else if (fields[0] === 'search') searches = fields.slice(1).map((s) => (s === '.' ? s : s.replace(/\.$/, '')));
    else if (fields[0] === 'options') options = fields.slice(1);
  }
  return { servers, searches, options };
}

/**
 * The DNS configuration of a pod (network/dns Configurer.GetPodDNS). `warnings` are messages for DNSConfigForming and
 * MissingClusterDNS events.
 */
export function podDns(
  pod: Pod,
  options: DnsOptions,
): { readonly config: ResolvConf; readonly warnings: readonly { readonly reason: string; readonly message: string }[] } {
  const warnings: { reason: string; message: string }[] = [];
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  const namespace = pod.metadata?.namespace ?? 'default';
  const host = parseResolvConf(options.hostResolvConf);
  let config: ResolvConf;
  const clusterFirst = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !isHostNetwork(pod));
  if (policy === 'None') {
    config = { servers: [], searches: [], options: [] };
  } else if (clusterFirst && options.clusterDns.length > 0) {
    const domain = options.clusterDomain;
    const cluster = domain === '' ? [] : [`${namespace}.svc.${domain}`, `svc.${domain}`, domain];
    config = { servers: options.clusterDns, searches: unique([...cluster, ...host.searches]), options: DEFAULT_OPTIONS };
  } else {
    if (clusterFirst) {
      warnings.push({
        reason: 'MissingClusterDNS',
        message: `pod: ${JSON.stringify(`${pod.metadata?.name}_${namespace}(${pod.metadata?.uid})`)}. kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.`,
      });
    }
    config = host.servers.length === 0 && host.searches.length === 0 ? { ...host, servers: ['127.0.0.1'] } : host;
  }
  const own = pod.spec?.dnsConfig;
  if (own !== undefined) {
    config = {
      servers: unique([...config.servers, ...(own.nameservers ?? [])]),
      searches: unique([...config.searches, ...(own.searches ?? [])]),
      options: mergeOptions(config.options, own.options ?? []),
    };
  }
  if (config.servers.length > MAX_SERVERS) {
    const kept = config.servers.slice(0, MAX_SERVERS);
    warnings.push({
      reason: 'DNSConfigForming',
      message: `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${kept.join(' ')}`,
    });
    config = { ...config, servers: kept };
  }
  let searches = config.searches.slice(0, MAX_SEARCHES);
  while (searches.join(' ').length > MAX_SEARCH_CHARACTERS) searches = searches.slice(0, -1);
  if (searches.length < config.searches.length) {
    warnings.push({
      reason: 'DNSConfigForming',
      message: `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    });
    config = { ...config, searches };
  }
  return { config, warnings };
}

const unique = (list: readonly string[]): readonly string[] => [...new Set(list)];

function mergeOptions(
  base: readonly string[],
  own: readonly { readonly name?: string; readonly value?: string }[],
): readonly string[] {
  const merged = new Map<string, string>();
  for (const option of base) merged.set(option.split(':')[0]!, option);
  for (const { name = '', value } of own) merged.set(name, value === undefined || value === '' ? name : `${name}:${value}`);
  return [...merged.values()];
}
