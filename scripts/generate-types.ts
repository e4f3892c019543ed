/**
 * Makes the two files that all knowledge of the built-in types comes from, out of the facts table:
 * `src/api/schema/facts.json` (the table itself, only the served group versions, compact) and
 * `src/api/types/*.ts` (one file of TypeScript interfaces per group version).
 *
 * usage: node scripts/generate-types.ts [path to k8s-api-facts.json]; without a path the committed table is read again.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

interface FactField {
  readonly type: string;
  readonly omitempty?: boolean;
  readonly optional?: boolean;
  readonly pointer?: boolean;
  readonly required?: boolean;
  readonly [fact: string]: unknown;
}
interface FactType {
  readonly fields?: Readonly<Record<string, FactField>>;
  readonly inline?: readonly { readonly type: string; readonly proto?: number }[];
  readonly alias?: string;
  readonly values?: readonly string[];
  readonly markers?: readonly string[];
}
interface Facts {
  readonly kubernetes: string;
  readonly types: Readonly<Record<string, FactType>>;
}

/** Group versions that v1.36 no longer serves, or serves only behind an alpha gate. */
const notServed =
  /\.(extensions\.v1beta1|apps\.v1beta[12]|(policy|batch|autoscaling|discovery|events)\.v1beta1|autoscaling\.v2beta.|flowcontrol\.v1beta.|apiserverinternal\.v1alpha1|imagepolicy\.v1alpha1|(rbac|node|storage|scheduling|authorization|authentication|coordination)\.v1(alpha|beta)\d|admissionregistration\.v1alpha1|certificates\.v1alpha1|resource\.v1alpha3|admission\.v1beta1)\./;

const committed = 'src/api/schema/facts.json';
const source = JSON.parse(readFileSync(process.argv[2] ?? committed, 'utf8')) as Facts;
const types = Object.fromEntries(Object.entries(source.types).filter(([name]) => !notServed.test(name)));
writeFileSync(committed, `${JSON.stringify({ kubernetes: source.kubernetes, types })}\n`);

const scalars: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'number',
  int64: 'number',
  uint32: 'number',
  uint64: 'number',
  float64: 'number',
  bytes: 'string',
  any: 'unknown',
};
/** Types whose JSON form is not their fields. */
const special: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Duration': 'string',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'number | string',
  'io.k8s.apimachinery.pkg.types.UID': 'string',
  'io.k8s.apimachinery.pkg.types.NodeName': 'string',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'Readonly<Record<string, unknown>>',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'Readonly<Record<string, unknown>>',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'unknown',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'JSONSchemaProps | boolean',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray':
    'JSONSchemaProps | readonly JSONSchemaProps[]',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'JSONSchemaProps | readonly string[]',
};

function moduleOf(type: string): string {
  const parts = type.split('.');
  if (type.startsWith('io.k8s.api.')) return `${parts[3]}-${parts[4]}`;
  if (type.startsWith('io.k8s.apimachinery.')) return 'meta-v1';
  return `${parts.at(-3)}-${parts.at(-2)}`;
}
const nameOf = (type: string): string => type.split('.').at(-1)!;

function tsType(type: string, from: string, imports: Map<string, Set<string>>): string {
  const generic = /^(list|map)<(.*)>$/.exec(type);
  if (generic) {
    const inner = tsType(generic[2]!, from, imports);
    return generic[1] === 'list'
      ? `readonly ${/[ |]/.test(inner) ? `(${inner})` : inner}[]`
      : `Readonly<Record<string, ${inner}>>`;
  }
  const known = scalars[type] ?? special[type];
  if (known !== undefined) return known;
  if (!(type in types)) return 'unknown';
  const module = moduleOf(type);
  if (module !== from) imports.set(module, (imports.get(module) ?? new Set()).add(nameOf(type)));
  return nameOf(type);
}

function fieldsOf(name: string): Record<string, FactField> {
  const type = types[name];
  const fields: Record<string, FactField> = {};
  for (const inline of type?.inline ?? []) Object.assign(fields, fieldsOf(inline.type));
  return Object.assign(fields, type?.fields);
}

const modules = new Map<string, string[]>();
const importsOf = new Map<string, Map<string, Set<string>>>();
for (const [name, type] of Object.entries(types)) {
  if (name in special && !special[name]!.includes('JSONSchema')) continue;
  if (name.startsWith('io.k8s.apimachinery.pkg.runtime.') || name.endsWith('core.v1.List')) continue;
  const module = moduleOf(name);
  const imports = importsOf.get(module) ?? new Map<string, Set<string>>();
  importsOf.set(module, imports);
  const out = modules.get(module) ?? [];
  modules.set(module, out);
  if (special[name] !== undefined) {
    out.push(`export type ${nameOf(name)} = ${special[name]};`);
  } else if (type.alias !== undefined) {
    const values = (type.values ?? []).filter((v) => typeof v === 'string');
    const base = tsType(type.alias, module, imports);
    out.push(
      base === 'string' && values.length > 0 && type.markers === undefined && 'enum' in type
        ? `export type ${nameOf(name)} = ${values.map((v) => JSON.stringify(v)).join(' | ')};`
        : `export type ${nameOf(name)} = ${base};`,
    );
  } else {
    const lines = Object.entries(fieldsOf(name)).map(([field, fact]) => {
      const optional = fact.omitempty || fact.optional || fact.pointer ? '?' : '';
      const key = /^[A-Za-z_$][\w$]*$/.test(field) ? field : JSON.stringify(field);
      return `  readonly ${key}${optional}: ${tsType(fact.type, module, imports)};`;
    });
    out.push(
      lines.length === 0
        ? `export type ${nameOf(name)} = Readonly<Record<string, never>>;`
        : `export interface ${nameOf(name)} {\n${lines.join('\n')}\n}`,
    );
  }
}
rmSync('src/api/types', { recursive: true, force: true });
mkdirSync('src/api/types', { recursive: true });
for (const [module, declarations] of modules) {
  const imports = [...importsOf.get(module)!].map(
    ([from, names]) => `import type { ${[...names].sort().join(', ')} } from './${from}.ts';`,
  );
  const head = `// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.\n`;
  writeFileSync(`src/api/types/${module}.ts`, `${[head + imports.join('\n'), ...declarations].join('\n\n')}\n`);
}
