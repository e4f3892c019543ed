import { type FieldError, invalid, required } from '../../meta/field-error.ts';
import { selectorFromSet } from '../../meta/label-selector.ts';
import { nameIsLongName } from '../../meta/names.ts';
import type { ReplicationController, ReplicationControllerSpec } from '../../types/core-v1.ts';
import { age, ageColumn, column, groupVersion, nameColumn } from '../define.ts';
import { formatLabels, nonNegative } from '../field-checks.ts';
import {
  podNameWarnings,
  replicaScale,
  shownLabels,
  templateWarnings,
  validateCounts,
  validateReplicaCounts,
  validateRunsForever,
  workloadStrategy,
} from '../workload.ts';
import { withFields, withMissing } from './copy-on-change.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { validatePodTemplateSpec, validateSharedDisks } from './pod-validation.ts';
import { containerCells, containersColumn, imagesColumn, selectorColumn } from './template-cells.ts';

const define = groupVersion('', 'v1');

const isEmpty = (map: Readonly<Record<string, string>> | undefined): boolean => Object.keys(map ?? {}).length === 0;

/** A template's labels are the selector and the labels of a controller that has none. */
function defaults(object: ReplicationController): ReplicationController {
  let spec: ReplicationControllerSpec = withMissing(object.spec ?? {}, { replicas: 1 });
  const labels = spec.template?.metadata?.labels;
  if (spec.template !== undefined) spec = withFields(spec, { template: defaultPodTemplate(spec.template) });
  if (labels === undefined) return withFields(object, { spec });
  if (isEmpty(spec.selector)) spec = withFields(spec, { selector: labels });
  const metadata = isEmpty(object.metadata?.labels) ? { ...object.metadata, labels } : object.metadata;
  return withFields(object, { spec, ...(metadata === undefined ? {} : { metadata }) });
}

function validate(object: ReplicationController, old?: ReplicationController): readonly FieldError[] {
  const { minReadySeconds, selector, replicas, template } = object.spec ?? {};
  const errors: FieldError[] = [...nonNegative('spec.minReadySeconds', minReadySeconds)];
  if (isEmpty(selector)) errors.push(required('spec.selector'));
  errors.push(...nonNegative('spec.replicas', replicas));
  if (template === undefined) return [...errors, required('spec.template')];
  const at = 'spec.template';
  if (!isEmpty(selector)) {
    // Taken literally: a selector that no label can fit selects nothing.
    const labels = template.metadata?.labels;
    const selected = Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
    if (!selected) {
      errors.push(invalid(`${at}.metadata.labels`, shownLabels(labels), '`selector` does not match template `labels`'));
    }
  }
  errors.push(...validatePodTemplateSpec(template, at, old?.spec?.template));
  if ((replicas ?? 0) > 1) {
    errors.push(...validateSharedDisks(template.spec?.volumes, old?.spec?.template?.spec?.volumes, `${at}.spec.volumes`));
  }
  return [...errors, ...validateRunsForever(template, `${at}.spec`, 'ReplicationController')];
}

/** The ancestor of ReplicaSets. */
export const replicationController = define<ReplicationController>({
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  storagePrefix: '/registry/controllers',
  namespaced: true,
  shortNames: ['rc'],
  categories: ['all'],
  status: true,
  subresources: [replicaScale<ReplicationController>((object) => selectorFromSet(object.spec?.selector).toString())],
  defaults,
  strategy: workloadStrategy<ReplicationControllerSpec, ReplicationController>({
    specType: 'io.k8s.api.core.v1.ReplicationControllerSpec',
    emptyStatus: { replicas: 0 },
  }),
  validate: (object) => validate(object),
  validateUpdate: (object, old) => validate(object, old),
  validateStatusUpdate: ({ status = { replicas: 0 } }) => [
    ...validateCounts(status, ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration']),
    ...validateReplicaCounts(status, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
  ],
  validateName: nameIsLongName,
  columns: [
    nameColumn,
    column(
      'Desired',
      'integer',
      'Replicas is the number of desired replicas. This is a pointer to distinguish between explicit zero and unspecified. Defaults to 1. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller',
    ),
    column(
      'Current',
      'integer',
      'Replicas is the most recently observed number of replicas. More info: https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller#what-is-a-replicationcontroller',
    ),
    column('Ready', 'integer', 'The number of ready replicas for this replication controller.'),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn(
      'Selector is a label query over pods that should match the Replicas count. If Selector is empty, it is defaulted to the labels present on the Pod template. Label keys and values that must match in order to be controlled by this replication controller, if empty defaulted to labels on Pod template. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors',
    ),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.replicas ?? 0,
    object.status?.replicas ?? 0,
    object.status?.readyReplicas ?? 0,
    age(object.metadata?.creationTimestamp, now),
    ...containerCells(object.spec?.template?.spec?.containers),
    formatLabels(object.spec?.selector),
  ],
  fieldSelectors: { 'status.replicas': (object) => String(object.status?.replicas ?? 0) },
  warnings: (object, old) => [
    ...(old === undefined ? podNameWarnings(object.metadata?.name ?? '') : []),
    ...templateWarnings(object.spec?.template, old?.spec?.template),
  ],
});
