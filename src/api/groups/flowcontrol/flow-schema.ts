import { type FieldError, FieldPath, forbidden, invalid, notSupported, required } from '../../meta/field-error.ts';
import { isDNS1123Label, isDNS1123Subdomain, nameIsDNSSubdomain } from '../../meta/names.ts';
import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../types/flowcontrol-v1.ts';
import { age, column, groupVersion, keptByStatus, standardColumns } from '../define.ts';
import { check, checkRequired } from '../field-checks.ts';
import { semanticEqual } from '../semantic-equal.ts';
import { mandatorySchemas } from './bootstrap-configuration.ts';

const define = groupVersion('flowcontrol.apiserver.k8s.io', 'v1');
const spec = new FieldPath('spec');
const mostPrecedence = 10000;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch', 'proxy'].sort();

function subjectFaults(subject: Subject, path: FieldPath): readonly FieldError[] {
  const { kind = '', user, group, serviceAccount } = subject;
  const errors: FieldError[] = [];
  const given = { user, group, serviceAccount };
  const expected = kind === 'User' ? 'user' : kind === 'Group' ? 'group' : kind === 'ServiceAccount' ? 'serviceAccount' : '';
  if (expected === '') return [notSupported(path.child('kind'), kind, ['Group', 'ServiceAccount', 'User'])];
  for (const name of ['user', 'group', 'serviceAccount'] as const) {
    if (name === expected && given[name] === undefined) {
      errors.push(required(path.child(name), `${name} is required when subject kind is '${kind}'`));
    } else if (name !== expected && given[name] !== undefined) {
      errors.push(
        forbidden(path.child(name), `${name} is forbidden when subject kind is not '${name[0]!.toUpperCase()}${name.slice(1)}'`),
      );
    }
  }
  if (kind === 'User' && user !== undefined && !user.name) errors.push(required(path.child('user', 'name')));
  if (kind === 'Group' && group !== undefined && !group.name) errors.push(required(path.child('group', 'name')));
  if (kind === 'ServiceAccount' && serviceAccount !== undefined) {
    const at = path.child('serviceAccount');
    const { name = '', namespace = '' } = serviceAccount;
    if (name === '') errors.push(required(at.child('name')));
    else if (name !== '*') errors.push(...check(at.child('name'), name, isDNS1123Subdomain));
    if (namespace === '') {
      errors.push(required(at.child('namespace'), 'must specify namespace for service account'));
    } else errors.push(...check(at.child('namespace'), namespace, isDNS1123Label));
  }
  return errors;
}

/** A `*` stands alone. `what` is the plural in the message. */
function wildcardFaults(values: readonly string[], path: FieldPath, detail: string): readonly FieldError[] {
  if (!values.includes('*') || values.length === 1) return [];
  return [invalid(path, values, detail)];
}

/** The verbs of resources are asked for where paths are named, too: so upstream has it. */
function verbFaults(given: readonly string[], path: FieldPath): readonly FieldError[] {
  if (given.length === 0) return [required(path, 'verbs must contain at least one value')];
  if (given.includes('*')) return wildcardFaults(given, path, "if '*' is present, must not specify other verbs");
  return given.some((verb) => !verbs.includes(verb)) ? [notSupported(path, given, verbs)] : [];
}

function nonResourceFaults(rule: NonResourcePolicyRule, path: FieldPath): readonly FieldError[] {
  const urls = rule.nonResourceURLs ?? [];
  const at = path.child('nonResourceURLs');
  const errors = [...verbFaults(rule.verbs ?? [], path.child('verbs'))];
  if (urls.length === 0) errors.push(required(at, 'nonResourceURLs must contain at least one value'));
  else if (urls.includes('*'))
    errors.push(...wildcardFaults(urls, at, "if '*' is present, must not specify other non-resource URLs"));
  else {
    urls.forEach((url, i) => {
      const item = at.index(i);
      if (url === '') errors.push(invalid(item, url, 'must not be empty'));
      else if (url === '/') return;
      else if (!url.startsWith('/')) errors.push(invalid(item, url, 'must start with slash'));
      else if (url.includes(' ')) errors.push(invalid(item, url, 'must not contain white-space'));
      else if (url.includes('//')) errors.push(invalid(item, url, 'must not contain double slash'));
      else if (url.slice(0, -1).includes('*') || (url.endsWith('*') && !url.endsWith('/*'))) {
        errors.push(invalid(item, url, 'wildcard can only do suffix matching'));
      }
    });
  }
  return errors;
}

