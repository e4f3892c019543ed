import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { formatLabelSelector } from '../../meta/label-selector.ts';
import { isDNS1123Label, nameIsDNSLabel } from '../../meta/names.ts';
import type { StatefulSet, StatefulSetSpec, StatefulSetStatus, StatefulSetUpdateStrategy } from '../../types/apps-v1.ts';
import type { PersistentVolumeClaim, PodTemplateSpec, Volume } from '../../types/core-v1.ts';
import { mapField, mapListField, withFields, withMissing } from '../core/copy-on-change.ts';
import { claimSpecFaults } from '../core/persistent-volume-claim.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { validatePodTemplateSpec } from '../core/pod-validation.ts';
import { containerCells, containersColumn, imagesColumn } from '../core/template-cells.ts';
import { defaultClaimSpec } from '../core/volume-defaults.ts';
import { age, ageColumn, column, groupVersion, nameColumn } from '../define.ts';
import { check, nonNegative } from '../field-checks.ts';
import { semanticEqual } from '../semantic-equal.ts';
import {
  isEmptySelector,
  isZeroOf,
  replicaScale,
  selects,
  templateWarnings,
  validateAtMostAll,
  validateCollisionCount,
  validateCounts,
  validateIntOrPercent,
  validateRequiredSelector,
  validateRunsForever,
  validateSelected,
  workloadStrategy,
} from '../workload.ts';

const define = groupVersion('apps', 'v1');
const noSpec: StatefulSetSpec = Object.freeze({ template: {} });
const noStatus: StatefulSetStatus = Object.freeze({ replicas: 0, availableReplicas: 0 });
const retentionPolicies = ['Retain', 'Delete'];

function defaults(object: StatefulSet): StatefulSet {
  const spec = withMissing(object.spec ?? noSpec, {
    podManagementPolicy: 'OrderedReady',
    updateStrategy: {},
    replicas: 1,
    revisionHistoryLimit: 10,
    persistentVolumeClaimRetentionPolicy: {},
  });
  const filled = withFields(spec, {
    template: defaultPodTemplate(spec.template ?? {}),
    updateStrategy: defaultStrategy(spec.updateStrategy ?? {}),
    persistentVolumeClaimRetentionPolicy: withMissing(spec.persistentVolumeClaimRetentionPolicy ?? {}, {
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
    }),
  });
  return withFields(object, { spec: mapListField(filled, 'volumeClaimTemplates', defaultClaim) });
}

/** A claim template is a whole claim: of that kind, pending until it is made. */
const defaultClaim = (claim: PersistentVolumeClaim): PersistentVolumeClaim =>
  mapField(
    withFields(claim, {
      kind: 'PersistentVolumeClaim',
      apiVersion: 'v1',
      status: withMissing(claim.status ?? noClaimStatus, { phase: 'Pending' }),
    }),
    'spec',
    defaultClaimSpec,
  );
const noClaimStatus: NonNullable<PersistentVolumeClaim['status']> = Object.freeze({});

function defaultStrategy(strategy: StatefulSetUpdateStrategy): StatefulSetUpdateStrategy {
  const typed: StatefulSetUpdateStrategy = strategy.type
    ? strategy
    : { ...strategy, type: 'RollingUpdate', rollingUpdate: strategy.rollingUpdate ?? {} };
  if (typed.type !== 'RollingUpdate') return typed;
  return mapField(typed, 'rollingUpdate', (rolling) => withMissing(rolling, { partition: 0 }));
}

/** How many pods an update takes down at once is off by default in this release (MaxUnavailableStatefulSet); sets that have it keep it. */
function dropDisabled(object: StatefulSet, old?: StatefulSet): StatefulSet {
  if (object.spec?.updateStrategy?.rollingUpdate?.maxUnavailable === undefined) return object;
  if (old?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable !== undefined) return object;
  return mapField(object, 'spec', (spec) =>
    mapField(spec, 'updateStrategy', (strategy) =>
      mapField(strategy, 'rollingUpdate', (rolling) => withFields(rolling, { maxUnavailable: undefined })),
    ),
  );
}

