import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest } from '../../api/meta/status.ts';
import type { RequestOptions } from '../../api/request.ts';
import type { Entry } from '../../store/collection.ts';
import type { Endpoint } from './endpoint.ts';
import { parseFieldSelector, parseLabelSelector } from './selector-text.ts';

/** What a list, watch or deletecollection is restricted to. */
export interface Selection {
  /** No restriction: `matches` is always true. */
  readonly empty: boolean;
  /** The one name that can match, when the field selector asks for exactly one. */
  readonly name: string | undefined;
  matches(entry: Entry<KubernetesObject>): boolean;
}

const everything: Selection = { empty: true, name: undefined, matches: () => true };

/** Compiles the selectors of a request. 400 for text that is no selector, and for fields that the type does not select by. */
export function compileSelection(endpoint: Endpoint, options: RequestOptions): Selection {
  const { labelSelector = '', fieldSelector = '' } = options;
  if (labelSelector === '' && fieldSelector === '') return everything;
  const labels = parseLabelSelector(labelSelector);
  const fields = compileFields(endpoint, fieldSelector);
  if (labels === undefined && fields.tests.length === 0) return everything;
  return {
    empty: false,
    name: fields.name,
    matches: (entry) => {
      const { metadata } = entry.object;
      if (labels !== undefined && !labels(metadata?.labels)) return false;
      for (const test of fields.tests) if (!test(entry)) return false;
      return true;
    },
  };
}

type FieldTest = (entry: Entry<KubernetesObject>) => boolean;

function compileFields(
  endpoint: Endpoint,
  text: string,
): { readonly tests: readonly FieldTest[]; readonly name: string | undefined } {
  let name: string | undefined;
  const tests = parseFieldSelector(text).map(({ field, value, negated }): FieldTest => {
    if (field === 'metadata.name' && !negated) name = value;
    const read = fieldReader(endpoint, field);
    return (entry) => (read(entry) === value) !== negated;
  });
  return { tests, name };
}

function fieldReader(endpoint: Endpoint, field: string): (entry: Entry<KubernetesObject>) => string {
  if (field === 'metadata.name') return (entry) => entry.object.metadata?.name ?? '';
  if (field === 'metadata.namespace' && endpoint.resource.namespaced) return (entry) => entry.object.metadata?.namespace ?? '';
  const read = endpoint.resource.fieldSelectors[field];
  if (read === undefined) throw badRequest(`field label not supported: ${field}`);
  return (entry) => read(endpoint.object(entry));
}
