import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commonDescriptions } from '../api/custom-resource/published-schema.ts';
import type { Descriptions } from '../api/schema/openapi.ts';

/**
 * By class name of @kubernetes/client-node: the type's description and those of its fields (`scripts/descriptions.mjs`). The parameters of
 * requests are the fields of `parameters`.
 */
type Table = Readonly<Record<string, readonly [string, Readonly<Record<string, string>>]>>;

/**
 * Reads what the build put beside the bundle; undefined when k8ts runs from its sources. Nothing of it is kept: it is megabytes, and the
 * documents made with it are.
 */
export function loadDescriptions(): Descriptions | undefined {
  const file = fileURLToPath(new URL('descriptions.json', import.meta.url));
  if (!existsSync(file)) return undefined;
  return describedBy(JSON.parse(readFileSync(file, 'utf8')) as Table);
}

/** Finds the classes that the types of OpenAPI have become. */
export function describedBy(table: Table): Descriptions {
  const entry = (type: string): Table[string] | undefined => {
    for (const name of classNames(type)) if (Object.hasOwn(table, name)) return table[name];
    return undefined;
  };
  const within = (fields: Readonly<Record<string, string>> | undefined, field: string): string | undefined => {
    if (fields === undefined) return undefined;
    // Names that are no names in JavaScript: `continue` is `_continue`, `x-kubernetes-int-or-string` has underscores.
    const names = [field, `_${field}`, field.replaceAll('-', '_')];
    return names.map((n) => (Object.hasOwn(fields, n) ? fields[n] : undefined)).find((text) => text !== undefined && text !== '');
  };
  return {
    type: (name) => entry(name)?.[0] || undefined,
    field: (type, field) => {
      const fields = entry(type)?.[1];
      // The models say nothing of fields that are objects of their own. This one all kinds have, told in much the same words.
      const isMetadata = field === 'metadata' && fields !== undefined && Object.hasOwn(fields, 'kind');
      const metadata = type.endsWith('List') ? commonDescriptions.listMetadata : commonDescriptions.metadata;
      return within(fields, field) ?? (isMetadata ? metadata : undefined);
    },
    parameter: (name) => within(table['parameters']?.[1], name),
  };
}

/**
 * The class for `io.k8s.api.core.v1.Pod` is `V1Pod`; where several groups have a type of that name the group stands in front,
 * `CoreV1Event`.
 */
function classNames(type: string): readonly string[] {
  const [kind = '', version = '', group = ''] = type.split('.').reverse();
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  return [`${capital(group)}${capital(version)}${kind}`, `${capital(version)}${kind}`];
}
