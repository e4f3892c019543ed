import type { GroupVersionKind, GroupVersionResource, KubernetesObject } from '../../../api/meta/object.ts';
import { forbiddenError, notFound } from '../../../api/meta/status.ts';
import type { Resource } from '../../../api/resource.ts';
import type { MatchCondition } from '../../../api/types/admissionregistration-v1.ts';
import type { Namespace } from '../../../api/types/core-v1.ts';
import type { AdmissionAttributes, ApiAccess } from '../../contract.ts';
import { type AsVersion, convertObject } from './convert.ts';
import type { Hook } from './hooks.ts';
import { requestOf } from './review.ts';
import { matchesRule } from './rules.ts';

/**
 * Evaluates a CEL expression over variables (`object`, `oldObject`, `request`), whose values are plain JSON. Throws an Error whose message
 * says why it cannot be.
 */
export type EvaluateExpression = (expression: string, variables: Readonly<Record<string, unknown>>) => unknown;

/** A webhook that is to be called, with the version of the resource that it asked for. */
export interface Invocation {
  readonly hook: Hook;
  readonly resource: GroupVersionResource;
  readonly kind: GroupVersionKind;
  /** Undefined: the version of the request, or nothing that has versions. */
  readonly as: AsVersion | undefined;
}

/** How a hook is to be called for a write; undefined when it does not concern it. Throws a StatusError where that cannot be told. */
export function invocationOf(
  hook: Hook,
  attributes: AdmissionAttributes,
  access: ApiAccess,
  evaluate: EvaluateExpression | undefined,
): Invocation | undefined {
  const inNamespace = selectsNamespace(hook, attributes, access);
  if (inNamespace === false || !selectsObject(hook, attributes)) return undefined;
  const invocation = byRules(hook, attributes, access);
  if (invocation === undefined) return undefined;
  if (inNamespace instanceof Error) throw inNamespace;
  const conditions = hook.definition.matchConditions ?? [];
  return conditions.length === 0 || holdsAll(hook, conditions, attributes, invocation, evaluate) ? invocation : undefined;
}

/** Whether the namespace is selected; the error when it is not there, which matters only if the rules match. */
function selectsNamespace(hook: Hook, attributes: AdmissionAttributes, access: ApiAccess): boolean | Error {
  const { namespace, resource, subresource, operation, object, name } = attributes;
  const ofNamespace = resource.group === '' && resource.resource === 'namespaces';
  if ((namespace === '' && !ofNamespace) || hook.namespaceSelector.requirements.length === 0) return true;
  if (ofNamespace && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) {
    return hook.namespaceSelector.matches(object?.metadata?.labels);
  }
  const wanted = ofNamespace ? name : namespace;
  const found = access.view<Namespace>('', 'namespaces')?.get('', wanted);
  if (found === undefined) return notFound({ group: '', resource: 'namespaces' }, wanted);
  return hook.namespaceSelector.matches(found.metadata?.labels);
}

/** The labels before or after the write will do. */
function selectsObject({ objectSelector }: Hook, { object, oldObject }: AdmissionAttributes): boolean {
  if (objectSelector.requirements.length === 0) return true;
  const selects = (o: KubernetesObject | undefined): boolean => o !== undefined && objectSelector.matches(o.metadata?.labels);
  return selects(object) || selects(oldObject);
}

function byRules(hook: Hook, attributes: AdmissionAttributes, access: ApiAccess): Invocation | undefined {
  const { resource, kind, definition } = attributes;
  const rules = hook.definition.rules ?? [];
  if (rules.some((rule) => matchesRule(rule, attributes, resource))) return { hook, resource, kind, as: undefined };
  if (hook.definition.matchPolicy === 'Exact' || definition === undefined) return undefined;
  // Subresources that speak a kind of their own have it in every version.
  const ownKind = kind.kind !== definition.kind || kind.group !== definition.group;
  for (const rule of rules) {
    for (const other of equivalents(definition, access)) {
      const as = { group: other.group, version: other.version, resource: other.plural };
      if (!matchesRule(rule, attributes, as)) continue;
      if (ownKind) return { hook, resource: as, kind, as: undefined };
      const converted = { group: other.group, version: other.version, kind: other.kind };
      return { hook, resource: as, kind: converted, as: { from: definition, to: other } };
    }
  }
  return undefined;
}

/** The other versions that are served of what is stored in the same place. */
function* equivalents(definition: Resource, access: ApiAccess): Iterable<Resource> {
  for (const other of access.resources()) {
    if (other.storage.prefix !== definition.storage.prefix) continue;
    if (other.group !== definition.group || other.version !== definition.version) yield other;
  }
}

/** Whether all conditions hold; one that does not is enough to skip, whatever fails. Throws the 403 of a failure that is not let pass. */
function holdsAll(
  hook: Hook,
  conditions: readonly MatchCondition[],
  attributes: AdmissionAttributes,
  invocation: Invocation,
  evaluate: EvaluateExpression | undefined,
): boolean {
  const variables = {
    object: convertObject(attributes.object, invocation.as) ?? null,
    oldObject: convertObject(attributes.oldObject, invocation.as) ?? null,
    request: requestOf(attributes, invocation),
  };
  const failures: string[] = [];
  for (const { expression } of conditions) {
    try {
      if (evaluate === undefined) throw new Error('match conditions cannot be evaluated by this server');
      const result = evaluate(expression, variables);
      if (result === false) return false;
      if (result !== true) throw new Error(`expression '${expression}' did not evaluate to a bool`);
    } catch (err) {
      failures.push((err as Error).message);
    }
  }
  if (failures.length === 0) return true;
  if (hook.failsOpen) return false;
  const cause = failures.length === 1 ? failures[0]! : `[${failures.join(', ')}]`;
  throw forbiddenError(attributes.resource, attributes.name, cause);
}