const written = workloadStrategy<StatefulSetSpec, StatefulSet>({
  specType: 'io.k8s.api.apps.v1.StatefulSetSpec',
  emptyStatus: noStatus,
});

/**
 * The template as the controller makes pods of it: with the claims as volumes, which mounts name as if they were there, and without the
 * host name and subdomain, which pods get from the set.
 */
function asPodsGetIt(given: PodTemplateSpec, claims: readonly PersistentVolumeClaim[]): PodTemplateSpec {
  const template = mapField(given, 'spec', (spec) => withFields(spec, { hostname: undefined, subdomain: undefined }));
  if (claims.length === 0 || template.spec === undefined) return template;
  const names = new Set(claims.map((c) => c.metadata?.name));
  const kept = (template.spec.volumes ?? []).filter((v) => !names.has(v.name));
  const made = [...names].flatMap((name): Volume[] =>
    name === undefined ? [] : [{ name, persistentVolumeClaim: { claimName: name } }],
  );
  return { ...template, spec: { ...template.spec, volumes: [...made, ...kept] } };
}

function validate(object: StatefulSet, old?: StatefulSet): readonly FieldError[] {
  const spec = object.spec ?? noSpec;
  const { podManagementPolicy, selector, serviceName } = spec;
  const template = spec.template ?? {};
  const errors: FieldError[] = [];
  if (!podManagementPolicy) errors.push(required('spec.podManagementPolicy'));
  else if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel') {
    errors.push(invalid('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"));
  }
  errors.push(...validateStrategy(spec.updateStrategy ?? {}), ...validateRetention(spec));
  // What is stored cannot be changed.
  if (old === undefined) {
    spec.volumeClaimTemplates?.forEach((claim, i) => {
      errors.push(...claimSpecFaults(claim.spec ?? {}, new FieldPath(`spec.volumeClaimTemplates[${i}].spec`)));
    });
  }
  errors.push(
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...validateRequiredSelector(selector, 'spec.selector', 'statefulset'),
  );
  if (selects(selector, template.metadata?.labels) === 'unusable') {
    errors.push(invalid('spec.selector', selector, ''));
  } else {
    // A selector that is not there selects nothing.
    if (selector === undefined || !isEmptySelector(selector)) {
      errors.push(...validateSelected(selector, template.metadata?.labels, 'spec.template.metadata.labels'));
    }
    errors.push(...validateTemplate(object, old));
  }
  errors.push(...validateRunsForever(template, 'spec.template.spec', 'StatefulSet'));
  if (serviceName && serviceName !== old?.spec?.serviceName) {
    errors.push(...check('spec.serviceName', serviceName, isDNS1123Label));
  }
  return errors;
}

/** The template is held to the rules of pods since v1.33; one that broke them before may still. */
function validateTemplate(object: StatefulSet, old: StatefulSet | undefined): readonly FieldError[] {
  const of = (set: StatefulSet, before?: StatefulSet): readonly FieldError[] =>
    validatePodTemplateSpec(
      asPodsGetIt(set.spec?.template ?? {}, set.spec?.volumeClaimTemplates ?? []),
      'spec.template',
      before?.spec?.template,
    );
  const errors = of(object, old);
  return errors.length > 0 && old !== undefined && of(old).length > 0 ? [] : errors;
}

function validateStrategy(strategy: StatefulSetUpdateStrategy): readonly FieldError[] {
  const { type, rollingUpdate } = strategy;
  const at = 'spec.updateStrategy';
  if (!type) return [required(at)];
  if (type === 'OnDelete') {
    return rollingUpdate === undefined
      ? []
      : [invalid(`${at}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")];
  }
  if (type !== 'RollingUpdate') return [invalid(at, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  if (rollingUpdate === undefined) return [];
  const { partition, maxUnavailable } = rollingUpdate;
  const errors: FieldError[] = [...nonNegative(`${at}.rollingUpdate.partition`, partition)];
  if (maxUnavailable !== undefined) {
    const here = `${at}.rollingUpdate.maxUnavailable`;
    errors.push(...validateIntOrPercent(maxUnavailable, here));
    if (isZeroOf(maxUnavailable)) errors.push(invalid(here, maxUnavailable, 'cannot be 0'));
    errors.push(...validateAtMostAll(maxUnavailable, here));
  }
  return errors;
}

function validateRetention(spec: StatefulSetSpec): readonly FieldError[] {
  const policy = spec.persistentVolumeClaimRetentionPolicy;
  if (policy === undefined) return [];
  return (['whenDeleted', 'whenScaled'] as const).flatMap((field) => {
    const value = policy[field] ?? '';
    return retentionPolicies.includes(value)
      ? []
      : [notSupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, value, retentionPolicies)];
  });
}

/** What a set may change once it is there. */
const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const satisfies readonly (keyof StatefulSetSpec)[];

function validateUpdate(object: StatefulSet, old: StatefulSet): readonly FieldError[] {
  const errors = [...validate(object, old)];
  const before = old.spec ?? noSpec;
  const reverted = withFields(object.spec ?? noSpec, Object.fromEntries(mutable.map((field) => [field, before[field]])));
  if (!semanticEqual('io.k8s.api.apps.v1.StatefulSetSpec', reverted, before)) {
    errors.push(
      forbidden(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    );
  }
  return errors;
}

function validateStatus(status: StatefulSetStatus, old: StatefulSetStatus | undefined): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateCounts(status, [
      'replicas',
      'readyReplicas',
      'currentReplicas',
      'updatedReplicas',
      'availableReplicas',
      'observedGeneration',
      'collisionCount',
    ]),
  ];
  for (const field of ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const) {
    const count = status[field] ?? 0;
    if (count > status.replicas) errors.push(invalid(`status.${field}`, count, 'cannot be greater than status.replicas'));
  }
  const available = status.availableReplicas ?? 0;
  if (available > (status.readyReplicas ?? 0)) {
    errors.push(invalid('status.availableReplicas', available, 'cannot be greater than status.readyReplicas'));
  }
  return [...errors, ...validateCollisionCount(status.collisionCount, old?.collisionCount)];
}

export const statefulSet = define<StatefulSet>({
  kind: 'StatefulSet',
  plural: 'statefulsets',
  namespaced: true,
  shortNames: ['sts'],
  categories: ['all'],
  status: true,
  subresources: [replicaScale<StatefulSet>((object) => formatLabelSelector(object.spec?.selector))],
  defaults,
  strategy: {
    prepareForCreate: (object, context) => written.prepareForCreate(dropDisabled(object), context),
    prepareForUpdate: (object, old, context) => written.prepareForUpdate(dropDisabled(object, old), old, context),
  },
  validate: (object) => validate(object),
  validateUpdate,
  validateStatusUpdate: (object, old) => validateStatus(object.status ?? noStatus, old.status),
  // Pods are named after the set, with a number: theirs are host names.
  validateName: nameIsDNSLabel,
  columns: [
    nameColumn,
    column('Ready', 'string', 'Number of the pod with ready state'),
    ageColumn,
    containersColumn,
    imagesColumn,
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
    age(object.metadata?.creationTimestamp, now),
    ...containerCells(object.spec?.template?.spec?.containers),
  ],
  warnings: (object, old) => {
    const warnings = [...templateWarnings(object.spec?.template, old?.spec?.template)];
    const limit = object.spec?.revisionHistoryLimit;
    if (limit !== undefined && limit < 0) {
      warnings.push('spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended');
    }
    return warnings;
  },
});
