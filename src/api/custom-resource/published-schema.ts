import { definitionRef, type OpenApiVersion } from '../schema/openapi.ts';
import type { JSONSchemaProps, SelectableField } from '../types/apiextensions-v1.ts';

type Json = Readonly<Record<string, unknown>>;

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

const descriptions = {
  apiVersion:
    'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  kind: 'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
  metadata:
    "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
} as const;

/**
 * What OpenAPI says of a custom resource: its definition's schema as it was written, with the fields that every object has. OpenAPI v2 cannot
 * say everything, and kubectl before 1.27 stumbles over the rest, so upstream leaves that out there (ToStructuralOpenAPIV2).
 */
export function publishedSchema(
  props: JSONSchemaProps,
  selectable: readonly SelectableField[] = [],
): (version: OpenApiVersion) => Json {
  const fields = selectable.length === 0 ? {} : { 'x-kubernetes-selectable-fields': selectable.map(fieldPath) };
  return (version) => {
    if (version === 'v2' && props['x-kubernetes-preserve-unknown-fields'] === true) return { type: 'object' };
    const node = version === 'v2' ? forV2(props) : forV3(props);
    return { ...withObjectFields(node, version, true), ...(version === 'v3' ? fields : {}) };
  };
}

const fieldPath = ({ jsonPath }: SelectableField): Json => ({ fieldPath: jsonPath.replace(/^\./, '') });

function withObjectFields(node: Json, version: OpenApiVersion, replaceMetadata: boolean): Json {
  const $ref = definitionRef(OBJECT_META, version);
  const { metadata: description } = descriptions;
  const metadata = version === 'v2' ? { description, $ref } : { description, allOf: [{ $ref }] };
  const properties = node['properties'] as Json | undefined;
  return {
    ...node,
    properties: {
      ...properties,
      apiVersion: { description: descriptions.apiVersion, type: 'string' },
      kind: { description: descriptions.kind, type: 'string' },
      ...(replaceMetadata || properties?.['metadata'] === undefined ? { metadata } : {}),
    },
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
  return props['x-kubernetes-embedded-resource'] === true && props.properties !== undefined
    ? withObjectFields(node, 'v3', true)
    : node;
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
  return props['x-kubernetes-embedded-resource'] === true && out['properties'] !== undefined
    ? withObjectFields(out, 'v2', true)
    : out;
}
