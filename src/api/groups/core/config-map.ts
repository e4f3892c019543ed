import { type FieldError, FieldPath, invalid, tooLong } from '../../meta/field-error.ts';
import { isConfigMapKey, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { ConfigMap } from '../../types/core-v1.ts';
import { age, column, groupVersion, standardColumns } from '../define.ts';
import { check, sealedFields } from '../field-checks.ts';

const define = groupVersion('', 'v1');

/** What a ConfigMap or Secret may hold in all its values, in bytes (core.MaxSecretSize). */
export const maxDataBytes = 1024 * 1024;

/** The length of the bytes that base64 text stands for. */
export function base64Bytes(text: string): number {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

function validate(object: ConfigMap): readonly FieldError[] {
  const errors: FieldError[] = [];
  let total = 0;
  for (const [key, value] of Object.entries(object.data ?? {})) {
    const path = new FieldPath('data').key(key);
    errors.push(...check(path, key, isConfigMapKey));
    if (object.binaryData?.[key] !== undefined) errors.push(invalid(path, key, 'duplicate of key present in binaryData'));
    total += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(object.binaryData ?? {})) {
    errors.push(...check(new FieldPath('binaryData').key(key), key, isConfigMapKey));
    total += base64Bytes(value);
  }
  // The path is empty upstream too: the error is about the whole object.
  if (total > maxDataBytes) errors.push(tooLong('', maxDataBytes));
  return errors;
}

export const configMap = define<ConfigMap>({
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  shortNames: ['cm'],
  validate,
  validateUpdate: (object, old) => [...sealedFields(object, old, ['data', 'binaryData']), ...validate(object)],
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    column(
      'Data',
      'string',
      "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.",
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
    age(object.metadata?.creationTimestamp, now),
  ],
});
