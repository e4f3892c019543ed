import { spawn } from 'node:child_process';
import type { ServicePort } from './service-ports.ts';

/** A UDP flow that the kernel remembers by destination: packets of it keep going where they went, whatever the rules say now. */
export interface StaleFlow {
  /** Where clients sent it: the Service's address. */
  readonly originalIp: string;
  readonly originalPort: number;
  /** The endpoint it was sent on to; undefined: flows that found no endpoint at all. */
  readonly endpointIp: string | undefined;
}

/**
 * UDP flows to forget when the Services change from `before` to `after`: those to endpoints that are gone, and those of Services that have
 * endpoints now and had none. (TCP ends by itself: the endpoint's reset or a time-out.)
 */
export function staleUdpFlows(before: readonly ServicePort[], after: readonly ServicePort[]): readonly StaleFlow[] {
  const now = new Map(after.map((s) => [flowKey(s), s]));
  const flows: StaleFlow[] = [];
  for (const old of before) {
    if (old.protocol !== 'udp') continue;
    const current = now.get(flowKey(old));
    const kept = new Set([...(current?.internal ?? []), ...(current?.external ?? [])].map((e) => `${e.ip}:${e.port}`));
    const gone = [...old.internal, ...old.external].filter((e) => !kept.has(`${e.ip}:${e.port}`));
    const addresses = [...old.clusterIps, ...old.externalIps, ...old.loadBalancerIps];
    for (const originalIp of addresses) {
      for (const endpointIp of new Set(gone.map((e) => e.ip))) flows.push({ originalIp, originalPort: old.port, endpointIp });
      const appeared = old.internal.length === 0 && (current?.internal.length ?? 0) > 0;
      if (appeared) flows.push({ originalIp, originalPort: old.port, endpointIp: undefined });
    }
  }
  return flows;
}

const flowKey = (s: ServicePort): string => `${s.name}/${s.protocol}/${s.port}`;

/** Makes the kernel forget flows. Resolves false when the conntrack command is not installed. */
export async function forgetFlows(flows: readonly StaleFlow[]): Promise<boolean> {
  for (const flow of flows) {
    const args = ['-D', '-p', 'udp', '--orig-dst', flow.originalIp, '--orig-port-dst', String(flow.originalPort)];
    if (flow.endpointIp !== undefined) args.push('--dst-nat', flow.endpointIp);
    if (!(await runConntrack(args))) return false;
  }
  return true;
}

function runConntrack(args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('conntrack', args, { stdio: 'ignore' });
    child.on('error', () => resolve(false));
    // Exit code 1 is also "no flow matched", which is as good.
    child.on('close', () => resolve(true));
  });
}
