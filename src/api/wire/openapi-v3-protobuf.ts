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

const isReference = (value: unknown): boolean => isObject(value) && value['$ref'] !== undefined;
const reference = message(() => ({ fields: { $ref: [1, text], summary: [2, text], description: [3, text] } }));
/** Most messages may stand for themselves or be a reference to another place. */
const orReference = (write: FieldWriter): FieldWriter =>
  wrapped(
    (value, field, writer) => (isReference(value) ? reference : write)(value, field, writer),
    (value) => (isReference(value) ? 2 : 1),
  );
/** Members by name, each itself or a reference. */
const mapOf = (write: FieldWriter): FieldWriter => wrapped(named(write), 1);

const externalDocs = message(() => ({ fields: { description: [1, text], url: [2, text] }, extensions: 3 }));
const discriminator = message(() => ({ fields: { propertyName: [1, text], mapping: [2, mapOf(text)] }, extensions: 3 }));
const xml = message(() => ({
  fields: { name: [1, text], namespace: [2, text], prefix: [3, text], attribute: [4, flag], wrapped: [5, flag] },
  extensions: 6,
}));
/** A number, a boolean or a text; gnostic has no place for other values, of which an empty message is left. */
const defaultValue: FieldWriter = (value, field, writer) => {
  const before = writer.length;
  if (typeof value === 'number') real(value, 1, writer);
  else if (typeof value === 'boolean') flag(value, 2, writer);
  else if (typeof value === 'string') text(value, 3, writer);
  writer.delimit(field, before);
};

const schema: FieldWriter = message(() => ({
  fields: {
    nullable: [1, flag],
    discriminator: [2, discriminator],
    readOnly: [3, flag],
    writeOnly: [4, flag],
    xml: [5, xml],
    externalDocs: [6, externalDocs],
    example: [7, anything],
    deprecated: [8, flag],
    title: [9, text],
    multipleOf: [10, real],
    maximum: [11, real],
    exclusiveMaximum: [12, flag],
    minimum: [13, real],
    exclusiveMinimum: [14, flag],
    maxLength: [15, whole],
    minLength: [16, whole],
    pattern: [17, text],
    maxItems: [18, whole],
    minItems: [19, whole],
    uniqueItems: [20, flag],
    maxProperties: [21, whole],
    minProperties: [22, whole],
    required: [23, repeated(text)],
    enum: [24, repeated(anything)],
    type: [25, text],
    allOf: [26, repeated(schemaOrReference)],
    oneOf: [27, repeated(schemaOrReference)],
    anyOf: [28, repeated(schemaOrReference)],
    not: [29, schema],
    items: [30, wrapped(repeated(schemaOrReference), 1)],
    properties: [31, mapOf(schemaOrReference)],
    additionalProperties: [
      32,
      wrapped(
        (value, field, writer) => (isObject(value) ? schemaOrReference : flag)(value, field, writer),
        (value) => (isObject(value) ? 1 : 2),
      ),
    ],
    default: [33, defaultValue],
    description: [34, text],
    format: [35, text],
  },
  extensions: 36,
}));
const schemaOrReference = orReference(schema);

const example = orReference(
  message(() => ({
    fields: { summary: [1, text], description: [2, text], value: [3, anything], externalValue: [4, text] },
    extensions: 5,
  })),
);
/** What headers and parameters have in common; `first` is the number of `description`. */
const described = (first: number): Message['fields'] => {
  const writers: readonly (readonly [string, FieldWriter])[] = [
    ['description', text],
    ['required', flag],
    ['deprecated', flag],
    ['allowEmptyValue', flag],
    ['style', text],
    ['explode', flag],
    ['allowReserved', flag],
    ['schema', schemaOrReference],
    ['example', anything],
    ['examples', mapOf(example)],
    ['content', content],
  ];
  return Object.fromEntries(writers.map(([name, write], i) => [name, [first + i, write] as const]));
};
const header = orReference(message(() => ({ fields: described(1), extensions: 12 })));
const encoding = message(() => ({
  fields: { contentType: [1, text], headers: [2, mapOf(header)], style: [3, text], explode: [4, flag], allowReserved: [5, flag] },
  extensions: 6,
}));
const mediaType = message(() => ({
  fields: {
    schema: [1, schemaOrReference],
    example: [2, anything],
    examples: [3, mapOf(example)],
    encoding: [4, mapOf(encoding)],
  },
  extensions: 5,
}));
const content: FieldWriter = mapOf(mediaType);
const parameter = orReference(message(() => ({ fields: { name: [1, text], in: [2, text], ...described(3) }, extensions: 14 })));
const requestBody = orReference(
  message(() => ({ fields: { description: [1, text], content: [2, content], required: [3, flag] }, extensions: 4 })),
);

const serverVariable = message(() => ({
  fields: { enum: [1, repeated(text)], default: [2, text], description: [3, text] },
  extensions: 4,
}));
const server = message(() => ({
  fields: { url: [1, text], description: [2, text], variables: [3, mapOf(serverVariable)] },
  extensions: 4,
}));
/** A value or an expression; gnostic reads what is an object as a value. */
const anyOrExpression = wrapped(anything, 1);
const link = orReference(
  message(() => ({
    fields: {
      operationRef: [1, text],
      operationId: [2, text],
      parameters: [3, anyOrExpression],
      requestBody: [4, anyOrExpression],
      description: [5, text],
      server: [6, server],
    },
    extensions: 7,
  })),
);
const response = orReference(
  message(() => ({
    fields: { description: [1, text], headers: [2, mapOf(header)], content: [3, content], links: [4, mapOf(link)] },
    extensions: 5,
  })),
);
/** The members of an object in two or three fields by their names. */
const parts = (object: Json, wanted: (name: string) => boolean): Json =>
  Object.fromEntries(Object.entries(object).filter(([name]) => wanted(name)));
