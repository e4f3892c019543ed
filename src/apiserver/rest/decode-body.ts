import { apiVersionOf, type KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, invalidObject } from '../../api/meta/status.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { Resource } from '../../api/resource.ts';
import { hasBuiltinSchema } from '../../api/schema/builtin.ts';
import { cannotBeHandled, type DecodeOptions, decode, strictDecodingMessage, strictProblems } from '../../api/schema/decode.ts';
import type { Schema } from '../../api/schema/schema.ts';
import type { DuplicateFields } from '../../api/wire/json.ts';
import { JSON_FAULT } from '../../api/wire/json-members.ts';

/** What decoding needs of a request; a `Scope` fits. */
export interface BodyReader {
  readonly request: ApiRequest;
  readonly duplicateFields: readonly string[];
  readonly warnings: string[];
}

/** A type a body can be decoded as. */
export interface BodyType {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Schema;
  /** Versions of the same fields that are taken for it. */
  readonly olderVersions?: readonly string[] | undefined;
}

/** The body of a create or update as an object of the endpoint's type, pruned and with defaults. */
export function decodeBody(scope: BodyReader, resource: Resource): KubernetesObject {
  return resource.defaults(decodeAs(scope, resource));
}

/** The body as an object of `type`, unknown fields handled as `fieldValidation` says. No defaults beyond the schema's. */
export function decodeAs<T extends KubernetesObject>(scope: BodyReader, type: BodyType): T {
  const { body } = scope.request;
  const { kind, apiVersion } = typeOfBody(body);
  const expected = apiVersionOf(type);
  if (kind === '' && isCustom(type)) {
    throw cannotBeHandled(`Object 'Kind' is missing in '${JSON.stringify(body)}'`, type);
  }
  if ((kind !== '' && kind !== type.kind) || (apiVersion !== '' && apiVersion !== expected))
    checkKind(type, body as KubernetesObject, kind, apiVersion);
  const { object, unknownFields } = decodeValue<T>(type, body);
  const refuse = (message: string): Error => cannotBeHandled(message, { kind: type.kind, version: type.version });
  reportUnknown(scope, unknownFields, scope.duplicateFields, refuse, !isCustom(type));
  return object.kind === type.kind && object.apiVersion === expected
    ? object
    : { ...object, kind: type.kind, apiVersion: expected };
}

/** What a body says of its own type; '' when it says nothing. Throws for what is no object of any kind. */
export function typeOfBody(body: unknown): { readonly kind: string; readonly apiVersion: string } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest(`${JSON_FAULT}json: cannot unmarshal ${jsonType(body)} into Go value of type struct`);
  }
  const [kind, apiVersion] = [typeField(body, 'kind'), typeField(body, 'apiVersion')];
  if (apiVersion.indexOf('/') !== apiVersion.lastIndexOf('/')) throw badRequest(`unexpected GroupVersion string: ${apiVersion}`);
  return { kind, apiVersion };
}

/** Whether a type is one that a definition made, or is not known. */
export const isCustom = ({ schema }: BodyType): boolean => schema.kind !== 'object' || schema.name === undefined;

/** An object of another kind, or another version, than the request is about. */
function checkKind(type: BodyType, body: KubernetesObject, kind: string, apiVersion: string): void {
  const slash = apiVersion.lastIndexOf('/');
  const group = apiVersion === '' ? type.group : apiVersion.slice(0, Math.max(0, slash));
  const version = apiVersion === '' ? type.version : apiVersion.slice(slash + 1);
  const isOlder = group === type.group && type.olderVersions?.includes(version) === true;
  if (!isCustom(type) && (group !== type.group || (kind !== '' && kind !== type.kind))) {
    const said = kind === '' ? type.kind : kind;
    const cause = hasBuiltinSchema(`io.k8s.api.${packageOf(group)}.${version}.${said}`)
      ? `converting (${version}.${said}) to (${packageOf(type.group)}.${type.kind}): unknown conversion`
      : `no kind ${JSON.stringify(said)} is registered for version ${JSON.stringify(apiVersion || apiVersionOf(type))} in scheme "pkg/api/legacyscheme/scheme.go:30"`;
    throw cannotBeHandled(cause, { kind: said, version, into: type.kind });
  }
  if ((group !== type.group || version !== type.version) && !isOlder) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${apiVersionOf(type)})`,
    );
  }
  if (kind !== '' && kind !== type.kind) {
    const detail = `must be ${type.kind}`;
    throw invalidObject(type, body.metadata?.name ?? '', [{ type: 'FieldValueInvalid', path: 'kind', value: kind, detail }]);
  }
}

/** The Go package of a group's types: `rbac` for `rbac.authorization.k8s.io`. */
const packageOf = (group: string): string => (group === '' ? 'core' : group.split('.', 1)[0]!);

function typeField(body: object, name: 'kind' | 'apiVersion'): string {
  const value = (body as Record<string, unknown>)[name] ?? '';
  if (typeof value === 'string') return value;
  throw badRequest(`${JSON_FAULT}json: cannot unmarshal ${jsonType(value)} into Go struct field .${name} of type string`);
}

/**
 * A JSON value as an object of `type`: built-in types as Go decodes them, custom ones pruned, with the defaults that
 * the schema tells. Of the options, `known` is an object of this type, with its defaults, that the value was made from.
 */
export function decodeValue<T>(
  type: BodyType,
  value: unknown,
  options?: Pick<DecodeOptions, 'known' | 'merged' | 'failure'>,
): { readonly object: T; readonly unknownFields: readonly string[] } {
  const decoded = decode<T>(type.schema, value, { ...options, kind: type.kind, version: type.version });
  return resetsManagedFields(value) ? { ...decoded, object: withReset(decoded.object as KubernetesObject) as T } : decoded;
}

/** An empty list of managedFields is no absent one: it asks for tracking to begin anew. Decoding drops it. */
function resetsManagedFields(value: unknown): boolean {
  const sent: unknown = (value as KubernetesObject | null)?.metadata?.managedFields;
  return Array.isArray(sent) && sent.length === 0;
}

/** A list of one empty entry asks for the same, and is kept. */
const withReset = (object: KubernetesObject): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, managedFields: [{}] },
});

/** Strict: throws `failure`. Warn, which is the default: Warning headers. Ignore: nothing. `inOrderMet` as in `strictProblems`. */
export function reportUnknown(
  scope: BodyReader,
  unknownFields: readonly string[],
  duplicateFields: DuplicateFields,
  failure: (message: string) => Error,
  inOrderMet = false,
): void {
  if (unknownFields.length === 0 && duplicateFields.length === 0) return;
  const mode = scope.request.options.fieldValidation || 'Warn';
  if (mode !== 'Strict' && mode !== 'Warn') return;
  const problems = strictProblems(unknownFields, duplicateFields, inOrderMet);
  if (mode === 'Strict') throw failure(strictDecodingMessage(problems));
  scope.warnings.push(...problems);
}

/** What Go calls a JSON value of this kind. */
export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return value === null || value === undefined
    ? 'null'
    : typeof value === 'boolean'
      ? 'bool'
      : typeof value === 'bigint'
        ? 'number'
        : typeof value;
}
