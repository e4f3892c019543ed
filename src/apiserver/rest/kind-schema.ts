import type { GroupVersionKind } from '../../api/meta/object.ts';
import { parseApiVersion } from '../../api/meta/object.ts';
import { builtinSchema, hasBuiltinSchema } from '../../api/schema/builtin.ts';
import type { ObjectSchema } from '../../api/schema/schema.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

/** Groups whose Go package is not `k8s.io/api/<group>`. */
const packages: Readonly<Record<string, string>> = {
  'apiextensions.k8s.io': 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  'apiregistration.k8s.io': 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
};

/** The OpenAPI name that a built-in kind would have (`io.k8s.api.autoscaling.v1.Scale`); whether it exists is another question. */
export function builtinTypeName(kind: GroupVersionKind): string {
  const short = kind.group === '' ? 'core' : kind.group.replace(/\.k8s\.io$/, '').split('.')[0]!;
  return `${packages[kind.group] ?? `io.k8s.api.${short}`}.${kind.version}.${kind.kind}`;
}

/** The schema of an object that says what it is; undefined when it is of no built-in type. */
export function schemaOfObject(object: { readonly apiVersion?: string; readonly kind?: string }): ObjectSchema | undefined {
  const { apiVersion = '', kind = '' } = object;
  const { group, version } = parseApiVersion(apiVersion);
  const name = builtinTypeName({ group, version, kind });
  if (hasBuiltinSchema(name)) return builtinSchema(name);
  // Status and the discovery documents are of apimachinery, and say `v1`.
  const meta = `${META}.${kind}`;
  return (group === '' || group === 'meta.k8s.io') && hasBuiltinSchema(meta) ? builtinSchema(meta) : undefined;
}
