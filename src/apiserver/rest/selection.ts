import { type FieldSelector, parseFieldSelector } from '../../api/meta/field-selector.ts';
import { type LabelSelector, parseLabelSelector, SelectorError } from '../../api/meta/label-selector.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest } from '../../api/meta/status.ts';
import type { RequestOptions } from '../../api/request.ts';
import type { Entry } from '../../store/collection.ts';
import type { Endpoint } from './endpoint.ts';

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
  const { labels, fields } = parse(labelSelector, fieldSelector);
  if (labels.empty && fields.empty) return everything;
  const tests = fields.requirements.map(({ field, operator, value }): FieldTest => {
    const read = fieldReader(endpoint, field);
    const wanted = operator === '=';
    return (entry) => (read(entry) === value) === wanted;
  });
  return {
    empty: false,
    name: fields.exactValue('metadata.name'),
    matches: (entry) => {
      if (!labels.empty && !labels.matches(entry.object.metadata?.labels)) return false;
      for (const test of tests) if (!test(entry)) return false;
      return true;
    },
  };
}

type FieldTest = (entry: Entry<KubernetesObject>) => boolean;

function parse(labels: string, fields: string): { readonly labels: LabelSelector; readonly fields: FieldSelector } {
  try {
    return { labels: parseLabelSelector(labels), fields: parseFieldSelector(fields) };
  } catch (err) {
    throw err instanceof SelectorError ? badRequest(err.message) : err;
  }
}

function fieldReader(endpoint: Endpoint, field: string): (entry: Entry<KubernetesObject>) => string {
  if (field === 'metadata.name') return (entry) => entry.object.metadata?.name ?? '';
  const { namespaced, fieldSelectors } = endpoint.resource;
  if (field === 'metadata.namespace' && (namespaced || hasPlainSelectors(endpoint))) {
    return (entry) => entry.object.metadata?.namespace ?? '';
  }
  const read = fieldSelectors[field];
  if (read === undefined) throw badRequest(unknownField(endpoint, field));
  return (entry) => read(endpoint.object(entry));
}

/** Whether a type has only the selectors that every built-in type has. */
const hasPlainSelectors = ({ resource }: Endpoint): boolean =>
  resource.schema.kind === 'object' && resource.schema.name !== undefined && Object.keys(resource.fieldSelectors).length === 0;

/** Each conversion has its own words for a field it does not know. */
function unknownField(endpoint: Endpoint, field: string): string {
  if (hasPlainSelectors(endpoint)) {
    return `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;
  }
  switch (endpoint.id) {
    case 'batch/jobs':
      return `field label ${JSON.stringify(field)} not supported for batchv1.Job`;
    case 'resource.k8s.io/resourceslices':
      return `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`;
    default:
      return `field label not supported: ${field}`;
  }
}
