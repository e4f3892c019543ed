import { type FieldError, FieldPath, invalid, notSupported, required } from '../meta/field-error.ts';
import type { ObjectMeta } from '../meta/object.ts';
import type { Resource } from '../resource.ts';
import type {
  LocalSubjectAccessReview,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from '../types/authorization-v1.ts';
import { groupVersion, plainColumns, plainRow } from './define.ts';

const define = groupVersion('authorization.k8s.io', 'v1');
const spec = new FieldPath('spec');
const operators = ['DoesNotExist', 'Exists', 'In', 'NotIn'];

/** What a caller may not give beside the spec of a review. */
function metadataFaults(metadata: ObjectMeta | undefined, detail: string): readonly FieldError[] {
  const { name, generateName, labels, annotations, ownerReferences, finalizers } = metadata ?? {};
  const given = [name, generateName, labels, annotations, ownerReferences, finalizers].some(
    (field) => field !== undefined && field !== '',
  );
  return given ? [invalid('metadata', metadata, detail)] : [];
}

interface SelectorAttributes {
  readonly rawSelector?: string;
  readonly requirements?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

function selectorFaults(selector: SelectorAttributes, path: FieldPath): readonly FieldError[] {
  const { rawSelector = '', requirements = [] } = selector;
  if (rawSelector !== '' && requirements.length > 0) {
    return [invalid(path.child('rawSelector'), rawSelector, 'may not specified at the same time as requirements')];
  }
  if (rawSelector === '' && requirements.length === 0) {
    return [required(path.child('requirements'), `when ${path} is specified, requirements or rawSelector is required`)];
  }
  return requirements.flatMap(({ key = '', operator, values = [] }, i) => {
    const at = path.child('requirements').index(i);
    const errors: FieldError[] = key === '' ? [required(at.child('key'), 'must be specified')] : [];
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        const detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
        errors.push({ type: 'FieldValueForbidden', path: at.child('values').toString(), detail });
      }
    } else {
      errors.push(notSupported(at.child('operator'), operator ?? '', operators));
    }
    return errors;
  });
}

function attributeFaults(attributes: ResourceAttributes | undefined): readonly FieldError[] {
  const path = spec.child('resourceAttributes');
  return (['fieldSelector', 'labelSelector'] as const).flatMap((name) => {
    const selector = attributes?.[name];
    return selector === undefined ? [] : selectorFaults(selector, path.child(name));
  });
}

function specFaults(s: SubjectAccessReviewSpec | undefined, self: boolean): readonly FieldError[] {
  const { resourceAttributes, nonResourceAttributes, user = '', groups = [] } = s ?? {};
  const errors: FieldError[] = [];
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    const detail = 'cannot be specified in combination with resourceAttributes';
    errors.push(invalid(spec.child('nonResourceAttributes'), nonResourceAttributes, detail));
  }
  if (resourceAttributes === undefined && nonResourceAttributes === undefined) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    errors.push(invalid(spec.child('resourceAttributes'), undefined, detail));
  }
  if (!self && user === '' && groups.length === 0) {
    errors.push(invalid(spec.child('user'), user, 'at least one of user or group must be specified'));
  }
  return [...errors, ...attributeFaults(resourceAttributes)];
}

function validateLocal(object: LocalSubjectAccessReview): readonly FieldError[] {
  const errors = [...specFaults(object.spec, false), ...metadataFaults(object.metadata, 'must be empty except for namespace')];
  const { resourceAttributes, nonResourceAttributes } = object.spec ?? {};
  const namespace = resourceAttributes?.namespace ?? '';
  if (resourceAttributes !== undefined && namespace !== (object.metadata?.namespace ?? '')) {
    errors.push(invalid('spec.resourceAttributes.namespace', namespace, 'must match metadata.namespace'));
  }
  if (nonResourceAttributes !== undefined) {
    errors.push(invalid('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request'));
  }
  return errors;
}

/** Reviews are answered and never stored. */
const virtual = { verbs: ['create'], validateName: () => [], columns: plainColumns, row: plainRow } as const;

const subjectAccessReview = define<SubjectAccessReview>({
  ...virtual,
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
  validate: (object) => [...specFaults(object.spec, false), ...metadataFaults(object.metadata, 'must be empty')],
});

const selfSubjectAccessReview = define<SelfSubjectAccessReview>({
  ...virtual,
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  namespaced: false,
  validate: (object) => [...specFaults(object.spec, true), ...metadataFaults(object.metadata, 'must be empty')],
});

const localSubjectAccessReview = define<LocalSubjectAccessReview>({
  ...virtual,
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  namespaced: true,
  validate: validateLocal,
});

const selfSubjectRulesReview = define<SelfSubjectRulesReview>({
  ...virtual,
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  namespaced: false,
  validate: () => [],
});

export const authorizationResources: readonly Resource[] = [
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
];
