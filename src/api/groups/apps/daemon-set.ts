import { type FieldError, invalid, notSupported, required } from '../../meta/field-error.ts';
import { validateLabelSelector } from '../../meta/label-selector-validation.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy } from '../../types/apps-v1.ts';
import { withFields, withMissing, withUnset } from '../core/copy-on-change.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { validatePodTemplateSpec, validateSharedDisks } from '../core/pod-validation.ts';
import { containerCells, containersColumn, imagesColumn, selectorCell, selectorColumn } from '../core/template-cells.ts';
import { age, ageColumn, column, groupVersion, nameColumn } from '../define.ts';
import { formatLabels, immutable, nonNegative } from '../field-checks.ts';
import { semanticEqual } from '../semantic-equal.ts';
import {
  isEmptySelector,
  isZeroOf,
  templateWarnings,
  validateAtMostAll,
  validateCollisionCount,
  validateCounts,
  validateIntOrPercent,
  validateRunsForever,
  validateSelected,
  workloadStrategy,
} from '../workload.ts';

const define = groupVersion('apps', 'v1');
const noSpec: DaemonSetSpec = Object.freeze({ template: {} });
const noStatus: DaemonSetStatus = Object.freeze({
  currentNumberScheduled: 0,
  numberMisscheduled: 0,
  desiredNumberScheduled: 0,
  numberReady: 0,
});

/** What extensions/v1beta1 had as a field: how often the template has changed. Its controller still counts by it. */
export const templateGenerationAnnotation = 'deprecated.daemonset.template.generation';

const templateGeneration = (object: DaemonSet): number => {
  const generation = Number(object.metadata?.annotations?.[templateGenerationAnnotation]);
  return Number.isInteger(generation) ? generation : 0;
};

const withTemplateGeneration = (object: DaemonSet, generation: number): DaemonSet => {
  const annotations = object.metadata?.annotations;
  if (annotations?.[templateGenerationAnnotation] === String(generation)) return object;
  return {
    ...object,
    metadata: { ...object.metadata, annotations: { ...annotations, [templateGenerationAnnotation]: String(generation) } },
  };
};

function defaults(object: DaemonSet): DaemonSet {
  const spec = withMissing(object.spec ?? noSpec, { updateStrategy: {}, revisionHistoryLimit: 10 });
  return withFields(object, {
    spec: withFields(spec, {
      template: defaultPodTemplate(spec.template ?? {}),
      updateStrategy: defaultStrategy(spec.updateStrategy ?? {}),
    }),
  });
}

function defaultStrategy(strategy: DaemonSetUpdateStrategy): DaemonSetUpdateStrategy {
  const typed = withMissing(strategy, { type: 'RollingUpdate' });
  if (typed.type !== 'RollingUpdate') return typed;
  return withFields(typed, { rollingUpdate: withUnset(typed.rollingUpdate ?? {}, { maxUnavailable: 1, maxSurge: 0 }) });
}

function validate(object: DaemonSet, old?: DaemonSet): readonly FieldError[] {
  const spec = object.spec ?? noSpec;
  const template = spec.template ?? {};
  const { selector } = spec;
  const errors: FieldError[] = [...validateLabelSelector(selector, 'spec.selector')];
  errors.push(...validateSelected(selector, template.metadata?.labels, 'spec.template.metadata.labels'));
  if (selector !== undefined && isEmptySelector(selector)) {
    errors.push(invalid('spec.selector', selector, 'empty selector is invalid for daemonset'));
  }
  errors.push(
    ...validatePodTemplateSpec(template, 'spec.template', old?.spec?.template),
    ...validateSharedDisks(template.spec?.volumes, old?.spec?.template?.spec?.volumes, 'spec.template.spec.volumes'),
    ...validateRunsForever(template, 'spec.template.spec', 'DaemonSet'),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.templateGeneration', templateGeneration(object)),
    ...validateStrategy(spec.updateStrategy ?? {}),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  );
  return errors;
}