const responses: FieldWriter = (value, field, writer) => {
  const object = value as Json;
  const before = writer.length;
  named(anything)(parts(object, isExtension), 3, writer);
  named(response)(
    parts(object, (name) => !isExtension(name) && name !== 'default'),
    2,
    writer,
  );
  if (object['default'] !== undefined) response(object['default'], 1, writer);
  writer.delimit(field, before);
};
const callback = orReference((value, field, writer) => {
  const before = writer.length;
  named(anything)(parts(value as Json, isExtension), 2, writer);
  named(pathItem)(
    parts(value as Json, (name) => !isExtension(name)),
    1,
    writer,
  );
  writer.delimit(field, before);
});
const security = mapOf(wrapped(repeated(text), 1));
const operation = message(() => ({
  fields: {
    tags: [1, repeated(text)],
    summary: [2, text],
    description: [3, text],
    externalDocs: [4, externalDocs],
    operationId: [5, text],
    parameters: [6, repeated(parameter)],
    requestBody: [7, requestBody],
    responses: [8, responses],
    callbacks: [9, mapOf(callback)],
    deprecated: [10, flag],
    security: [11, repeated(security)],
    servers: [12, repeated(server)],
  },
  extensions: 13,
}));
const pathItem: FieldWriter = message(() => ({
  fields: {
    $ref: [1, text],
    summary: [2, text],
    description: [3, text],
    get: [4, operation],
    put: [5, operation],
    post: [6, operation],
    delete: [7, operation],
    options: [8, operation],
    head: [9, operation],
    patch: [10, operation],
    trace: [11, operation],
    servers: [12, repeated(server)],
    parameters: [13, repeated(parameter)],
  },
  extensions: 14,
}));

const flow = message(() => ({
  fields: { authorizationUrl: [1, text], tokenUrl: [2, text], refreshUrl: [3, text], scopes: [4, mapOf(text)] },
  extensions: 5,
}));
const flows = message(() => ({
  fields: { implicit: [1, flow], password: [2, flow], clientCredentials: [3, flow], authorizationCode: [4, flow] },
  extensions: 5,
}));
const securityScheme = orReference(
  message(() => ({
    fields: {
      type: [1, text],
      description: [2, text],
      name: [3, text],
      in: [4, text],
      scheme: [5, text],
      bearerFormat: [6, text],
      flows: [7, flows],
      openIdConnectUrl: [8, text],
    },
    extensions: 9,
  })),
);
const contact = message(() => ({ fields: { name: [1, text], url: [2, text], email: [3, text] }, extensions: 4 }));
const license = message(() => ({ fields: { name: [1, text], url: [2, text] }, extensions: 3 }));
const info = message(() => ({
  fields: {
    title: [1, text],
    description: [2, text],
    termsOfService: [3, text],
    contact: [4, contact],
    license: [5, license],
    version: [6, text],
    summary: [8, text],
  },
  extensions: 7,
}));
const tag = message(() => ({
  fields: { name: [1, text], description: [2, text], externalDocs: [3, externalDocs] },
  extensions: 4,
}));

const topLevel: Message['fields'] = {
  openapi: [1, text],
  info: [2, info],
  servers: [3, repeated(server)],
  security: [6, repeated(security)],
  tags: [7, repeated(tag)],
  externalDocs: [8, externalDocs],
};
const PATHS = 4;
const COMPONENTS = 5;
const EXTENSIONS = 9;
const componentParts: Message['fields'] = {
  schemas: [1, schemaOrReference],
  responses: [2, response],
  parameters: [3, parameter],
  examples: [4, example],
  requestBodies: [5, requestBody],
  headers: [6, header],
  securitySchemes: [7, securityScheme],
  links: [8, link],
  callbacks: [9, callback],
};

/**
 * An OpenAPI 3.0 document as gnostic's `openapi.v3.Document`, in pieces to put one after the other: one for each path and
 * component, as protobuf merges what comes several times. Between pieces the caller can let others run.
 */
export function* openApiV3Pieces(document: Json): Generator<Uint8Array, void, void> {
  for (const [name, [field, write]] of Object.entries(topLevel)) {
    const value = document[name];
    if (value !== undefined && value !== null) yield piece((writer) => write(value, field, writer));
  }
  for (const [name, value] of Object.entries((document['paths'] ?? {}) as Json)) {
    const [inner, write] = isExtension(name) ? ([2, anything] as const) : ([1, pathItem] as const);
    yield piece((writer) => wrapped(named(write), inner)({ [name]: value }, PATHS, writer));
  }
  const components = (document['components'] ?? {}) as Json;
  for (const [part, [field, write]] of Object.entries(componentParts)) {
    for (const [name, value] of Object.entries((components[part] ?? {}) as Json)) {
      yield piece((writer) => wrapped(wrapped(named(write), 1), field)({ [name]: value }, COMPONENTS, writer));
    }
  }
  for (const [name, value] of Object.entries(parts(components, isExtension))) {
    yield piece((writer) => wrapped(named(anything), 10)({ [name]: value }, COMPONENTS, writer));
  }
  const extensions = parts(document, isExtension);
  if (Object.keys(extensions).length > 0) yield piece((writer) => named(anything)(extensions, EXTENSIONS, writer));
}
