import { durationText, timestampText } from '../../../api/cel/time.ts';
import {
  CelError,
  Duration,
  ListValue,
  MapValue,
  Optional,
  Timestamp,
  typeNameOf,
  Unsigned,
  type Value,
} from '../../../api/cel/values.ts';
import { type Json, setKey } from '../../../api/patch/json-value.ts';

/** A CEL value as JSON. Throws a CelError for what has no place in it: types, authorizers, maps by anything but strings. */
export function toJson(value: Value): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Unsigned) return Number(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value);
  if (value instanceof ListValue) return [...value].map(toJson);
  if (value instanceof MapValue) {
    const object: Record<string, Json> = {};
    for (const key of value.keys()) {
      if (typeof key !== 'string') throw new CelError(`unsupported map key type ${typeNameOf(key)}`);
      setKey(object, key, toJson(value.find(key) ?? null));
    }
    return object;
  }
  throw new CelError(`type ${typeNameOf(value)} cannot be represented as JSON`);
}