function validateStrategy(strategy: DaemonSetUpdateStrategy): readonly FieldError[] {
  const { type, rollingUpdate } = strategy;
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate') return [notSupported('spec.updateStrategy', strategy, ['RollingUpdate', 'OnDelete'])];
  if (rollingUpdate === undefined) return [required('spec.updateStrategy.rollingUpdate')];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const at = 'spec.updateStrategy.rollingUpdate';
  const errors: FieldError[] = [
    ...validateIntOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...validateIntOrPercent(maxSurge, `${at}.maxSurge`),
    ...validateAtMostAll(maxUnavailable, `${at}.maxUnavailable`),
    ...validateAtMostAll(maxSurge, `${at}.maxSurge`),
  ];
  // Either the old pod goes first or the new one comes first; both at once would be neither.
  const hasUnavailable = !isZeroOf(maxUnavailable);
  const hasSurge = !isZeroOf(maxSurge);
  if (hasUnavailable && hasSurge) {
    errors.push(invalid(`${at}.maxSurge`, maxSurge ?? 0, 'may not be set when maxUnavailable is non-zero'));
  } else if (!hasUnavailable && !hasSurge) {
    errors.push(required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  }
  return errors;
}

export const daemonSet = define<DaemonSet>({
  kind: 'DaemonSet',
  plural: 'daemonsets',
  namespaced: true,
  shortNames: ['ds'],
  categories: ['all'],
  status: true,
  defaults,
  strategy: workloadStrategy<DaemonSetSpec, DaemonSet>({
    specType: 'io.k8s.api.apps.v1.DaemonSetSpec',
    emptyStatus: noStatus,
    onCreate: (object) => withTemplateGeneration(object, Math.max(1, templateGeneration(object))),
    onUpdate: (object, old) => {
      const before = templateGeneration(old);
      const same = semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', object.spec?.template, old.spec?.template);
      return withTemplateGeneration(object, same ? before : before + 1);
    },
  }),
  validate: (object) => validate(object),
  validateUpdate: (object, old) => [
    ...validate(object, old),
    ...immutable('spec.selector', object.spec?.selector, old.spec?.selector),
  ],
  validateStatusUpdate: ({ status = noStatus }, old) => [
    ...validateCounts(status, [
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'observedGeneration',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
      'collisionCount',
    ]),
    ...validateCollisionCount(status.collisionCount, old.status?.collisionCount),
  ],
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column(
      'Desired',
      'integer',
      'The total number of nodes that should be running the daemon pod (including nodes correctly running the daemon pod). More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/',
    ),
    column(
      'Current',
      'integer',
      'The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod. More info: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/',
    ),
    column(
      'Ready',
      'integer',
      'numberReady is the number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.',
    ),
    column('Up-to-date', 'integer', 'The total number of nodes that are running updated daemon pod'),
    column(
      'Available',
      'integer',
      'The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available (ready for at least spec.minReadySeconds)',
    ),
    column(
      'Node Selector',
      'string',
      "NodeSelector is a selector which must be true for the pod to fit on a node. Selector which must match a node's labels for the pod to be scheduled on that node. More info: https://kubernetes.io/docs/concepts/configuration/assign-pod-node/",
    ),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn(
      "A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors",
    ),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.status?.desiredNumberScheduled ?? 0,
    object.status?.currentNumberScheduled ?? 0,
    object.status?.numberReady ?? 0,
    object.status?.updatedNumberScheduled ?? 0,
    object.status?.numberAvailable ?? 0,
    formatLabels(object.spec?.template?.spec?.nodeSelector),
    age(object.metadata?.creationTimestamp, now),
    ...containerCells(object.spec?.template?.spec?.containers),
    selectorCell(object.spec?.selector),
  ],
  warnings: (object, old) => templateWarnings(object.spec?.template, old?.spec?.template),
});
