import { type FieldError, FieldPath, forbidden } from '../meta/field-error.ts';
import { isQualifiedName, nameIsDNSSubdomain } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { Lease } from '../types/coordination-v1.ts';
import { mapField, withFields } from './core/copy-on-change.ts';
import { age, column, groupVersion, standardColumns } from './define.ts';
import { check, nonNegative, positive } from './field-checks.ts';

const define = groupVersion('coordination.k8s.io', 'v1');
const spec = new FieldPath('spec');

function validate(object: Lease): readonly FieldError[] {
  const { leaseDurationSeconds, leaseTransitions, strategy, preferredHolder } = object.spec ?? {};
  const errors: FieldError[] = [
    ...positive(spec.child('leaseDurationSeconds'), leaseDurationSeconds),
    ...nonNegative(spec.child('leaseTransitions'), leaseTransitions),
  ];
  if (strategy !== undefined) errors.push(...check(spec.child('strategy'), strategy, isQualifiedName));
  if (preferredHolder && !strategy) {
    errors.push(forbidden(spec.child('preferredHolder'), 'may only be specified when `strategy` is defined'));
  }
  return errors;
}

/** Coordinated leader election is off by default in this release: leases that take part in it already stay. */
function dropDisabled(object: Lease, old?: Lease): Lease {
  return mapField(object, 'spec', (s) => {
    const kept = old?.spec?.strategy === undefined ? withFields(s, { strategy: undefined }) : s;
    return old?.spec?.preferredHolder === undefined ? withFields(kept, { preferredHolder: undefined }) : kept;
  });
}

const lease = define<Lease>({
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    prepareForCreate: (object) => dropDisabled(object),
    prepareForUpdate: dropDisabled,
  },
  validate,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'Holder',
      'string',
      'holderIdentity contains the identity of the holder of a current lease. If Coordinated Leader Election is used, the holder identity must be equal to the elected LeaseCandidate.metadata.name field.',
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.holderIdentity ?? '',
    age(object.metadata?.creationTimestamp, now),
  ],
});

export const coordinationResources: readonly Resource[] = [lease];
