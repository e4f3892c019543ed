import { apiVersionOf } from '../../api/meta/object.ts';
import { badRequest, unsupportedMediaType } from '../../api/meta/status.ts';
import { type ApiRequest, type PatchType, patchTypes, type RequestOptions } from '../../api/request.ts';
import { builtinSchema } from '../../api/schema/builtin.ts';
import type { DeleteOptions } from '../../api/types/meta-v1.ts';
import { parseJson } from '../../api/wire/json.ts';
import { decodeProtobuf, openProtobuf } from '../../api/wire/protobuf.ts';
import type { RepeatedText } from '../../api/wire/repeated-text.ts';
import { parseYaml } from '../../api/wire/yaml.ts';
import { type BodyType, decodeValue, isCustom, typeOfBody } from '../rest/decode-body.ts';
import { bodyEncoding, bodyType, type Encoding } from './negotiation.ts';
import { unreadableObject, unreadablePatch } from './unreadable-body.ts';

/** A body as the operations take it: a JSON value, whatever it was written in. */
export interface RequestBody {
  readonly value: unknown;
  /** Fields that it had twice, as strict decoding tells them. */
  readonly duplicateFields: readonly string[];
}

const none: readonly string[] = [];
const builtinEncodings: readonly Encoding[] = ['json', 'yaml', 'protobuf'];
const customEncodings: readonly Encoding[] = ['json', 'yaml'];
const DELETE_OPTIONS: BodyType = {
  group: 'meta.k8s.io',
  version: 'v1',
  kind: 'DeleteOptions',
  get schema() {
    return builtinSchema('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions');
  },
};

/** The encoding of an object that is to be created or updated. Throws 415. `type` is what it is for, where that is known. */
export function objectEncoding(contentType: string | undefined, type: BodyType | undefined): Encoding {
  const builtin = type?.schema.kind === 'object' && type.schema.name !== undefined;
  return bodyEncoding(bodyType(contentType), builtin ? builtinEncodings : customEncodings);
}

/**
 * Reads an object. `duplicates` false does not look for fields given twice. `repeated` remembers parts of JSON that come again. `read` is the
 * body where it was read elsewhere. Throws 400 for what cannot be read, or is no object of any kind.
 */
export function readObject(
  body: Buffer,
  encoding: Encoding,
  type: BodyType | undefined,
  duplicates: boolean,
  repeated?: RepeatedText,
  read?: RequestBody,
): RequestBody {
  try {
    const parsed = read ?? parse(body, encoding, type, duplicates, repeated, type !== undefined && isCustom(type));
    if (type !== undefined) typeOfBody(parsed.value);
    return parsed;
  } catch (err) {
    throw unreadableObject(err, body, type?.kind);
  }
}

function parse(
  body: Buffer,
  encoding: Encoding,
  type: BodyType | undefined,
  duplicates: boolean,
  repeated: RepeatedText | undefined,
  exact: boolean,
): RequestBody {
  switch (encoding) {
    case 'json':
      return parseJson(body, { duplicates, repeated, exact });
    case 'yaml': {
      const quick = body[0] === OPEN_BRACE ? readJsonAsYaml(body, duplicates, repeated, exact) : undefined;
      if (quick !== undefined) return quick;
      const parsed = parseYaml(body.toString('utf8'));
      return duplicates ? parsed : { value: parsed.value, duplicateFields: none };
    }
    case 'protobuf':
      return { value: readProtobuf(body, type), duplicateFields: none };
  }
}

const OPEN_BRACE = 0x7b;

/** JSON is YAML, and most of what comes as YAML is JSON. What is none, or has something to be told of, is for the slow reader. */
function readJsonAsYaml(
  body: Buffer,
  duplicates: boolean,
  repeated: RepeatedText | undefined,
  exact: boolean,
): RequestBody | undefined {
  try {
    const parsed = parseJson(body, { duplicates, repeated, exact });
    return parsed.duplicateFields.length === 0 ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function readProtobuf(body: Buffer, type: BodyType | undefined): unknown {
  const envelope = openProtobuf(body);
  const { apiVersion, kind } = envelope;
  // What says that it is something else is refused by whoever decodes it further; its fields mean nothing here.
  const other =
    (kind !== '' && kind !== type?.kind) || (apiVersion !== '' && type !== undefined && apiVersion !== apiVersionOf(type));
  return type === undefined || other ? { apiVersion, kind } : decodeProtobuf(type.schema, envelope);
}

/** The kind of a PATCH, by its content type. Throws the 415 that names those that are `accepted`. */
export function patchTypeOf(contentType: string | undefined, accepted: readonly PatchType[]): PatchType {
  const type = bodyType(contentType) as PatchType;
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted);
  return type;
}

/** Whether a body is YAML, by its content type. */
export const isYaml = (contentType: string | undefined): boolean => bodyType(contentType).includes('yaml');

/** Reads the body of a PATCH. `exact` keeps the digits of large integers, for custom resources. */
export function readPatch(
  body: Buffer,
  type: PatchType,
  duplicates: boolean,
  repeated?: RepeatedText,
  exact = false,
): RequestBody {
  try {
    return parse(body, type === patchTypes.apply ? 'yaml' : 'json', undefined, duplicates, repeated, exact);
  } catch (err) {
    throw unreadablePatch(err, type);
  }
}

/** The DeleteOptions of a body, which take the place of those in the query; the request as it is when there is no body. */
export function withDeleteOptions(
  request: ApiRequest,
  body: Buffer,
  contentType: string | undefined,
  read?: RequestBody,
): ApiRequest {
  if (body.length === 0) return request;
  const encoding = objectEncoding(contentType, DELETE_OPTIONS);
  const { value } =
    encoding === 'protobuf'
      ? { value: decodeProtobuf(DELETE_OPTIONS.schema, openProtobuf(body)) }
      : (read ?? readObject(body, encoding, DELETE_OPTIONS, false));
  const { kind, gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun } = decodeValue<DeleteOptions>(
    DELETE_OPTIONS,
    value,
  ).object;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(`decoded object cannot be converted to DeleteOptions: ${kind}`);
  }
  const list = request.options;
  const options: RequestOptions = {
    ...(list.labelSelector === undefined ? {} : { labelSelector: list.labelSelector }),
    ...(list.fieldSelector === undefined ? {} : { fieldSelector: list.fieldSelector }),
    ...(list.resourceVersion === undefined ? {} : { resourceVersion: list.resourceVersion }),
    ...(list.limit === undefined ? {} : { limit: list.limit }),
    ...(list.continue === undefined ? {} : { continue: list.continue }),
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    ...(orphanDependents === undefined ? {} : { orphanDependents }),
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(dryRun === undefined || dryRun.length === 0 ? {} : { dryRun }),
  };
  return { ...request, options };
}
