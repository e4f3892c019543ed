import { duplicate, type FieldError, FieldPath } from '../meta/field-error.ts';
import { validateLabels } from '../meta/label-selector-validation.ts';
import { isDNS1123Label, nameIsDNSSubdomain } from '../meta/names.ts';
import type { Resource } from '../resource.ts';
import type { RuntimeClass } from '../types/node-v1.ts';
import { deprecatedNodeLabel } from './core/deprecated-node-labels.ts';
import { validateTolerations } from './core/pod-validation/scheduling.ts';
import { containerResourceNameFaults, quantityFaults } from './core/resource-faults.ts';
import { age, column, groupVersion, standardColumns } from './define.ts';
import { checkRequired, immutable } from './field-checks.ts';

const define = groupVersion('node.k8s.io', 'v1');

function schedulingFaults(object: RuntimeClass): readonly FieldError[] {
  const { nodeSelector, tolerations = [] } = object.scheduling ?? {};
  const path = new FieldPath('scheduling');
  const errors: FieldError[] = nodeSelector === undefined ? [] : [...validateLabels(nodeSelector, path.child('nodeSelector'))];
  // The path is upstream's.
  validateTolerations(tolerations, 'scheduling.tolerations', errors);
  const seen = new Set<string>();
  tolerations.forEach(({ key = '', operator = '', value = '', effect = '', tolerationSeconds = null }, i) => {
    const id = JSON.stringify([key, operator, value, effect]);
    const shown = { Key: key, Operator: operator, Value: value, Effect: effect, TolerationSeconds: tolerationSeconds };
    if (seen.has(id)) errors.push(duplicate(path.child('tolerations').index(i), shown));
    seen.add(id);
  });
  return errors;
}

function validate(object: RuntimeClass): readonly FieldError[] {
  const overhead = new FieldPath('overhead.limits');
  return [
    ...checkRequired('handler', object.handler, isDNS1123Label),
    ...Object.entries(object.overhead?.podFixed ?? {}).flatMap(([name, amount]) => [
      ...containerResourceNameFaults(overhead.key(name), name),
      ...quantityFaults(overhead.key(name), name, amount),
    ]),
    ...schedulingFaults(object),
  ];
}

const runtimeClass = define<RuntimeClass>({
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  namespaced: false,
  strategy: { allowUnconditionalUpdate: false },
  validate,
  validateUpdate: (object, old) => immutable('handler', object.handler ?? '', old.handler ?? ''),
  validateName: nameIsDNSSubdomain,
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
      const message = deprecatedNodeLabel(key);
      return message === undefined ? [] : [`scheduling.nodeSelector: ${message}`];
    }),
  columns: standardColumns(column('Handler', 'string', '')),
  row: (object, now) => [object.metadata?.name ?? '', object.handler ?? '', age(object.metadata?.creationTimestamp, now)],
});

export const nodeResources: readonly Resource[] = [runtimeClass];
