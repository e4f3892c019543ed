import { duplicate, type FieldError, FieldPath, invalid, notSupported, required } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { CSIDriver, TokenRequest } from '../../types/storage-v1.ts';
import { tokenSeconds } from '../authentication.ts';
import { age, column, deepEqual, groupVersion, standardColumns, withGeneration } from '../define.ts';
import { immutable, positive } from '../field-checks.ts';

const define = groupVersion('storage.k8s.io', 'v1');
const spec = new FieldPath('spec');

const defaultSpec = {
  attachRequired: true,
  fsGroupPolicy: 'ReadWriteOnceWithFSType',
  podInfoOnMount: false,
  requiresRepublish: false,
  seLinuxMount: false,
  storageCapacity: false,
} as const;

function tokenFaults(requests: readonly TokenRequest[]): readonly FieldError[] {
  return requests.flatMap(({ audience = '', expirationSeconds: seconds }, i) => {
    const path = spec.child('tokenRequests').index(i);
    if (requests.findIndex((r) => (r.audience ?? '') === audience) < i) return [duplicate(path.child('audience'), audience)];
    if (seconds === undefined) return [];
    const at = path.child('expirationSeconds');
    if (seconds < tokenSeconds.least) return [invalid(at, seconds, 'may not specify a duration less than 10 minutes')];
    if (seconds > tokenSeconds.most) return [invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds')];
    return [];
  });
}

function validate(object: CSIDriver): readonly FieldError[] {
  const s = object.spec ?? {};
  const errors: FieldError[] = [];
  // Upstream's path for attachRequired has this spelling.
  if (s.attachRequired === undefined) errors.push(required(spec.child('attachedRequired')));
  for (const field of ['podInfoOnMount', 'storageCapacity'] as const) {
    if (s[field] === undefined) errors.push(required(spec.child(field)));
  }
  const policies = ['File', 'None', 'ReadWriteOnceWithFSType'];
  if (s.fsGroupPolicy !== undefined && !policies.includes(s.fsGroupPolicy)) {
    errors.push(notSupported(spec.child('fsGroupPolicy'), s.fsGroupPolicy, policies));
  }
  errors.push(...tokenFaults(s.tokenRequests ?? []));
  for (const mode of s.volumeLifecycleModes ?? []) {
    if (mode !== 'Persistent' && mode !== 'Ephemeral') {
      errors.push(notSupported(spec.child('volumeLifecycleModes'), mode, ['Persistent', 'Ephemeral']));
    }
  }
  if (s.seLinuxMount === undefined) errors.push(required(spec.child('seLinuxMount')));
  const period = s.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < 10) {
    const at = spec.child('nodeAllocatableUpdatePeriodSeconds');
    errors.push(...(period <= 0 ? positive(at, period) : [invalid(at, period, 'must be greater than or equal to 10 seconds')]));
  }
  return errors;
}

export const csiDriver = define<CSIDriver>({
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  defaults: (object) => {
    const modes = object.spec?.volumeLifecycleModes ?? [];
    return {
      ...object,
      spec: { ...defaultSpec, ...object.spec, volumeLifecycleModes: modes.length === 0 ? ['Persistent'] : modes },
    };
  },
  strategy: {
    allowUnconditionalUpdate: false,
    prepareForUpdate: (object, old) => {
      const before = old.metadata?.generation ?? 0;
      return deepEqual(object.spec, old.spec) ? object : withGeneration(object, before + 1);
    },
  },
  validate,
  validateUpdate: (object, old) => [
    ...validate(object),
    ...immutable(spec.child('attachedRequired'), object.spec?.attachRequired, old.spec?.attachRequired),
    ...immutable(spec.child('volumeLifecycleModes'), object.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes),
  ],
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column('AttachRequired', 'boolean', 'Whether volumes must be attached to a node before they are mounted.'),
    column('PodInfoOnMount', 'boolean', 'Whether the driver is told of the pod when it mounts.'),
    column('StorageCapacity', 'boolean', 'Whether the scheduler heeds the capacity that the driver publishes.'),
    column('TokenRequests', 'string', 'The audiences of the tokens that the driver is given.'),
    column('RequiresRepublish', 'boolean', 'Whether the driver wants to be called again now and then.'),
    column('Modes', 'string', 'The kinds of volumes that the driver offers.'),
  ),
  row: (object, now) => {
    const s = object.spec ?? {};
    return [
      object.metadata?.name ?? '',
      s.attachRequired ?? true,
      s.podInfoOnMount ?? false,
      s.storageCapacity ?? false,
      s.tokenRequests === undefined ? '<unset>' : s.tokenRequests.map((r) => r.audience ?? '').join(','),
      s.requiresRepublish ?? false,
      (s.volumeLifecycleModes ?? []).join(',') || '<none>',
      age(object.metadata?.creationTimestamp, now),
    ];
  },
});
