import { apiVersionOf, type KubernetesObject } from '../../api/meta/object.ts';
import { badRequest } from '../../api/meta/status.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { Resource } from '../../api/resource.ts';
import { cannotBeHandled, type DecodeOptions, decode, strictDecodingMessage, strictProblems } from '../../api/schema/decode.ts';
import type { Schema } from '../../api/schema/schema.ts';

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
  const body = scope.request.body;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonType(body)} into Go value of type struct`,
    );
  }
  const [kind, apiVersion] = [typeField(body, 'kind'), typeField(body, 'apiVersion')];
  const expected = apiVersionOf(type);
  const isOlder = (): boolean => type.olderVersions?.includes(apiVersion.slice(type.group.length + 1)) === true;
  if (apiVersion !== '' && apiVersion !== expected && !isOlder()) {
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${expected})`);
  }
  if (kind !== '' && kind !== type.kind) {
    throw badRequest(
      `${kind} in version ${JSON.stringify(type.version)} cannot be handled as a ${type.kind}: no kind ${JSON.stringify(kind)} matches the request`,
    );
  }
  const { object, unknownFields } = decodeValue<T>(type, body);
  reportUnknown(scope, unknownFields, scope.duplicateFields, (message) =>
    cannotBeHandled(message, { kind: type.kind, version: type.version }),
  );
  return object.kind === type.kind && object.apiVersion === expected
    ? object
    : { ...object, kind: type.kind, apiVersion: expected };
}

/** What a body says of its own type; '' when it says nothing. */
function typeField(body: object, name: 'kind' | 'apiVersion'): string {
  const value = (body as Record<string, unknown>)[name] ?? '';
  if (typeof value === 'string') return value;
  throw badRequest(
    `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonType(value)} into Go struct field .${name} of type string`,
  );
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

/** Strict: throws `failure`. Warn, which is the default: Warning headers. Ignore: nothing. */
export function reportUnknown(
  scope: BodyReader,
  unknownFields: readonly string[],
  duplicateFields: readonly string[],
  failure: (message: string) => Error,
): void {
  if (unknownFields.length === 0 && duplicateFields.length === 0) return;
  const mode = scope.request.options.fieldValidation ?? 'Warn';
  if (mode === 'Strict') throw failure(strictDecodingMessage(unknownFields, duplicateFields));
  if (mode === 'Warn') scope.warnings.push(...strictProblems(unknownFields, duplicateFields));
}

/** What Go calls a JSON value of this kind. */
export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return value === null || value === undefined ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value;
}
