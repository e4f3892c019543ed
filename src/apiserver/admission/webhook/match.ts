import { forbiddenError } from '../../../api/meta/status.ts';
import type { Namespace } from '../../../api/types/core-v1.ts';
import type { AdmissionAttributes, ApiAccess, Authorizer } from '../../contract.ts';
import { MATCH_CONDITIONS_BUDGET } from '../cel/expression.ts';
import { holdAll } from '../cel/match-conditions.ts';
import { bindVariables } from '../cel/variables.ts';
import { matchResource, type ResourceMatch } from '../matching/resource-match.ts';
import { selectsNamespace, selectsObject } from '../matching/selectors.ts';
import type { Hook } from './hooks.ts';

/** A webhook that is to be called, with the version of the resource that it asked for. */
export interface Invocation extends ResourceMatch {
  readonly hook: Hook;
}

/** How a hook is to be called for a write; undefined when it does not concern it. Throws a StatusError where that cannot be told. */
export function invocationOf(
  hook: Hook,
  attributes: AdmissionAttributes,
  access: ApiAccess,
  authorizer: Authorizer,
): Invocation | undefined {
  const inNamespace = selectsNamespace(hook, attributes, access);
  if (inNamespace === false || !selectsObject(hook, attributes)) return undefined;
  const { rules = [], matchPolicy = 'Equivalent' } = hook.definition;
  const match = matchResource(rules, matchPolicy, attributes, access);
  if (match === undefined) return undefined;
  if (inNamespace instanceof Error) throw inNamespace;
  if (hook.matchConditions.length > 0) {
    const namespace = access.view<Namespace>('', 'namespaces')?.get('', attributes.namespace);
    const bindings = bindVariables({ attributes, match, namespace, authorizer });
    try {
      if (!holdAll(hook.matchConditions, bindings, { left: MATCH_CONDITIONS_BUDGET }, hook.failsOpen)) return undefined;
    } catch (err) {
      throw forbiddenError(attributes.resource, attributes.name, (err as Error).message);
    }
  }
  return { hook, ...match };
}
