import type { Service } from '../../api/types/core-v1.ts';

/** Services of this namespace are every pod's, whatever its enableServiceLinks. */
const MASTER_NAMESPACE = 'default';
const MASTER_SERVICE = 'kubernetes';

/**
 * The variables that tell a container about the services (kubelet.getServiceEnvVarMap, envvars.FromServices): `NAME_SERVICE_HOST`,
 * `NAME_SERVICE_PORT` and the ones Docker links had. Without `links` only those of `default/kubernetes`.
 */
export function serviceEnvironment(services: readonly Service[], namespace: string, links: boolean): ReadonlyMap<string, string> {
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const ip = service.spec?.clusterIP;
    if (ip === undefined || ip === '' || ip === 'None') continue;
    const name = service.metadata?.name ?? '';
    if (service.metadata?.namespace === MASTER_NAMESPACE && name === MASTER_SERVICE) {
      if (!chosen.has(name)) chosen.set(name, service);
    } else if (service.metadata?.namespace === namespace && links) {
      chosen.set(name, service);
    }
  }
  const out = new Map<string, string>();
  for (const [name, service] of chosen) addService(out, name, service);
  return out;
}

const envName = (text: string): string => text.replaceAll('-', '_').toUpperCase();
const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

function addService(out: Map<string, string>, name: string, service: Service): void {
  const prefix = envName(name);
  const ip = service.spec?.clusterIP ?? '';
  const ports = service.spec?.ports ?? [];
  const first = ports[0];
  out.set(`${prefix}_SERVICE_HOST`, ip);
  if (first === undefined) return;
  out.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const port of ports) {
    if (port.name !== undefined && port.name !== '') out.set(`${prefix}_SERVICE_PORT_${envName(port.name)}`, String(port.port));
  }
  for (const [i, port] of ports.entries()) {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${hostPort(ip, port.port)}`;
    if (i === 0) out.set(`${prefix}_PORT`, url);
    const portPrefix = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
    out.set(portPrefix, url);
    out.set(`${portPrefix}_PROTO`, protocol.toLowerCase());
    out.set(`${portPrefix}_PORT`, String(port.port));
    out.set(`${portPrefix}_ADDR`, ip);
  }
}
