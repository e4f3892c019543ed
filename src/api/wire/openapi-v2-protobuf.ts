import {
  anything,
  type FieldWriter,
  flag,
  isExtension,
  isObject,
  type Json,
  type Message,
  message,
  named,
  piece,
  real,
  repeated,
  text,
  whole,
  wrapped,
} from './gnostic-message.ts';

const externalDocs = message(() => ({ fields: { description: [1, text], url: [2, text] }, extensions: 3 }));

const schema: FieldWriter = message(() => ({
  fields: {
    $ref: [1, text],
    format: [2, text],
    title: [3, text],
    description: [4, text],
    default: [5, anything],
    multipleOf: [6, real],
    maximum: [7, real],
    exclusiveMaximum: [8, flag],
    minimum: [9, real],
    exclusiveMinimum: [10, flag],
    maxLength: [11, whole],
    minLength: [12, whole],
    pattern: [13, text],
    maxItems: [14, whole],
    minItems: [15, whole],
    uniqueItems: [16, flag],
    maxProperties: [17, whole],
    minProperties: [18, whole],
    required: [19, repeated(text)],
    enum: [20, repeated(anything)],
    additionalProperties: [
      21,
      wrapped(
        (value, field, writer) => (isObject(value) ? schema : flag)(value, field, writer),
        (value) => (isObject(value) ? 1 : 2),
      ),
    ],
    type: [22, wrapped(repeated(text), 1)],
    items: [23, wrapped(repeated(schema), 1)],
    allOf: [24, repeated(schema)],
    properties: [25, wrapped(named(schema), 1)],
    discriminator: [26, text],
    readOnly: [27, flag],
    externalDocs: [29, externalDocs],
    example: [30, anything],
  },
  extensions: 31,
}));

/** The members that say what a parameter outside of the body may be; `first` is the number of `type`. */
function primitive(first: number): Message['fields'] {
  const writers: readonly (readonly [string, FieldWriter])[] = [
    ['type', text],
    ['format', text],
    ['items', primitiveItems],
    ['collectionFormat', text],
    ['default', anything],
    ['maximum', real],
    ['exclusiveMaximum', flag],
    ['minimum', real],
    ['exclusiveMinimum', flag],
    ['maxLength', whole],
    ['minLength', whole],
    ['pattern', text],
    ['maxItems', whole],
    ['minItems', whole],
    ['uniqueItems', flag],
    ['enum', repeated(anything)],
    ['multipleOf', real],
  ];
  return Object.fromEntries(writers.map(([name, write], i) => [name, [first + i, write] as const]));
}
const primitiveItems: FieldWriter = message(() => ({ fields: primitive(1), extensions: 18 }));

const common: Message['fields'] = { required: [1, flag], in: [2, text], description: [3, text], name: [4, text] };
const strictParameter = message(() => ({ fields: { ...common, ...primitive(5) }, extensions: 22 }));
const emptyableParameter = message(() => ({
  fields: { ...common, allowEmptyValue: [5, flag], ...primitive(6) },
  extensions: 23,
}));
const bodyParameter = message(() => ({
  fields: { description: [1, text], name: [2, text], in: [3, text], required: [4, flag], schema: [5, schema] },
  extensions: 6,
}));
const reference = message(() => ({ fields: { $ref: [1, text], description: [2, text] } }));

const places: Readonly<Record<string, readonly [number, FieldWriter]>> = {
  header: [1, strictParameter],
  formData: [2, emptyableParameter],
  query: [3, emptyableParameter],
  path: [4, strictParameter],
};
const place = (value: unknown): readonly [number, FieldWriter] => places[String((value as Json)['in'])] ?? places['query']!;
const nonBodyParameter = wrapped(
  (value, field, writer) => place(value)[1](value, field, writer),
  (value) => place(value)[0],
);
const isBody = (value: unknown): boolean => (value as Json)['in'] === 'body';
const parameter = wrapped(
  (value, field, writer) => (isBody(value) ? bodyParameter : nonBodyParameter)(value, field, writer),
  (value) => (isBody(value) ? 1 : 2),
);
const isReference = (value: unknown): boolean => (value as Json)['$ref'] !== undefined;
const orReference = (write: FieldWriter): FieldWriter =>
  wrapped(
    (value, field, writer) => (isReference(value) ? reference : write)(value, field, writer),
    (value) => (isReference(value) ? 2 : 1),
  );