function resourceFaults(rule: ResourcePolicyRule, path: FieldPath): readonly FieldError[] {
  const { apiGroups = [], resources = [], namespaces = [], clusterScope = false } = rule;
  const errors = [...verbFaults(rule.verbs ?? [], path.child('verbs'))];
  if (apiGroups.length === 0) errors.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  else errors.push(...wildcardFaults(apiGroups, path.child('apiGroups'), "if '*' is present, must not specify other api groups"));
  if (resources.length === 0) errors.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  else errors.push(...wildcardFaults(resources, path.child('resources'), "if '*' is present, must not specify other resources"));
  const at = path.child('namespaces');
  if (namespaces.length === 0 && !clusterScope) {
    errors.push(required(at, 'resource rules that are not cluster scoped must supply at least one namespace'));
  } else if (namespaces.includes('*')) {
    errors.push(...wildcardFaults(namespaces, at, "if '*' is present, must not specify other namespaces"));
  } else {
    namespaces.forEach((name, i) => void errors.push(...check(at.index(i), name, namespaceFaults)));
  }
  return errors;
}

const namespaceFaults = (name: string): readonly string[] =>
  isDNS1123Label(name).map((fault) => `each member of this list must be '*' or a DNS-1123 label; ${fault}`);

function ruleFaults(rule: PolicyRulesWithSubjects, path: FieldPath): readonly FieldError[] {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  const errors: FieldError[] = [];
  if (subjects.length === 0) errors.push(required(path.child('subjects'), 'subjects must contain at least one value'));
  subjects.forEach((subject, i) => void errors.push(...subjectFaults(subject, path.child('subjects').index(i))));
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    errors.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  resourceRules.forEach((r, i) => void errors.push(...resourceFaults(r, path.child('resourceRules').index(i))));
  nonResourceRules.forEach((r, i) => void errors.push(...nonResourceFaults(r, path.child('nonResourceRules').index(i))));
  return errors;
}

function validate(object: FlowSchema): readonly FieldError[] {
  const { matchingPrecedence = 0, distinguisherMethod, priorityLevelConfiguration, rules = [] } = object.spec ?? {};
  const errors: FieldError[] = [];
  const at = spec.child('matchingPrecedence');
  const name = object.metadata?.name;
  if (matchingPrecedence <= 0) errors.push(invalid(at, matchingPrecedence, 'must be a positive value'));
  if (matchingPrecedence > mostPrecedence) {
    errors.push(invalid(at, matchingPrecedence, `must not be greater than ${mostPrecedence}`));
  }
  if (matchingPrecedence === 1 && name !== 'exempt') {
    errors.push(invalid(at, matchingPrecedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  }
  const method = distinguisherMethod?.type;
  if (distinguisherMethod !== undefined && method !== 'ByUser' && method !== 'ByNamespace') {
    errors.push(notSupported(spec.child('distinguisherMethod', 'type'), { Type: method ?? '' }, ['ByNamespace', 'ByUser']));
  }
  const level = spec.child('priorityLevelConfiguration', 'name');
  errors.push(...checkRequired(level, priorityLevelConfiguration?.name, isDNS1123Subdomain, 'must reference a priority level'));
  rules.forEach((rule, i) => void errors.push(...ruleFaults(rule, spec.child('rules').index(i))));
  const fixed = mandatorySchemas.find((must) => must.metadata?.name === name);
  if (fixed !== undefined && !semanticEqual('io.k8s.api.flowcontrol.v1.FlowSchemaSpec', object.spec, fixed.spec)) {
    errors.push(invalid(spec, object.spec, `spec of '${name}' must equal the fixed value`));
  }
  return errors;
}

/** The order in which flow schemas are tried: by precedence, then by name. */
export const byPrecedence = (a: FlowSchema, b: FlowSchema): number =>
  (a.spec?.matchingPrecedence ?? 0) - (b.spec?.matchingPrecedence ?? 0) ||
  ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1);

export const flowSchema = define<FlowSchema>({
  kind: 'FlowSchema',
  plural: 'flowschemas',
  namespaced: false,
  status: true,
  statusKeeps: keptByStatus,
  emptyStatus: {},
  defaults: (object) =>
    object.spec?.matchingPrecedence ? object : { ...object, spec: { ...object.spec!, matchingPrecedence: 1000 } },
  validate,
  validateName: nameIsDNSSubdomain,
  columns: [
    ...standardColumns(
      column('PriorityLevel', 'string', '`name` is the name of the priority level configuration being referenced Required.'),
      column(
        'MatchingPrecedence',
        'string',
        '`matchingPrecedence` is used to choose among the FlowSchemas that match a given request. The chosen FlowSchema is among those with the numerically lowest (which we take to be logically highest) MatchingPrecedence.  Each MatchingPrecedence value must be ranged in [1,10000]. Note that if the precedence is not specified, it will be set to 1000 as default.',
      ),
      column(
        'DistinguisherMethod',
        'string',
        '`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string.',
      ),
    ),
    column('MissingPL', 'string', 'references a broken or non-existent PriorityLevelConfiguration'),
  ],
  rowOrder: byPrecedence,
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.priorityLevelConfiguration?.name ?? '',
    object.spec?.matchingPrecedence ?? 0,
    object.spec?.distinguisherMethod?.type ?? '<none>',
    age(object.metadata?.creationTimestamp, now),
    object.status?.conditions?.find((c) => c.type === 'Dangling')?.status ?? '?',
  ],
});
