import {
  addRange,
  type CelFunction,
  type Estimate,
  type EstimatedArg,
  member,
  type Range,
  range,
  scaleRange,
} from './functions.ts';
import { noOverload } from './standard-library.ts';
import { BOOL, opaque, STRING, type Type } from './types.ts';
import { CelError, costSize, OpaqueValue, type Value } from './values.ts';

/** The type of the `authorizer` variable. */
export const AUTHORIZER = opaque('kubernetes.authorization.Authorizer');
const PATH_CHECK = opaque('kubernetes.authorization.PathCheck');
const GROUP_CHECK = opaque('kubernetes.authorization.GroupCheck');
/** The type of `authorizer.requestResource`. */
export const RESOURCE_CHECK = opaque('kubernetes.authorization.ResourceCheck');
const DECISION = opaque('kubernetes.authorization.Decision');

/** What an expression asks: of a path, or of a resource. */
export interface CheckRequest {
  /** Of the service account that stands for the user, when the expression named one: `namespace:name`. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  readonly verb: string;
  readonly path?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface CheckDecision {
  readonly allowed: boolean;
  readonly reason: string;
  readonly error?: string;
}

/** Answers a check. Synchronous: an authorizer that would have to wait has been asked before. */
export type Check = (request: CheckRequest) => CheckDecision;

abstract class Authorization extends OpaqueValue {
  equals(other: OpaqueValue): boolean {
    return this === other;
  }
}

/** The value of the `authorizer` variable. */
export class AuthorizerValue extends Authorization {
  readonly type: Type = AUTHORIZER;
  readonly check: Check;
  readonly serviceAccount: CheckRequest['serviceAccount'];
  constructor(check: Check, serviceAccount?: CheckRequest['serviceAccount']) {
    super();
    this.check = check;
    this.serviceAccount = serviceAccount;
  }
}

class PathCheck extends Authorization {
  readonly type: Type = PATH_CHECK;
  readonly authorizer: AuthorizerValue;
  readonly path: string;
  constructor(authorizer: AuthorizerValue, path: string) {
    super();
    this.authorizer = authorizer;
    this.path = path;
  }
}

class GroupCheck extends Authorization {
  readonly type: Type = GROUP_CHECK;
  readonly authorizer: AuthorizerValue;
  readonly group: string;
  constructor(authorizer: AuthorizerValue, group: string) {
    super();
    this.authorizer = authorizer;
    this.group = group;
  }
}

type ResourceRequest = Omit<CheckRequest, 'verb' | 'path' | 'serviceAccount'>;

/** A check of a resource, while it is put together. */
export class ResourceCheck extends Authorization {
  readonly type: Type = RESOURCE_CHECK;
  readonly authorizer: AuthorizerValue;
  readonly request: ResourceRequest;
  constructor(authorizer: AuthorizerValue, request: ResourceRequest) {
    super();
    this.authorizer = authorizer;
    this.request = request;
  }
}

class Decision extends Authorization {
  readonly type: Type = DECISION;
  readonly decision: CheckDecision;
  constructor(decision: CheckDecision) {
    super();
    this.decision = decision;
  }
}

function text(value: Value | undefined): string {
  if (typeof value !== 'string') throw noOverload();
  return value;
}

function of<T extends OpaqueValue>(value: Value | undefined, type: abstract new (...args: never[]) => T): T {
  if (!(value instanceof type)) throw noOverload();
  return value;
}

const refine = (name: string, field: keyof ResourceRequest, id: string, more: Partial<CelFunction> = {}): CelFunction => ({
  name,
  overloads: [member(id, [RESOURCE_CHECK, STRING], RESOURCE_CHECK)],
  call: (value, given) => {
    const { authorizer, request } = of(value, ResourceCheck);
    return new ResourceCheck(authorizer, { ...request, [field]: text(given) });
  },
  ...more,
});

const about = (name: string, result: Type, get: (decision: CheckDecision) => Value): CelFunction => ({
  name,
  overloads: [member(`decision_${name}`, [DECISION], result)],
  call: (value) => get(of(value, Decision).decision),
});

/** Selectors are parsed into requirements. */
const selectorEstimate = (size: Range): Range =>
  addRange(range(10), addRange(scaleRange(size, 0.1), scaleRange(scaleRange(size, 0.5), 50)));

const selector: Partial<CelFunction> = {
  cost: (args) => selectorEstimate(range(costSize(args[1]!))).max,
  estimate: (args: readonly EstimatedArg[]): Estimate => ({ cost: selectorEstimate(args[1]!.size) }),
};

/** So much that an expression can ask twice, and no more. */
const CHECK_COST = 350_000;

function decide(value: Value | undefined, verb: Value | undefined): Value {
  if (value instanceof PathCheck) {
    const { authorizer, path } = value;
    return ask(authorizer, { verb: text(verb), path, group: '', resource: '', subresource: '', namespace: '', name: '' });
  }
  const { authorizer, request } = of(value, ResourceCheck);
  return ask(authorizer, { verb: text(verb), ...request });
}

function ask(authorizer: AuthorizerValue, request: CheckRequest): Decision {
  const { serviceAccount } = authorizer;
  return new Decision(authorizer.check(serviceAccount === undefined ? request : { ...request, serviceAccount }));
}

/** Checks of what a user may do, for policies. */
export const authorizerLibrary: readonly CelFunction[] = [
  {
    name: 'path',
    overloads: [member('authorizer_path', [AUTHORIZER, STRING], PATH_CHECK)],
    call: (value, path) => {
      if (text(path) === '') throw new CelError('path must not be empty');
      return new PathCheck(of(value, AuthorizerValue), text(path));
    },
  },
  {
    name: 'group',
    overloads: [member('authorizer_group', [AUTHORIZER, STRING], GROUP_CHECK)],
    call: (value, group) => new GroupCheck(of(value, AuthorizerValue), text(group)),
  },
  {
    name: 'serviceAccount',
    overloads: [member('authorizer_serviceaccount', [AUTHORIZER, STRING, STRING], AUTHORIZER)],
    call: (value, namespace, name) =>
      new AuthorizerValue(of(value, AuthorizerValue).check, { namespace: text(namespace), name: text(name) }),
  },
  {
    name: 'resource',
    overloads: [member('groupcheck_resource', [GROUP_CHECK, STRING], RESOURCE_CHECK)],
    call: (value, resource) => {
      const { authorizer, group } = of(value, GroupCheck);
      return new ResourceCheck(authorizer, { group, resource: text(resource), subresource: '', namespace: '', name: '' });
    },
  },
  refine('subresource', 'subresource', 'resourcecheck_subresource'),
  refine('namespace', 'namespace', 'resourcecheck_namespace'),
  refine('name', 'name', 'resourcecheck_name'),
  refine('fieldSelector', 'fieldSelector', 'authorizer_fieldselector', selector),
  refine('labelSelector', 'labelSelector', 'authorizer_labelselector', selector),
  {
    name: 'check',
    overloads: [
      member('pathcheck_check', [PATH_CHECK, STRING], DECISION),
      member('resourcecheck_check', [RESOURCE_CHECK, STRING], DECISION),
    ],
    call: decide,
    cost: () => CHECK_COST,
    estimate: () => ({ cost: range(CHECK_COST) }),
  },
  about('errored', BOOL, (d) => d.error !== undefined),
  about('error', STRING, (d) => d.error ?? ''),
  about('allowed', BOOL, (d) => d.allowed),
  about('reason', STRING, (d) => d.reason),
];
