import type { ScalarType, Schema } from './schema.ts';

const scalarGoTypes: Readonly<Record<ScalarType, string>> = {
  string: 'string',
  boolean: 'bool',
  int32: 'int32',
  int64: 'int64',
  uint32: 'uint32',
  uint64: 'uint64',
  float64: 'float64',
  bytes: '[]uint8',
  quantity: 'resource.Quantity',
  time: 'v1.Time',
  'micro-time': 'v1.MicroTime',
  duration: 'v1.Duration',
  'int-or-string': 'intstr.IntOrString',
};

/** The Go type upstream's decoding errors name: `int32`, `[]v1.Container`, `map[string]string`, `v1.DNSPolicy`. */
export function goTypeName(schema: Schema): string {
  if (schema.goType !== undefined) return schema.goType;
  switch (schema.kind) {
    case 'scalar':
      return scalarGoTypes[schema.type];
    case 'list':
      return `[]${goTypeName(schema.items)}`;
    case 'map':
      return `map[string]${goTypeName(schema.values)}`;
    case 'object':
    case 'any':
      return schema.name === undefined ? 'interface {}' : schema.name.split('.').slice(-2).join('.');
  }
}

/** The bare name of a struct: `DeploymentSpec`. */
export const structName = (name: string | undefined): string => (name === undefined ? '' : name.slice(name.lastIndexOf('.') + 1));
