import type { FieldError } from '../../meta/field-error.ts';
import { formatLabelSelector } from '../../meta/label-selector.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { ReplicaSet, ReplicaSetSpec } from '../../types/apps-v1.ts';
import type { PodTemplateSpec } from '../../types/core-v1.ts';
import type { LabelSelector } from '../../types/meta-v1.ts';
import { withFields, withMissing } from '../core/copy-on-change.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { validatePodTemplateSpec, validateSharedDisks } from '../core/pod-validation.ts';
import { containerCells, containersColumn, imagesColumn, selectorCell, selectorColumn } from '../core/template-cells.ts';
import { age, ageColumn, column, groupVersion, nameColumn } from '../define.ts';
import { immutable, nonNegative } from '../field-checks.ts';
import {
  isEmptySelector,
  podNameWarnings,
  replicaScale,
  templateWarnings,
  validateCounts,
  validateReplicaCounts,
  validateRequiredSelector,
  validateRunsForever,
  validateSelected,
  workloadStrategy,
} from '../workload.ts';

const define = groupVersion('apps', 'v1');
const noSpec: ReplicaSetSpec = Object.freeze({});

/**
 * The template of a ReplicaSet or Deployment (ValidatePodTemplateSpecForReplicaSet): selected by its selector, and of pods that run
 * forever.
 */
export function validateReplicatedTemplate(
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
  replicas: number,
  old: PodTemplateSpec | undefined,
): readonly FieldError[] {
  const at = 'spec.template';
  const errors: FieldError[] = [];
  // A selector that is not there selects nothing.
  if (selector === undefined || !isEmptySelector(selector)) {
    errors.push(...validateSelected(selector, template.metadata?.labels, `${at}.metadata.labels`));
  }
  errors.push(...validatePodTemplateSpec(template, at, old));
  if (replicas > 1) {
    errors.push(...validateSharedDisks(template.spec?.volumes, old?.spec?.volumes, `${at}.spec.volumes`));
  }
  return [...errors, ...validateRunsForever(template, `${at}.spec`, 'ReplicaSet')];
}

function validate(object: ReplicaSet, old?: ReplicaSet): readonly FieldError[] {
  const { replicas, minReadySeconds, selector, template } = object.spec ?? noSpec;
  return [
    ...nonNegative('spec.replicas', replicas),
    ...nonNegative('spec.minReadySeconds', minReadySeconds),
    // The word is upstream's.
    ...validateRequiredSelector(selector, 'spec.selector', 'deployment'),
    ...validateReplicatedTemplate(template ?? {}, selector, replicas ?? 0, old?.spec?.template),
  ];
}

export const replicaSet = define<ReplicaSet>({
  kind: 'ReplicaSet',
  plural: 'replicasets',
  namespaced: true,
  shortNames: ['rs'],
  categories: ['all'],
  status: true,
  subresources: [replicaScale<ReplicaSet>((object) => formatLabelSelector(object.spec?.selector))],
  defaults: (object) => {
    const spec = withMissing(object.spec ?? noSpec, { replicas: 1 });
    return withFields(object, { spec: withFields(spec, { template: defaultPodTemplate(spec.template ?? {}) }) });
  },
  strategy: workloadStrategy<ReplicaSetSpec, ReplicaSet>({
    specType: 'io.k8s.api.apps.v1.ReplicaSetSpec',
    emptyStatus: { replicas: 0 },
  }),
  validate: (object) => validate(object),
  validateUpdate: (object, old) => [
    ...validate(object, old),
    ...immutable('spec.selector', object.spec?.selector, old.spec?.selector),
  ],
  validateStatusUpdate: ({ status = { replicas: 0 } }) => [
    ...validateCounts(status, [
      'replicas',
      'fullyLabeledReplicas',
      'readyReplicas',
      'availableReplicas',
      'terminatingReplicas',
      'observedGeneration',
    ]),
    ...validateReplicaCounts(status, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
  ],
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column(
      'Desired',
      'integer',
      'Replicas is the number of desired pods. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset',
    ),
    column(
      'Current',
      'integer',
      'Replicas is the most recently observed number of non-terminating pods. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset',
    ),
    column('Ready', 'integer', 'The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.'),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn(
      "Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.replicas ?? 0,
    object.status?.replicas ?? 0,
    object.status?.readyReplicas ?? 0,
    age(object.metadata?.creationTimestamp, now),
    ...containerCells(object.spec?.template?.spec?.containers),
    selectorCell(object.spec?.selector),
  ],
  warnings: (object, old) => [
    ...(old === undefined ? podNameWarnings(object.metadata?.name ?? '') : []),
    ...templateWarnings(object.spec?.template, old?.spec?.template),
  ],
});
