/**
 * Cluster DNS: names of Services and their endpoints under the cluster domain, everything else from upstream.
 * The server reads the cluster through shared informers only; where it listens and under which Service it is reached is the caller's matter.
 */
export { createClusterView } from './cluster-view.ts';
export { createDnsServer, type DnsServer } from './server.ts';
export { createUpstream, parseNameServers } from './upstream.ts';