const header = message(() => ({ fields: { ...primitive(1), description: [18, text] }, extensions: 19 }));
const response = message(() => ({
  fields: {
    description: [1, text],
    schema: [2, wrapped(schema, 1)],
    headers: [3, wrapped(named(header), 1)],
    examples: [4, wrapped(named(anything), 1)],
  },
  extensions: 5,
}));
const responses: FieldWriter = (value, field, writer) => {
  const entries = Object.entries(value as Json);
  const before = writer.length;
  named(anything)(Object.fromEntries(entries.filter(([name]) => isExtension(name))), 2, writer);
  named(orReference(response))(Object.fromEntries(entries.filter(([name]) => !isExtension(name))), 1, writer);
  writer.delimit(field, before);
};
const security = wrapped(named(wrapped(repeated(text), 1)), 1);
const operation = message(() => ({
  fields: {
    tags: [1, repeated(text)],
    summary: [2, text],
    description: [3, text],
    externalDocs: [4, externalDocs],
    operationId: [5, text],
    produces: [6, repeated(text)],
    consumes: [7, repeated(text)],
    parameters: [8, repeated(orReference(parameter))],
    responses: [9, responses],
    schemes: [10, repeated(text)],
    deprecated: [11, flag],
    security: [12, repeated(security)],
  },
  extensions: 13,
}));
const pathItem = message(() => ({
  fields: {
    $ref: [1, text],
    get: [2, operation],
    put: [3, operation],
    post: [4, operation],
    delete: [5, operation],
    options: [6, operation],
    head: [7, operation],
    patch: [8, operation],
    parameters: [9, repeated(orReference(parameter))],
  },
  extensions: 10,
}));
const apiKey = message(() => ({
  fields: { type: [1, text], name: [2, text], in: [3, text], description: [4, text] },
  extensions: 5,
}));
const basic = message(() => ({ fields: { type: [1, text], description: [2, text] }, extensions: 3 }));
const isBasic = (value: unknown): boolean => (value as Json)['type'] === 'basic';
const securityDefinition = wrapped(
  (value, field, writer) => (isBasic(value) ? basic : apiKey)(value, field, writer),
  (value) => (isBasic(value) ? 1 : 2),
);
const contact = message(() => ({ fields: { name: [1, text], url: [2, text], email: [3, text] }, extensions: 4 }));
const license = message(() => ({ fields: { name: [1, text], url: [2, text] }, extensions: 3 }));
const info = message(() => ({
  fields: {
    title: [1, text],
    version: [2, text],
    description: [3, text],
    termsOfService: [4, text],
    contact: [5, contact],
    license: [6, license],
  },
  extensions: 7,
}));
const tag = message(() => ({
  fields: { name: [1, text], description: [2, text], externalDocs: [3, externalDocs] },
  extensions: 4,
}));

const topLevel: Message['fields'] = {
  swagger: [1, text],
  info: [2, info],
  host: [3, text],
  basePath: [4, text],
  schemes: [5, repeated(text)],
  consumes: [6, repeated(text)],
  produces: [7, repeated(text)],
  parameters: [10, wrapped(named(parameter), 1)],
  responses: [11, wrapped(named(response), 1)],
  security: [12, repeated(security)],
  securityDefinitions: [13, wrapped(named(securityDefinition), 1)],
  tags: [14, repeated(tag)],
  externalDocs: [15, externalDocs],
};
const PATHS = 8;
const DEFINITIONS = 9;

/**
 * A Swagger 2.0 document as gnostic's `openapi.v2.Document`, in pieces to put one after the other: one for each path and
 * definition, as protobuf merges what comes several times. The whole takes long; between pieces the caller can let others run.
 */
export function* openApiV2Pieces(document: Json): Generator<Uint8Array, void, void> {
  for (const [name, [field, write]] of Object.entries(topLevel)) {
    const value = document[name];
    if (value !== undefined && value !== null) yield piece((writer) => write(value, field, writer));
  }
  const paths = (document['paths'] ?? {}) as Json;
  for (const [name, value] of Object.entries(paths)) {
    const [inner, write] = isExtension(name) ? ([1, anything] as const) : ([2, pathItem] as const);
    yield piece((writer) => wrapped(named(write), inner)({ [name]: value }, PATHS, writer));
  }
  for (const [name, value] of Object.entries((document['definitions'] ?? {}) as Json)) {
    yield piece((writer) => wrapped(named(schema), 1)({ [name]: value }, DEFINITIONS, writer));
  }
  const extensions = Object.entries(document).filter(([name]) => isExtension(name));
  if (extensions.length > 0) yield piece((writer) => named(anything)(Object.fromEntries(extensions), 16, writer));
}

/** The whole document at once: for small ones and tests. */
export const encodeOpenApiV2 = (document: Json): Uint8Array => Buffer.concat([...openApiV2Pieces(document)]);
