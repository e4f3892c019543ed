import { type FieldError, type FieldPath, invalid, notSupported, required } from '../../meta/field-error.ts';
import type { RuleWithOperations } from '../../types/admissionregistration-v1.ts';

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];

/** Every scope, when a rule names none. */
export const defaultRule = <R extends RuleWithOperations>(rule: R): R =>
  rule.scope === undefined ? { ...rule, scope: '*' } : rule;

/** `*` stands alone, and no entry is empty. */
function listFaults(values: readonly string[], path: FieldPath, what: string): readonly FieldError[] {
  const errors: FieldError[] = values.length === 0 ? [required(path)] : [];
  if (values.length > 1 && values.includes('*')) {
    errors.push(invalid(path, values, `if '*' is present, must not specify other ${what}`));
  }
  return errors;
}

function resourceFaults(resources: readonly string[], path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = resources.length === 0 ? [required(path)] : [];
  const allSubresourcesOf = new Set<string>();
  const ofAllResources = new Set<string>();
  let plain = false;
  resources.forEach((text, i) => {
    if (text === '') {
      errors.push(required(path.index(i)));
      return;
    }
    const slash = text.indexOf('/');
    if (slash < 0) {
      plain = text !== '*';
      return;
    }
    const [resource, sub] = [text.slice(0, slash), text.slice(slash + 1)];
    if (allSubresourcesOf.has(resource)) {
      errors.push(invalid(path.index(i), text, `if '${resource}/*' is present, must not specify ${text}`));
    }
    if (ofAllResources.has(sub)) errors.push(invalid(path.index(i), text, `if '*/${sub}' is present, must not specify ${text}`));
    if (sub === '*') allSubresourcesOf.add(resource);
    if (resource === '*') ofAllResources.add(sub);
  });
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(invalid(path, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (plain && resources.includes('*')) {
    errors.push(invalid(path, resources, "if '*' is present, must not specify other resources without subresources"));
  }
  return errors;
}

/** What is wrong with a rule that says which requests a webhook or policy is for. */
export function ruleFaults(rule: RuleWithOperations, path: FieldPath): readonly FieldError[] {
  const { operations: given = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const errors = [...listFaults(given, path.child('operations'), 'operations')];
  given.forEach((operation, i) => {
    if (!operations.includes(operation)) errors.push(notSupported(path.child('operations').index(i), operation, operations));
  });
  errors.push(...listFaults(apiGroups, path.child('apiGroups'), 'API groups'));
  errors.push(...listFaults(apiVersions, path.child('apiVersions'), 'API versions'));
  apiVersions.forEach((version, i) => {
    if (version === '') errors.push(required(path.child('apiVersions').index(i)));
  });
  errors.push(...resourceFaults(resources, path.child('resources')));
  if (scope !== undefined && !scopes.includes(scope)) errors.push(notSupported(path.child('scope'), scope, scopes));
  return errors;
}
