import { ReverseWriter, WIRE_FIXED64, WIRE_VARINT } from './protobuf-writer.ts';

/** What gnostic's messages of both OpenAPI versions are written with. */
export type Json = Readonly<Record<string, unknown>>;
/** Writes one value as one field: content, then length where there is one, then tag. */
export type FieldWriter = (value: unknown, field: number, writer: ReverseWriter) => void;

/** How the members of a JSON object become the fields of a message. */
export interface Message {
  readonly fields: Readonly<Record<string, readonly [field: number, write: FieldWriter]>>;
  /** The field that `x-` members go to. */
  readonly extensions?: number;
}

export const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

export const text: FieldWriter = (value, field, writer) => {
  const before = writer.length;
  writer.string(String(value));
  writer.delimit(field, before);
};
export const flag: FieldWriter = (value, field, writer) => {
  writer.varint(value === true ? 1 : 0);
  writer.tag(field, WIRE_VARINT);
};
export const whole: FieldWriter = (value, field, writer) => {
  writer.varint(Number(value));
  writer.tag(field, WIRE_VARINT);
};
export const real: FieldWriter = (value, field, writer) => {
  writer.double(Number(value));
  writer.tag(field, WIRE_FIXED64);
};
/** `Any {2: yaml}`; JSON is YAML. */
export const anything: FieldWriter = (value, field, writer) => {
  const before = writer.length;
  text(JSON.stringify(value), 2, writer);
  writer.delimit(field, before);
};
export const repeated =
  (each: FieldWriter): FieldWriter =>
  (value, field, writer) => {
    for (const item of [...(Array.isArray(value) ? (value as readonly unknown[]) : [value])].reverse()) each(item, field, writer);
  };
/** A message with one field in it. */
export const wrapped =
  (inner: FieldWriter, innerField: number | ((value: unknown) => number)): FieldWriter =>
  (value, field, writer) => {
    const before = writer.length;
    inner(value, typeof innerField === 'number' ? innerField : innerField(value), writer);
    writer.delimit(field, before);
  };
/** Map entries as `{1: name, 2: value}`, in the order given. */
export const named =
  (each: FieldWriter): FieldWriter =>
  (value, field, writer) => {
    for (const [name, item] of Object.entries(value as Json).reverse()) {
      const before = writer.length;
      each(item, 2, writer);
      text(name, 1, writer);
      writer.delimit(field, before);
    }
  };

export const isExtension = (name: string): boolean => name.startsWith('x-');

/** A message of which the fields and their order are told. `shape` is called late, so that messages may be part of themselves. */
export function message(shape: () => Message): FieldWriter {
  let descending: readonly (readonly [string, number, FieldWriter])[] | undefined;
  return (value, field, writer) => {
    const { fields, extensions } = shape();
    descending ??= Object.entries(fields)
      .map(([name, [number, write]]) => [name, number, write] as const)
      .sort((a, b) => b[1] - a[1]);
    const before = writer.length;
    const object = value as Json;
    // gnostic has the extensions of every message last, those of Paths excepted, which are written apart.
    if (extensions !== undefined) {
      const own = Object.entries(object).filter(([name]) => isExtension(name));
      if (own.length > 0) named(anything)(Object.fromEntries(own), extensions, writer);
    }
    for (const [name, number, write] of descending) {
      const member = object[name];
      if (member !== undefined && member !== null) write(member, number, writer);
    }
    writer.delimit(field, before);
  };
}

/** What was written, as bytes. Pieces of a message put one after the other are merged by who reads them. */
export function piece(write: (writer: ReverseWriter) => void): Uint8Array {
  const writer = new ReverseWriter();
  write(writer);
  return writer.finish();
}
