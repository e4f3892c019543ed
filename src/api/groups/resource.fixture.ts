import { deepFreeze } from '../../util/deep-freeze.ts';
import { formatFieldError } from '../meta/field-error.ts';
import type { KubernetesObject } from '../meta/object.ts';
import type { RequestContext, Resource } from '../resource.ts';
import { builtinResources } from './index.ts';

/** The moment at which tests write and print. */
export const testNow: number = Date.UTC(2026, 0, 1);

export const testContext = (): RequestContext => ({
  user: { name: 'test', groups: [] },
  now: testNow,
  dryRun: false,
  warnings: [],
});

/** The built-in resource `batch/v1/jobs` or, of the core group, `v1/pods`. */
export function resourceOf(name: string): Resource {
  const parts = name.split('/');
  const [plural, version, group = ''] = [parts.pop(), parts.pop(), parts.pop()];
  const found = builtinResources.find((r) => r.group === group && r.version === version && r.plural === plural);
  if (found === undefined) throw new Error(`no built-in resource ${name}`);
  return found;
}

/** A partial object of any type, as a test writes it. */
// biome-ignore lint/suspicious/noExplicitAny: tests write wrong objects, too
export type Draft = any;

/** What becomes of `draft` on its way to validation: defaulted and prepared for its creation. */
export function created<T extends Draft = Draft>(resource: Resource, draft: Draft): T {
  const object = deepFreeze({ metadata: { name: 'a', namespace: 'default', uid: 'u' }, ...draft }) as KubernetesObject;
  return deepFreeze(resource.strategy.prepareForCreate(deepFreeze(resource.defaults(object)), testContext())) as T;
}

/** What is wrong with a new object, as a client reads it. */
export const createFaults = (resource: Resource, draft: Draft): readonly string[] =>
  resource.validate(created(resource, draft), testContext()).map(formatFieldError);

/** What becomes of the object `change` makes of `old` on its way to validation. */
export function updated<T extends Draft = Draft>(resource: Resource, old: Draft, change: (copy: Draft) => void): T {
  const copy = structuredClone(old);
  change(copy);
  const object = deepFreeze(resource.defaults(deepFreeze(copy)));
  return deepFreeze(resource.strategy.prepareForUpdate(object, deepFreeze(old), testContext())) as T;
}

/** What is wrong with the object that `change` makes of `old`. */
export const updateFaults = (resource: Resource, old: Draft, change: (copy: Draft) => void): readonly string[] =>
  resource.validateUpdate(updated(resource, old, change), old, testContext()).map(formatFieldError);

/** What is written, how it is then changed (undefined: not at all), and what is wrong with that. */
export type FaultCase = readonly [
  what: string,
  draft: Draft,
  change: ((object: Draft) => void) | undefined,
  faults: readonly string[],
];

/** What is wrong with a new object, or with what a change makes of it. */
export const faultsOf = (resource: Resource, draft: Draft, change: FaultCase[2]): readonly string[] =>
  change === undefined ? createFaults(resource, draft) : updateFaults(resource, created(resource, draft), change);

/** As `updateFaults`, through a subresource. */
export function subresourceFaults(
  resource: Resource,
  name: string,
  old: Draft,
  change: (copy: Draft) => void,
): readonly string[] {
  const subresource = resource.subresources[name];
  if (subresource === undefined) throw new Error(`${resource.plural} has no ${name}`);
  const copy = structuredClone(old);
  change(copy);
  const object = deepFreeze(subresource.strategy?.prepareForUpdate(deepFreeze(copy), deepFreeze(old), testContext()) ?? copy);
  return (subresource.validateUpdate?.(object, old, testContext()) ?? []).map(formatFieldError);
}

/** One row as `kubectl get -o wide` shows it, by the names of the columns. */
export function cells(resource: Resource, draft: Draft): Readonly<Record<string, unknown>> {
  const row = resource.row(deepFreeze(draft), testNow);
  return Object.fromEntries(resource.columns.map((c, i) => [c.name, row[i]]));
}
