import { namespaceType, requestType } from './admission-types.ts';
import { AUTHORIZER, RESOURCE_CHECK } from './authorizer-library.ts';
import type { Variables } from './compile.ts';
import { DYN, objectOf, type Type } from './types.ts';

/** What expressions of admission know, beyond the object, the request and its namespace. */
export interface VariableOptions {
  readonly params: boolean;
  readonly authorizer: boolean;
}

/** The variables that expressions are compiled against (apiserver/pkg/admission/plugin/cel). */
export const declaredVariables = ({ params, authorizer }: VariableOptions): Variables => ({
  object: DYN,
  oldObject: DYN,
  request: requestType,
  namespaceObject: namespaceType,
  ...(params ? { params: DYN } : {}),
  ...(authorizer ? { authorizer: AUTHORIZER, 'authorizer.requestResource': RESOURCE_CHECK } : {}),
});

/** Those, and as `variables` what the policy itself names. A type that is not known can be anything until it is looked at. */
export const policyVariables = (options: VariableOptions, named: ReadonlyMap<string, Type | undefined>): Variables => ({
  ...declaredVariables(options),
  variables: objectOf('kubernetes.variables', new Map([...named].map(([name, type]) => [name, type ?? DYN]))),
});
