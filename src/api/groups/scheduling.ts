import { type FieldError, forbidden, notSupported, required } from '../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { PriorityClass } from '../types/scheduling-v1.ts';
import { age, column, groupVersion, standardColumns } from './define.ts';
import { immutable } from './field-checks.ts';

const define = groupVersion('scheduling.k8s.io', 'v1');

/** The greatest value that users may give. */
export const highestUserPriority = 1_000_000_000;

/** Classes that every cluster has, with their values; nobody else may use their prefix. */
export const systemPriorities: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function systemFault(object: PriorityClass, name: string): string | undefined {
  const value = systemPriorities[name];
  if (value === undefined) return `${name} is not a known system priority class`;
  if (object.value !== value) return `value of ${name} PriorityClass must be ${value}`;
  return object.globalDefault === true ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

function validate(object: PriorityClass): readonly FieldError[] {
  const name = object.metadata?.name ?? '';
  const errors: FieldError[] = [];
  if (name.startsWith('system-')) {
    const fault = systemFault(object, name);
    const detail = "priority class names with 'system-' prefix are reserved for system use only. error: ";
    if (fault !== undefined) errors.push(forbidden('metadata.name', detail + fault));
  } else if ((object.value ?? 0) > highestUserPriority) {
    errors.push(forbidden('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`));
  }
  const known = ['PreemptLowerPriority', 'Never'];
  if ((object.preemptionPolicy as string | undefined) === '') errors.push(required('preemptionPolicy'));
  else if (object.preemptionPolicy !== undefined && !known.includes(object.preemptionPolicy)) {
    errors.push(notSupported('preemptionPolicy', object.preemptionPolicy, known));
  }
  return errors;
}

const priorityClass = define<PriorityClass>({
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  namespaced: false,
  shortNames: ['pc'],
  generation: true,
  defaults: (object) => {
    if (object.preemptionPolicy !== undefined && object.value !== undefined) return object;
    return { ...object, value: object.value ?? 0, preemptionPolicy: object.preemptionPolicy ?? 'PreemptLowerPriority' };
  },
  strategy: { prepareForUpdate: (object) => object },
  validate,
  validateUpdate: (object, old) => [
    // Upstream spells this path with a capital.
    ...((object.value ?? 0) === (old.value ?? 0) ? [] : [forbidden('Value', 'may not be changed in an update.')]),
    ...immutable('preemptionPolicy', object.preemptionPolicy, old.preemptionPolicy),
  ],
  validateName: nameIsDNSSubdomain,
  columns: [
    ...standardColumns(
      column(
        'Value',
        'integer',
        'value represents the integer value of this priority class. This is the actual priority that pods receive when they have the name of this class in their pod spec.',
      ),
      column(
        'Global-Default',
        'boolean',
        'globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do not have any priority class. Only one PriorityClass can be marked as `globalDefault`. However, if more than one PriorityClasses exists with their `globalDefault` field set to true, the smallest value of such global default PriorityClasses will be used as the default priority.',
      ),
    ),
    column(
      'PreemptionPolicy',
      'string',
      'preemptionPolicy is the Policy for preempting pods with lower priority. One of Never, PreemptLowerPriority. Defaults to PreemptLowerPriority if unset.',
    ),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.value ?? 0,
    object.globalDefault ?? false,
    age(object.metadata?.creationTimestamp, now),
    object.preemptionPolicy ?? '',
  ],
});

export const schedulingResources: readonly Resource[] = [priorityClass];
