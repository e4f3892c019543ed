import { type FieldError, FieldPath, invalid, required, tooLong } from '../../meta/field-error.ts';
import { isConfigMapKey, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { Secret } from '../../types/core-v1.ts';
import { jsonSyntaxProblem } from '../../wire/json-syntax.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, immutable, sealedFields } from '../field-checks.ts';
import { base64Bytes, maxDataBytes } from './config-map.ts';
import { keyPairFault } from './key-pair-fault.ts';

const define = groupVersion('', 'v1');
const dataPath = new FieldPath('data');

/** stringData is write-only: it goes into data, over what is there. Upstream does this in the conversion to its internal type. */
function foldStringData(object: Secret): Secret {
  if (object.stringData === undefined) return object;
  const { stringData, ...rest } = object;
  const added = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')] as const);
  return added.length === 0 ? rest : { ...rest, data: { ...rest.data, ...Object.fromEntries(added) } };
}

function jsonObjectFaults(key: string, value: string | undefined): readonly FieldError[] {
  if (value === undefined) return [required(dataPath.key(key))];
  const bytes = Buffer.from(value, 'base64');
  const problem = jsonSyntaxProblem(bytes);
  if (problem !== undefined) return [redacted(key, problem)];
  const parsed: unknown = JSON.parse(bytes.toString());
  if (parsed === null || (typeof parsed === 'object' && !Array.isArray(parsed))) return [];
  const found = Array.isArray(parsed) ? 'array' : typeof parsed === 'boolean' ? 'bool' : typeof parsed;
  return [redacted(key, `json: cannot unmarshal ${found} into Go value of type map[string]interface {}`)];
}

const redacted = (key: string, detail: string): FieldError => invalid(dataPath.key(key), '<secret contents redacted>', detail);

/** What each well-known type demands. */
function typeFaults(object: Secret): readonly FieldError[] {
  const data = object.data ?? {};
  switch (object.type) {
    case 'kubernetes.io/service-account-token': {
      const key = 'kubernetes.io/service-account.name';
      return object.metadata?.annotations?.[key] ? [] : [required(new FieldPath('metadata.annotations').key(key))];
    }
    case 'kubernetes.io/dockercfg':
      return jsonObjectFaults('.dockercfg', data['.dockercfg']);
    case 'kubernetes.io/dockerconfigjson':
      return jsonObjectFaults('.dockerconfigjson', data['.dockerconfigjson']);
    case 'kubernetes.io/basic-auth':
      if (data['username'] !== undefined || data['password'] !== undefined) return [];
      return [required(dataPath.key('username')), required(dataPath.key('password'))];
    case 'kubernetes.io/ssh-auth':
      return data['ssh-privatekey'] ? [] : [required(dataPath.key('ssh-privatekey'))];
    case 'kubernetes.io/tls':
      return ['tls.crt', 'tls.key'].filter((key) => data[key] === undefined).map((key) => required(dataPath.key(key)));
    default:
      return [];
  }
}

function validate(object: Secret): readonly FieldError[] {
  const errors: FieldError[] = [];
  let total = 0;
  for (const [key, value] of Object.entries(object.data ?? {})) {
    errors.push(...check(dataPath.key(key), key, isConfigMapKey));
    total += base64Bytes(value);
  }
  if (total > maxDataBytes) errors.push(tooLong(dataPath, maxDataBytes));
  return [...errors, ...typeFaults(object)];
}

export const secret = define<Secret>({
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  defaults: (object) => {
    const folded = foldStringData(object);
    return folded.type === undefined || folded.type === '' ? { ...folded, type: 'Opaque' } : folded;
  },
  validate,
  validateUpdate: (object, old) => [
    ...immutable('type', object.type ?? '', old.type ?? ''),
    ...sealedFields(object, old, ['data']),
    ...validate(object),
  ],
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'Type',
      'string',
      'Used to facilitate programmatic handling of secret data. More info: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types',
    ),
    column(
      'Data',
      'string',
      "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4",
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.type ?? '',
    Object.keys(object.data ?? {}).length,
    age(object.metadata?.creationTimestamp, now),
  ],
  warnings: ({ type, data }) => {
    const fault = type === 'kubernetes.io/tls' ? keyPairFault(data?.['tls.crt'], data?.['tls.key']) : undefined;
    return fault === undefined ? [] : [fault];
  },
  fieldSelectors: { type: (object) => object.type ?? '' },
});
