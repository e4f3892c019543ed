import { definitionRef, type OpenApiVersion } from '../schema/openapi.ts';
import type { JSONSchemaProps, SelectableField } from '../types/apiextensions-v1.ts';

type Json = Readonly<Record<string, unknown>>;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** What is said of the fields that every object has. */
export const commonDescriptions = {
  apiVersion:
    'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  kind: 'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
  metadata:
    "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  listMetadata:
    'Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
  embeddedApiVersion:
    'apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  embeddedKind:
    'kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
} as const;

/**
 * What OpenAPI says of a custom resource: its definition's schema as it was written, with the fields that every object has. OpenAPI v2 cannot
 * say everything, and kubectl before 1.27 stumbles over the rest, so upstream leaves that out there (ToStructuralOpenAPIV2).
 */
export function publishedSchema(
  props: JSONSchemaProps,
  selectable: readonly SelectableField[] = [],
): (version: OpenApiVersion) => Json {
  const fields = selectableFields(selectable.map(({ jsonPath }) => jsonPath.replace(/^\./, '')));
  return (version) => {
    if (version === 'v2' && props['x-kubernetes-preserve-unknown-fields'] === true) return { type: 'object', ...fields };
    const node = version === 'v2' ? forV2(props) : forV3(props);
    const properties = { ...typeFields(commonDescriptions.apiVersion, commonDescriptions.kind), metadata: objectMeta(version) };
    return { ...node, properties: { ...(node['properties'] as Json | undefined), ...properties }, ...fields };
  };
}

/** What OpenAPI says of a list of custom resources; `item` is the definition of one, `selectable` the paths of fields that select. */
export function publishedList(
  resource: { readonly kind: string; readonly listKind: string; readonly plural: string },
  item: string,
  selectable: readonly string[],
  version: OpenApiVersion,
): Json {
  const guide = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
  const items = { $ref: definitionRef(item, version) };
  return {
    description: `${resource.listKind} is a list of ${resource.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeFields(commonDescriptions.apiVersion, commonDescriptions.kind),
      items: { description: `List of ${resource.plural}. More info: ${guide}`, type: 'array', items },
      metadata: described(commonDescriptions.listMetadata, `${META}.ListMeta`, version),
    },
    ...selectableFields(selectable),
  };
}

const selectableFields = (paths: readonly string[]): Json =>
  paths.length === 0 ? {} : { 'x-kubernetes-selectable-fields': paths.map((fieldPath) => ({ fieldPath })) };

const typeFields = (apiVersion: string, kind: string): Json => ({
  apiVersion: { description: apiVersion, type: 'string' },
  kind: { description: kind, type: 'string' },
});

/** A reference with words of its own; in v3 nothing may stand beside a reference itself. */
function described(description: string, name: string, version: OpenApiVersion): Json {
  const $ref = definitionRef(name, version);
  return version === 'v2' ? { description, $ref } : { description, allOf: [{ $ref }] };
}

const objectMeta = (version: OpenApiVersion): Json => described(commonDescriptions.metadata, `${META}.ObjectMeta`, version);

/** A whole resource within another: it has to say what it is. */
function embedded(node: Json, version: OpenApiVersion): Json {
  const types = typeFields(commonDescriptions.embeddedApiVersion, commonDescriptions.embeddedKind);
  const required = (node['required'] as readonly string[] | undefined) ?? [];
  return {
    ...node,
    properties: { ...(node['properties'] as Json | undefined), ...types, metadata: objectMeta(version) },
    required: [...required, ...['kind', 'apiVersion'].filter((name) => !required.includes(name))],
  };
}

function mapNodes(props: JSONSchemaProps, change: (child: JSONSchemaProps) => Json): Json {
  const { properties, items, additionalProperties } = props;
  return {
    ...props,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, change(child)])) }),
    ...(items === undefined || Array.isArray(items) ? {} : { items: change(items as JSONSchemaProps) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: change(additionalProperties) } : {}),
  };
}

/** What x-kubernetes-int-or-string stands for (upstream's Unfold). */
const intOrString: Json = { anyOf: [{ type: 'integer' }, { type: 'string' }] };

function unfolded(props: JSONSchemaProps): Json {
  const node = mapNodes(props, forV3);
  if (props['x-kubernetes-int-or-string'] !== true) return node;
  return props.anyOf === undefined ? { ...node, ...intOrString } : { ...node, allOf: [intOrString, ...(props.allOf ?? [])] };
}

function forV3(props: JSONSchemaProps): Json {
  const node = unfolded(props);
  return props['x-kubernetes-embedded-resource'] === true ? embedded(node, 'v3') : node;
}

function forV2(props: JSONSchemaProps): Json {
  const {
    allOf: _allOf,
    oneOf: _oneOf,
    anyOf: _anyOf,
    not: _not,
    nullable = false,
    default: _default,
    'x-kubernetes-validations': _rules,
    ...rest
  } = mapNodes(props, forV2) as Json & { nullable?: boolean };
  const open = props['x-kubernetes-preserve-unknown-fields'] === true;
  const out: Record<string, unknown> = { ...rest };
  if (nullable || open) {
    delete out['items'];
    delete out['properties'];
  }
  if (nullable || (open && out['type'] === 'object') || (out['type'] === 'array' && out['items'] === undefined)) {
    delete out['type'];
  }
  const required = props.required?.filter((name) => props.properties?.[name]?.nullable !== true);
  if (required !== undefined && required.length > 0) out['required'] = required;
  else delete out['required'];
  // kubectl would refuse what is open here if it knew of any fields.
  return props['x-kubernetes-embedded-resource'] === true && !open ? embedded(out, 'v2') : out;
}
