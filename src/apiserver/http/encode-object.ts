import { encodeProtobuf } from '../../api/wire/protobuf.ts';
import { toYaml } from '../../api/wire/yaml.ts';
import { schemaOfObject } from '../rest/kind-schema.ts';
import type { Encoding } from './negotiation.ts';

interface TypedObject {
  readonly apiVersion?: string;
  readonly kind?: string;
}

/** An object that says what it is, in an encoding. Undefined when it is of no built-in type and shall be protobuf. */
export function encodeObject(object: TypedObject, encoding: Encoding, pretty = false): Uint8Array | undefined {
  switch (encoding) {
    case 'json':
      return Buffer.from(pretty ? `${JSON.stringify(object, null, 2)}\n` : `${JSON.stringify(object)}\n`);
    case 'yaml':
      return Buffer.from(toYaml(object));
    case 'protobuf': {
      const schema = schemaOfObject(object);
      if (schema === undefined) return undefined;
      return encodeProtobuf(schema, object, object.apiVersion ?? '', object.kind ?? '');
    }
  }
}
