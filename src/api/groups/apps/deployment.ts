import { type FieldError, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { formatLabelSelector } from '../../meta/label-selector.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { Deployment, DeploymentSpec, DeploymentStrategy } from '../../types/apps-v1.ts';
import { withFields, withMissing, withUnset } from '../core/copy-on-change.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { containerCells, containersColumn, imagesColumn, selectorCell, selectorColumn } from '../core/template-cells.ts';
import { age, ageColumn, column, groupVersion, nameColumn } from '../define.ts';
import { immutable, nonNegative } from '../field-checks.ts';
import {
  isZeroOf,
  podNameWarnings,
  replicaScale,
  selects,
  templateWarnings,
  validateAtMostAll,
  validateCollisionCount,
  validateCounts,
  validateIntOrPercent,
  validateReplicaCounts,
  validateRequiredSelector,
  workloadStrategy,
} from '../workload.ts';
import { validateReplicatedTemplate } from './replica-set.ts';

const define = groupVersion('apps', 'v1');
const noSpec: DeploymentSpec = Object.freeze({ template: {} });

function defaults(object: Deployment): Deployment {
  const spec = withMissing(object.spec ?? noSpec, {
    replicas: 1,
    strategy: {},
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  });
  return withFields(object, {
    spec: withFields(spec, {
      template: defaultPodTemplate(spec.template ?? {}),
      strategy: defaultStrategy(spec.strategy ?? {}),
    }),
  });
}

function defaultStrategy(strategy: DeploymentStrategy): DeploymentStrategy {
  const typed = withMissing(strategy, { type: 'RollingUpdate' });
  if (typed.type !== 'RollingUpdate') return typed;
  return withFields(typed, {
    rollingUpdate: withUnset(typed.rollingUpdate ?? {}, { maxUnavailable: '25%', maxSurge: '25%' }),
  });
}

function validate(object: Deployment, old?: Deployment): readonly FieldError[] {
  const spec = object.spec ?? noSpec;
  const { selector, minReadySeconds = 0, progressDeadlineSeconds } = spec;
  const errors: FieldError[] = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateRequiredSelector(selector, 'spec.selector', 'deployment'),
  ];
  const template = spec.template ?? {};
  if (selects(selector, template.metadata?.labels) === 'unusable') {
    errors.push(invalid('spec.selector', selector, 'invalid label selector'));
  } else {
    errors.push(...validateReplicatedTemplate(template, selector, spec.replicas ?? 0, old?.spec?.template));
  }
  errors.push(
    ...validateStrategy(spec.strategy ?? {}),
    ...nonNegative('spec.minReadySeconds', minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.progressDeadlineSeconds', progressDeadlineSeconds),
  );
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds) {
    errors.push(invalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds'));
  }
  return errors;
}

function validateStrategy(strategy: DeploymentStrategy): readonly FieldError[] {
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    return rollingUpdate === undefined
      ? []
      : [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")];
  }
  if (type !== 'RollingUpdate')
    return [
      notSupported(
        'spec.strategy',
        {
          Type: type ?? '',
          RollingUpdate:
            rollingUpdate === undefined
              ? null
              : { MaxUnavailable: rollingUpdate.maxUnavailable ?? 0, MaxSurge: rollingUpdate.maxSurge ?? 0 },
        },
        ['Recreate', 'RollingUpdate'],
      ),
    ];
  if (rollingUpdate === undefined) {
    return [required('spec.strategy.rollingUpdate', 'this should be defaulted and never be nil')];
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const at = 'spec.strategy.rollingUpdate.maxUnavailable';
  return [
    ...validateIntOrPercent(maxUnavailable, at),
    ...validateIntOrPercent(maxSurge, 'spec.strategy.rollingUpdate.maxSurge'),
    ...(isZeroOf(maxUnavailable) && isZeroOf(maxSurge)
      ? [invalid(at, maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...validateAtMostAll(maxUnavailable, at),
  ];
}

export const deployment = define<Deployment>({
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
  shortNames: ['deploy'],
  categories: ['all'],
  status: true,
  statusKeeps: ['labels'],
  subresources: [replicaScale<Deployment>((object) => formatLabelSelector(object.spec?.selector))],
  defaults,
  strategy: workloadStrategy<DeploymentSpec, Deployment>({
    specType: 'io.k8s.api.apps.v1.DeploymentSpec',
    emptyStatus: {},
    annotationsCount: true,
  }),
  validate: (object) => validate(object),
  validateUpdate: (object, old) => [
    ...validate(object, old),
    ...immutable('spec.selector', object.spec?.selector, old.spec?.selector),
  ],
  validateStatusUpdate: ({ status = {} }, old) => [
    ...validateCounts(status, [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ]),
    ...validateReplicaCounts(status, ['updatedReplicas', 'readyReplicas', 'availableReplicas']),
    ...validateCollisionCount(status.collisionCount, old.status?.collisionCount),
  ],
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column('Ready', 'string', 'Number of the pod with ready state'),
    column(
      'Up-to-date',
      'string',
      'Total number of non-terminating pods targeted by this deployment that have the desired template spec.',
    ),
    column(
      'Available',
      'string',
      'Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.',
    ),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn(
      "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
    ),
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
    object.status?.updatedReplicas ?? 0,
    object.status?.availableReplicas ?? 0,
    age(object.metadata?.creationTimestamp, now),
    ...containerCells(object.spec?.template?.spec?.containers),
    selectorCell(object.spec?.selector, ''),
  ],
  warnings: (object, old) => [
    ...(old === undefined ? podNameWarnings(object.metadata?.name ?? '') : []),
    ...templateWarnings(object.spec?.template, old?.spec?.template),
  ],
});
