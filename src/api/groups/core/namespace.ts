import { type FieldError, FieldPath, invalid } from '../../meta/field-error.ts';
import { nameIsDNSLabel } from '../../meta/names.ts';
import { validateFinalizerName, validateStandardFinalizer } from '../../meta/object-meta-validation.ts';
import type { Namespace } from '../../types/core-v1.ts';
import { age, allVerbs, column, groupVersion, standardColumns } from '../define.ts';

const define = groupVersion('', 'v1');
const finalizerPath = new FieldPath('spec.finalizers');

const finalizerFaults = (name: string, path: FieldPath): readonly FieldError[] => [
  ...validateFinalizerName(name, path),
  ...validateStandardFinalizer(name, path),
];

/** Namespaces hold a `kubernetes` finalizer in their spec: the namespace controller takes it off, through `finalize`, when all is gone. */
export const namespace = define<Namespace>({
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
  shortNames: ['ns'],
  verbs: allVerbs.filter((verb) => verb !== 'deletecollection'),
  status: true,
  generation: false,
  subresources: [
    {
      name: 'finalize',
      verbs: ['update'],
      strategy: {
        prepareForUpdate: (object, old) => {
          const { status: _status, ...rest } = object;
          return old.status === undefined ? rest : { ...rest, status: old.status };
        },
      },
      validateUpdate: (object) =>
        (object.spec?.finalizers ?? []).flatMap((name, i) => finalizerFaults(name, finalizerPath.index(i))),
    },
  ],
  defaults: (object) => {
    const name = object.metadata?.name ?? '';
    const labelled =
      name === '' || object.metadata?.labels?.['kubernetes.io/metadata.name'] === name
        ? object
        : {
            ...object,
            metadata: { ...object.metadata, labels: { ...object.metadata?.labels, 'kubernetes.io/metadata.name': name } },
          };
    return labelled.status?.phase === undefined ? { ...labelled, status: { ...labelled.status, phase: 'Active' } } : labelled;
  },
  strategy: {
    prepareForCreate: (object) => {
      const finalizers = object.spec?.finalizers ?? [];
      return {
        ...object,
        spec: { ...object.spec, finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] },
        status: { phase: 'Active' },
      };
    },
    prepareForUpdate: (object, old) => ({
      ...object,
      spec: { ...object.spec, finalizers: old.spec?.finalizers ?? [] },
      ...(old.status === undefined ? {} : { status: old.status }),
    }),
  },
  // Upstream names the list here, and the item in `finalize`.
  validate: (object) => (object.spec?.finalizers ?? []).flatMap((name) => finalizerFaults(name, finalizerPath)),
  validateUpdate: () => [],
  validateStatusUpdate: (object) => {
    const phase = object.status?.phase ?? '';
    if (object.metadata?.deletionTimestamp === undefined) {
      return phase === 'Active' ? [] : [invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty")];
    }
    return phase === 'Terminating'
      ? []
      : [invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
  },
  validateName: nameIsDNSLabel,
  columns: standardColumns(column('Status', 'string', 'The status of the namespace')),
  row: (object, now) => [object.metadata?.name ?? '', object.status?.phase ?? '', age(object.metadata?.creationTimestamp, now)],
  fieldSelectors: { 'status.phase': (object) => object.status?.phase ?? '' },
});
