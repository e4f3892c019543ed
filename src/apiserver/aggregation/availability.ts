import type { APIService, APIServiceCondition } from '../../api/types/apiregistration-v1.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';

/** What makes an API available or not; upstream's reasons and messages. */
export interface Availability {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

const AVAILABLE = 'Available';
export const DEFAULT_SERVICE_PORT = 443;

export const localAvailability: Availability = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};
export const passedAvailability: Availability = { status: 'True', reason: 'Passed', message: 'all checks passed' };
export const failedCheck = (message: string): Availability => ({ status: 'False', reason: 'FailedDiscoveryCheck', message });

/** Why an API cannot be available, from what is known of its Service; undefined when it has to be asked. */
export function obstacle(
  api: APIService,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): Availability | undefined {
  const { name = '', namespace = '', port = DEFAULT_SERVICE_PORT } = api.spec?.service ?? {};
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const no = (reason: string, message: string): Availability => ({ status: 'False', reason, message });
  if (service === undefined) return no('ServiceNotFound', `${where} is not present`);
  if ((service.spec?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const wanted = service.spec?.ports?.find((p) => p.port === port);
  if (wanted === undefined) return no('ServicePortError', `${where} is not listening on port ${port}`);
  if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
  const portName = wanted.name ?? '';
  const serves = (slice: EndpointSlice): boolean =>
    (slice.endpoints ?? []).some((e) => e.conditions?.ready !== false) &&
    (slice.ports ?? []).some((p) => (p.name ?? '') === portName && p.port !== undefined);
  if (slices.some(serves)) return undefined;
  return no('MissingEndpoints', `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`);
}

export const isAvailable = (api: APIService): boolean =>
  api.status?.conditions?.some((c) => c.type === AVAILABLE && c.status === 'True') === true;

/** The API with its condition; the same object when nothing changes. `now` as an API time. */
export function withAvailability(api: APIService, { status, reason, message }: Availability, now: string): APIService {
  const conditions = api.status?.conditions ?? [];
  const before = conditions.find((c) => c.type === AVAILABLE);
  if (before?.status === status && before.reason === reason && before.message === message) return api;
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : now;
  const next: APIServiceCondition = {
    type: AVAILABLE,
    status,
    reason,
    message,
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
  };
  const others = conditions.filter((c) => c.type !== AVAILABLE);
  return { ...api, status: { ...api.status, conditions: [...others, next] } };
}
