import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../api/types/apiextensions-v1.ts';

/** A version of the widgets of the tests; `properties` are added to its spec. */
export function version(
  name: string,
  properties: Record<string, JSONSchemaProps> = {},
  more: JSONSchemaProps = {},
): CustomResourceDefinitionVersion {
  return {
    name,
    served: true,
    storage: true,
    subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.replicas' } },
    selectableFields: [{ jsonPath: '.spec.name' }],
    additionalPrinterColumns: [
      { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: {
              size: { type: 'integer', maximum: 10 },
              color: { type: 'string', enum: ['red', 'green'], default: 'red' },
              name: { type: 'string', pattern: '^[a-z]+$' },
              open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              either: { 'x-kubernetes-int-or-string': true },
              tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
              ...properties,
            },
            ...more,
          },
          status: {
            type: 'object',
            'x-kubernetes-preserve-unknown-fields': true,
            properties: { replicas: { type: 'integer' } },
          },
        },
      },
    },
  };
}

/** The definition of widgets.example.com, or of another plural. */
export function definition(
  names: { readonly plural?: string; readonly kind?: string } = {},
  ...versions: readonly CustomResourceDefinitionVersion[]
): CustomResourceDefinition {
  const plural = names.plural ?? 'widgets';
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: {
        plural,
        kind: names.kind ?? 'Widget',
        ...(names.plural === undefined ? {} : { singular: plural.replace(/s$/, '') }),
      },
      versions: versions.length > 0 ? versions : [version('v1')],
    },
  };
}
