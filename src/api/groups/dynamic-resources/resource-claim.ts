import { type FieldError, invalid } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimStatus,
  ResourceClaimTemplate,
} from '../../types/resource-v1.ts';
import { mapField, mapListField, withFields, withMissing } from '../core/copy-on-change.ts';
import type { Errors } from '../core/pod-validation/options.ts';
import { validateTemplateMetadata } from '../core/pod-validation/volume-claim-template.ts';
import { age, column, deepEqual, groupVersion, keptByStatus, standardColumns } from '../define.ts';
import { allocatedDeviceId, validateClaimStatusUpdate } from './claim-status-validation.ts';
import { validateDeviceClaim } from './claim-validation.ts';

const define = groupVersion('resource.k8s.io', 'v1');

function defaultRequest<T extends ExactDeviceRequest | DeviceSubRequest>(request: T): T {
  let result: ExactDeviceRequest | DeviceSubRequest = withMissing<ExactDeviceRequest | DeviceSubRequest>(request, {
    allocationMode: 'ExactCount',
  });
  if (result.allocationMode === 'ExactCount' && !result.count) result = { ...result, count: 1 };
  return mapListField(result, 'tolerations', defaultToleration) as T;
}

const defaultToleration = (toleration: DeviceToleration): DeviceToleration => withMissing(toleration, { operator: 'Equal' });

/** Devices that were allocated carry the tolerations of their request. */
const defaultStatus = (status: ResourceClaimStatus): ResourceClaimStatus =>
  mapField(status, 'allocation', (allocation) =>
    mapField(allocation, 'devices', (devices) =>
      mapListField(devices, 'results', (result) => mapListField(result, 'tolerations', defaultToleration)),
    ),
  );

const defaultSpec = (spec: ResourceClaimSpec): ResourceClaimSpec =>
  mapField(spec, 'devices', (devices) =>
    mapListField(devices, 'requests', (request) =>
      mapListField(mapField(request, 'exactly', defaultRequest), 'firstAvailable', defaultRequest),
    ),
  );

function validateSpec(spec: ResourceClaimSpec | undefined, at: string): readonly FieldError[] {
  const errors: Errors = [];
  validateDeviceClaim(spec?.devices, `${at}.devices`, errors);
  return errors;
}

/** A spec that was made for one allocation stays; its parts are not looked at again. */
const unchangedSpec = (spec: unknown, old: unknown): readonly FieldError[] =>
  deepEqual(spec, old) ? [] : [invalid('spec', spec, 'field is immutable')];

/** What is known of devices goes with their allocation. */
function withoutDeallocated(claim: ResourceClaim, old: ResourceClaim): ResourceClaim {
  const devices = claim.status?.devices;
  if (devices === undefined) return claim;
  const ids = (c: ResourceClaim): ReadonlySet<string> => new Set(c.status?.allocation?.devices?.results?.map(allocatedDeviceId));
  const now = ids(claim);
  const gone = [...ids(old)].filter((id) => !now.has(id));
  const kept = devices.filter((device) => !gone.includes(allocatedDeviceId(device)));
  if (kept.length === devices.length) return claim;
  return { ...claim, status: withFields(claim.status ?? {}, { devices: kept.length === 0 ? undefined : kept }) };
}

function stateCell({ metadata, status }: ResourceClaim): string {
  const states: string[] = [];
  const deleted = metadata?.deletionTimestamp !== undefined;
  if (deleted) states.push('deleted');
  if (status?.allocation !== undefined) {
    states.push('allocated');
    if (status.reservedFor?.length) states.push('reserved');
  } else if (!deleted) states.push('pending');
  return states.join(',');
}

/** A pod's, or several pods', claim to devices. */
export const resourceClaim = define<ResourceClaim>({
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  namespaced: true,
  status: true,
  statusKeeps: keptByStatus,
  generation: false,
  emptyStatus: {},
  defaults: (object) => mapField(mapField(object, 'spec', defaultSpec), 'status', defaultStatus),
  prepareStatusUpdate: withoutDeallocated,
  validate: (object) => validateSpec(object.spec, 'spec'),
  validateUpdate: (object, old) => unchangedSpec(object.spec, old.spec),
  validateStatusUpdate: validateClaimStatusUpdate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(column('State', 'string', 'A summary of the current state (allocated, pending, reserved, etc.).')),
  row: (object, now) => [object.metadata?.name ?? '', stateCell(object), age(object.metadata?.creationTimestamp, now)],
});

/** A template after which each pod gets a claim of its own. */
export const resourceClaimTemplate = define<ResourceClaimTemplate>({
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  namespaced: true,
  defaults: (object) => mapField(object, 'spec', (template) => mapField(template, 'spec', defaultSpec)),
  validate: ({ spec }) => {
    const errors: Errors = [];
    validateTemplateMetadata(spec?.metadata ?? {}, 'spec.metadata', errors);
    return [...errors, ...validateSpec(spec?.spec, 'spec.spec')];
  },
  validateUpdate: (object, old) => unchangedSpec(object.spec, old.spec),
  validateName: nameIsDNSSubdomain,
});
