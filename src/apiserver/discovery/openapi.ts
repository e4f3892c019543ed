import { createHash, randomUUID } from 'node:crypto';
import { publishedList } from '../../api/custom-resource/published-schema.ts';
import type { GroupVersionKind } from '../../api/meta/object.ts';
import { genericNotFound, notAcceptable } from '../../api/meta/status.ts';
import type { Resource } from '../../api/resource.ts';
import { builtinSchema, hasBuiltinSchema } from '../../api/schema/builtin.ts';
import {
  type Descriptions,
  definitionRef,
  type OpenApiRoot,
  type OpenApiVersion,
  openApiDefinitionSteps,
} from '../../api/schema/openapi.ts';
import type { ObjectSchema } from '../../api/schema/schema.ts';
import { openApiV2Pieces } from '../../api/wire/openapi-v2-protobuf.ts';
import { openApiV3Pieces } from '../../api/wire/openapi-v3-protobuf.ts';
import { inSlices } from '../../util/slice.ts';
import type { OpenApiV2Part } from '../aggregation/contract.ts';
import type { MaybePromise, VirtualResource } from '../contract.ts';
import { acceptedTypes } from '../http/negotiation.ts';
import { jsonAnswer, type RouteAnswer, type RouteRequest } from '../http/routes.ts';
import { isCustom } from '../rest/endpoint.ts';
import { builtinTypeName } from '../rest/kind-schema.ts';
import type { ApiServer } from '../server.ts';
import {
  coreVersionsOperation,
  groupListOperation,
  groupOperation,
  pageOperations,
  resourcesOperation,
  VERSION_INFO_DEFINITION,
  versionInfoSchema,
} from './discovery-operations.ts';
import {
  basePath,
  DELETE_OPTIONS_DEFINITION,
  type Operation,
  PATCH_DEFINITION,
  type Parameter,
  resourceOperations,
  STATUS_DEFINITION,
  virtualOperation,
  WATCH_EVENT_DEFINITION,
} from './operations.ts';
import { describeParameter, SharedParameters } from './shared-parameters.ts';

const JSON_TYPE = 'application/json';
/** What is asked for with an `@` in it is answered without: Go's parser of media types does not take one. */
const V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const V3_PROTOBUF = 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf';
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** Clients that ask by hash may keep the answer for a year: another content has another hash. */
const immutable = (now: number): NonNullable<RouteAnswer['headers']> => ({
  'cache-control': 'public, immutable',
  expires: new Date(now + YEAR_MS).toUTCString(),
});

type Json = Readonly<Record<string, unknown>>;

/** What is served in one group version. */
interface Served {
  readonly group: string;
  readonly version: string;
  readonly resources: readonly Resource[];
  readonly virtuals: readonly VirtualResource[];
}

/** One document of v3, or all that v2 tells in one. */
interface ApiDocument {
  readonly path: string;
  readonly served: readonly Served[];
  /** Those on no objects. */
  readonly operations: readonly Operation[];
}

/** Serves `/openapi/v2` and `/openapi/v3`. Documents are made when first asked for, in slices of time, and kept until what is served changes. */
export function addOpenApi(
  server: ApiServer,
  { gitVersion, gitCommit }: Readonly<Record<'gitVersion' | 'gitCommit', string>>,
  descriptions?: () => Descriptions | undefined,
): void {
  const answers = new Map<string, MaybePromise<RouteAnswer>>();
  // Custom types may change while built-in ones cannot: their documents' hashes must not outlive this process.
  const nonce = randomUUID();
  // Clients keep what they got under a hash for good: another build may say other things.
  const build = gitCommit === '' ? nonce : gitCommit;
  server.registry.onChange(() => answers.clear());
  /** The answer as it was made, or as it is being made. */
  const cached = (key: string, make: () => Steps<RouteAnswer>): MaybePromise<RouteAnswer> => {
    const known = answers.get(key);
    if (known !== undefined) return known;
    const making = inSlices(make());
    const settle = (answer: RouteAnswer | undefined): void => {
      if (answers.get(key) !== making) return;
      if (answer === undefined) answers.delete(key);
      else answers.set(key, answer);
    };
    making.then(settle, () => settle(undefined));
    answers.set(key, making);
    return making;
  };
  server.addRoute('/openapi/v2', (request) => {
    const wantsProtobuf = chosenFormat(request, V2_PROTOBUF) === V2_PROTOBUF;
    const answer = cached(wantsProtobuf ? 'v2 protobuf' : 'v2', function* () {
      const own = yield* v2Document(documentsOf(server), gitVersion, descriptions?.());
      const document = withRemotes(own, server.aggregated?.openApiV2() ?? []);
      return wantsProtobuf
        ? yield* tagged(openApiV2Pieces(document), V2_PROTOBUF)
        : yield* tagged(textPieces(jsonPieces(document, V2_DEPTH)), 'application/json');
    });
    return conditional(request, answer);
  });
  const hashes = (): Map<string, string> => {
    const out = new Map<string, string>();
    for (const { path, served, operations } of documentsOf(server)) {
      const custom = served.some((s) => s.resources.some(isCustom));
      const content = [
        gitVersion,
        build,
        descriptions === undefined ? '' : 'described',
        ...served.flatMap((s) => s.resources.map((r) => `${r.plural} ${Object.keys(r.subresources).join()} ${r.verbs.join()}`)),
        ...served.flatMap((s) => s.virtuals.map((v) => v.plural)),
        ...operations.map((o) => o.id),
        ...(custom ? [nonce, String(server.registry.generation)] : []),
      ];
      out.set(path, createHash('sha512').update(content.join('\n')).digest('hex').toUpperCase());
    }
    return out;
  };
  server.addRoute('/openapi/v3', () =>
    cached('v3', function* () {
      yield;
      const all = [...hashes(), ...(server.aggregated?.openApiV3() ?? [])];
      const paths = all.map(([path, hash]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]);
      return jsonAnswer(200, { paths: Object.fromEntries(paths) });
    }),
  );
  server.addRoutePrefix('/openapi/v3/', (request) => {
    const path = request.path.slice('/openapi/v3/'.length);
    const elsewhere = server.aggregated?.openApiV3Document(path, request);
    if (elsewhere !== undefined) return elsewhere;
    const found = documentsOf(server).find((d) => d.path === path);
    if (found === undefined) throw genericNotFound();
    const hash = hashes().get(path)!;
    const asked = request.query?.get('hash') ?? '';
    const contentType = chosenFormat(request, V3_PROTOBUF);
    if (asked !== '' && asked !== hash) {
      const headers = { location: `/openapi/v3/${path}?hash=${hash}`, etag: `"${hash}"`, vary: 'Accept' };
      return { code: 301, contentType, body: Buffer.alloc(0), headers };
    }
    const answer = cached(`v3 ${contentType} ${path}`, function* () {
      const document = yield* v3Document(found, gitVersion, descriptions?.());
      const pieces = contentType === V3_PROTOBUF ? openApiV3Pieces(document) : textPieces(jsonPieces(document, V3_DEPTH));
      return yield* tagged(pieces, contentType);
    });
    return conditional(request, answer, { etag: `"${hash}"`, ...(asked === hash ? immutable(server.clock.now()) : {}) });
  });
}

/** Everything there is a document of, by path. */
function documentsOf(server: ApiServer): readonly ApiDocument[] {
  const out: ApiDocument[] = [{ path: 'apis', served: [], operations: [groupListOperation] }];
  const groups = new Set<string>();
  for (const served of servedBy(server)) {
    const { group, version, resources, virtuals } = served;
    const base = basePath(group, version);
    // Of groups that only definitions make nothing is told but their types.
    const builtin = virtuals.length > 0 || resources.some((r) => !isCustom(r));
    const operations = builtin ? [resourcesOperation(base, group, version)] : [];
    out.push({ path: base.slice(1), served: [served], operations });
    if (!builtin || groups.has(group)) continue;
    groups.add(group);
    if (group === '') out.push({ path: 'api', served: [], operations: [coreVersionsOperation] });
    else out.push({ path: `apis/${group}`, served: [], operations: [groupOperation(group)] });
  }
  for (const [path, operation] of pageOperations) {
    if (server.routes.find(path) !== undefined) out.push({ path: path.slice(1), served: [], operations: [operation] });
  }
  return out.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function servedBy(server: ApiServer): readonly Served[] {
  const out = new Map<string, { group: string; version: string; resources: Resource[]; virtuals: VirtualResource[] }>();
  const at = (group: string, version: string) => {
    const key = `${group}/${version}`;
    let served = out.get(key);
    if (served === undefined) out.set(key, (served = { group, version, resources: [], virtuals: [] }));
    return served;
  };
  for (const resource of server.registry.resources()) at(resource.group, resource.version).resources.push(resource);
  for (const virtual of server.registry.virtuals()) at(virtual.group, virtual.version).virtuals.push(virtual);
  return [...out.values()];
}

/**
 * The media type of the answer: JSON or `protobuf`, which may be asked for with an `@` before its version. Of what the client takes the
 * first in its order decides, as kube-openapi has it. Throws 406.
 */
function chosenFormat({ headers }: RouteRequest, protobuf: string): string {
  const { accept = '' } = headers;
  if (accept === '') return JSON_TYPE;
  for (const name of acceptedTypes(accept)) {
    if (name === JSON_TYPE || name === '*/*' || name === 'application/*') return JSON_TYPE;
    if (name === protobuf || name === protobuf.replace(/\.(v1\.0\+)/, '@$1')) return protobuf;
  }
  throw notAcceptable([JSON_TYPE, protobuf]);
}

/** A computation with places to rest. */
type Steps<T> = Generator<unknown, T, void>;

/** An answer put together of its pieces. */
function* tagged(pieces: Iterable<Uint8Array>, contentType: string): Steps<RouteAnswer> {
  const hash = createHash('sha512');
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    hash.update(piece);
    parts.push(piece);
    yield;
  }
  const etag = `"${hash.digest('hex').toUpperCase()}"`;
  return { code: 200, contentType, body: Buffer.concat(parts), headers: { etag, vary: 'Accept' } };
}

/** Down to where members are written one by one: paths and definitions of a v2 document, schemas of the components of a v3 one. */
const V2_DEPTH = 2;
const V3_DEPTH = 3;

/** The JSON of a value, piece by piece: the members of its objects down to `depth`. */
function* jsonPieces(value: unknown, depth: number): Generator<string, void, void> {
  if (depth === 0 || typeof value !== 'object' || value === null || Array.isArray(value)) {
    yield JSON.stringify(value);
    return;
  }
  let lead = '{';
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    yield `${lead}${JSON.stringify(name)}:`;
    yield* jsonPieces(member, depth - 1);
    lead = ',';
  }
  yield lead === '{' ? '{}' : '}';
}

/** Text of about this many characters is made bytes at once. */
const TEXT_PIECE = 64 * 1024;

function* textPieces(pieces: Iterable<string>): Generator<Uint8Array, void, void> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < TEXT_PIECE) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

/** The answer, or that the client has it already. `more` takes the place of headers of the answer. */
function conditional(
  request: RouteRequest,
  answer: MaybePromise<RouteAnswer>,
  more: NonNullable<RouteAnswer['headers']> = {},
): MaybePromise<RouteAnswer> {
  if (answer instanceof Promise) return answer.then((made) => conditional(request, made, more));
  const headers = { ...answer.headers, ...more };
  if (request.headers['if-none-match'] !== headers['etag']) return { ...answer, headers };
  return { ...answer, code: 304, body: Buffer.alloc(0), headers };
}

/** A type's definition name: a custom type's is made of its group, reversed. */
function definitionOf(resource: Resource): string {
  if (resource.schema.kind === 'object' && resource.schema.name !== undefined) return resource.schema.name;
  return `${resource.group.split('.').reverse().join('.')}.${resource.version}.${resource.kind}`;
}

/** The schemas that the operations of some documents speak of, and definitions of what has none: custom lists among others. */
function rootsOf(
  documents: readonly ApiDocument[],
  version: OpenApiVersion,
): { readonly roots: OpenApiRoot[]; readonly others: Record<string, Json> } {
  const roots: OpenApiRoot[] = [];
  const others: Record<string, Json> = {};
  for (const { response } of documents.flatMap((d) => d.operations)) {
    if (response === undefined) continue;
    if (response === VERSION_INFO_DEFINITION) others[response] = versionInfoSchema(version === 'v3') as Json;
    else
      roots.push({ schema: builtinSchema(response), kinds: [{ group: '', version: 'v1', kind: response.split('.').at(-1)! }] });
  }
  const all = documents.flatMap((d) => d.served);
  if (all.length === 0) return { roots: mergeRoots(roots), others };
  const versions = [{ group: '', version: 'v1' }, ...all.filter((s) => s.group !== '' || s.version !== 'v1')];
  const anyGroup: GroupVersionKind[] = versions.map(({ group, version: v }) => ({ group, version: v, kind: 'DeleteOptions' }));
  if (all.some((s) => s.resources.some((r) => !isCustom(r) && r.verbs.includes('watch')))) {
    const kinds = anyGroup.map(({ group, version: v }) => ({ group, kind: 'WatchEvent', version: v }));
    others[WATCH_EVENT_DEFINITION] = { ...watchEventSchema(version), 'x-kubernetes-group-version-kind': kinds };
    others[RAW_EXTENSION] = { type: 'object' };
  }
  roots.push({ schema: builtinSchema(DELETE_OPTIONS_DEFINITION), kinds: anyGroup });
  roots.push({ schema: builtinSchema(STATUS_DEFINITION), kinds: [{ group: '', version: 'v1', kind: 'Status' }] });
  for (const served of all) {
    for (const resource of served.resources) {
      const { group, version: v, kind, listKind, schema } = resource;
      const name = definitionOf(resource);
      if (schema.kind !== 'object') continue;
      const named = schema.name === undefined ? (Object.create(schema, { name: { value: name } }) as ObjectSchema) : schema;
      roots.push({ schema: named, kinds: [{ group, version: v, kind }] });
      const list = `${name}List`;
      if (hasBuiltinSchema(list)) roots.push({ schema: builtinSchema(list), kinds: [{ group, version: v, kind: listKind }] });
      else others[list] = customList(resource, name, version);
      for (const { kind: other } of Object.values(resource.subresources)) {
        // What is connected to has options that are told as parameters.
        if (other === undefined || other.kind.endsWith('Options')) continue;
        const type = builtinTypeName(other);
        if (hasBuiltinSchema(type)) roots.push({ schema: builtinSchema(type), kinds: [other] });
      }
    }
    for (const { type, group, version: v, kind } of served.virtuals) {
      roots.push({ schema: builtinSchema(type), kinds: [{ group, version: v, kind }] });
    }
  }
  if (all.some((s) => s.resources.some((r) => r.verbs.includes('patch')))) others[PATCH_DEFINITION] = patchSchema;
  return { roots: mergeRoots(roots), others };
}

/** One root for each type: kinds that were told twice once. */
function mergeRoots(roots: readonly OpenApiRoot[]): OpenApiRoot[] {
  const byName = new Map<string, { schema: OpenApiRoot['schema']; kinds: Map<string, GroupVersionKind> }>();
  for (const { schema, kinds = [] } of roots) {
    const name = (schema as ObjectSchema).name!;
    let merged = byName.get(name);
    if (merged === undefined) byName.set(name, (merged = { schema, kinds: new Map() }));
    for (const k of kinds)
      merged.kinds.set(`${k.group}/${k.version}/${k.kind}`, { group: k.group, version: k.version, kind: k.kind });
  }
  return [...byName.values()].map(({ schema, kinds }) => ({ schema, kinds: [...kinds.values()] }));
}

function customList(resource: Resource, item: string, version: OpenApiVersion): Json {
  const { group, version: v, listKind, fieldSelectors } = resource;
  const kinds = { 'x-kubernetes-group-version-kind': [{ group, kind: listKind, version: v }] };
  return { ...publishedList(resource, item, Object.keys(fieldSelectors ?? {}), version), ...kinds };
}

const RAW_EXTENSION = 'io.k8s.apimachinery.pkg.runtime.RawExtension';

function watchEventSchema(version: OpenApiVersion): Json {
  const reference = { $ref: definitionRef(RAW_EXTENSION, version) };
  const object = { description: 'The object as it is, or was when it went; what went wrong after an error.' };
  const type = version === 'v3' ? { type: 'string', default: '' } : { type: 'string' };
  return {
    description: 'What happened to an object that is watched, and the object.',
    properties: { object: { ...object, ...(version === 'v3' ? { allOf: [reference] } : reference) }, type },
    required: ['type', 'object'],
    type: 'object',
  };
}

const patchSchema: Json = {
  description: 'Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.',
  type: 'object',
};

function* operationsOf(served: Served): Generator<readonly Operation[], void, void> {
  for (const r of served.resources) {
    yield resourceOperations(r, definitionOf(r), `${definitionOf(r)}List`, builtinTypeName);
  }
  for (const v of served.virtuals) yield [virtualOperation(v)];
}

/** How a document writes an operation, with those parameters that are its own, and a parameter of all operations of a path. */
interface Rendering {
  operation(operation: Operation, own: readonly Parameter[]): Json;
  parameter(parameter: Parameter): Json;
}

function* byPath(documents: readonly ApiDocument[], rendering: Rendering): Steps<Record<string, Json>> {
  const paths: Record<string, Json> = {};
  for (const document of documents) {
    addPaths(document.operations, rendering, paths);
    for (const served of document.served) {
      for (const operations of operationsOf(served)) {
        addPaths(operations, rendering, paths);
        yield;
      }
    }
  }
  return paths;
}

/** Adds the paths of some operations, which are all that these paths have. */
function addPaths(operations: readonly Operation[], { operation, parameter }: Rendering, paths: Record<string, Json>): void {
  for (const [path, all] of Map.groupBy(operations, (o) => o.path)) {
    const shared = sharedOf(all);
    const methods = all.map((o) => [
      o.method,
      operation(
        o,
        o.parameters.filter((p) => !shared.has(keyOf(p))),
      ),
    ]);
    const sorted = [...shared].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, p]) => parameter(p));
    paths[path] = { ...Object.fromEntries(methods), ...listed(sorted) };
  }
}

const keyOf = (p: Parameter): string => `${p.name} ${p.in}`;

/** The parameters that all operations of a path have: they are the path's. */
function sharedOf(operations: readonly Operation[]): ReadonlyMap<string, Parameter> {
  const [first, ...others] = operations.map((o) => new Map(o.parameters.map((p) => [keyOf(p), p])));
  return new Map([...first!].filter(([key]) => others.every((other) => other.has(key))));
}

const listed = (parameters: readonly Json[]): Json => (parameters.length === 0 ? {} : { parameters });

const common = (o: Operation): Json => ({
  description: o.description,
  operationId: o.id,
  tags: [o.tag],
  ...(o.action === undefined ? {} : { 'x-kubernetes-action': o.action }),
  ...(o.kind === undefined
    ? {}
    : { 'x-kubernetes-group-version-kind': { group: o.kind.group, kind: o.kind.kind, version: o.kind.version } }),
});

function* v2Document(all: readonly ApiDocument[], gitVersion: string, descriptions: Descriptions | undefined): Steps<Json> {
  yield;
  const { roots, others } = rootsOf(all, 'v2');
  const definitions = yield* openApiDefinitionSteps(roots, 'v2', descriptions);
  const parameters = new SharedParameters(descriptions);
  const paths = yield* byPath(all, {
    operation: (o, own) => v2Operation(o, own, parameters),
    parameter: (p) => parameters.of(p) as Json,
  });
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: gitVersion },
    paths,
    definitions: { ...definitions, ...others },
    parameters: parameters.all(),
    securityDefinitions: {
      BearerToken: { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' },
    },
    security: [{ BearerToken: [] }],
  };
}

/** What is ours goes before what others call by the same name. */
function withRemotes(document: Json, remotes: readonly OpenApiV2Part[]): Json {
  if (remotes.length === 0) return document;
  const merge = (field: keyof OpenApiV2Part): object =>
    Object.assign({}, ...remotes.map((remote) => remote[field]), document[field] as object);
  return { ...document, paths: merge('paths'), definitions: merge('definitions'), parameters: merge('parameters') };
}

function v2Operation(o: Operation, own: readonly Parameter[], parameters: SharedParameters): Json {
  const ok = o.response === undefined ? { schema: { type: 'string' } } : { schema: { $ref: definitionRef(o.response, 'v2') } };
  const required = o.method === 'delete' ? {} : { required: true };
  const body =
    o.body === undefined ? [] : [{ name: 'body', in: 'body', ...required, schema: { $ref: definitionRef(o.body, 'v2') } }];
  return {
    ...common(o),
    ...(o.consumes === undefined ? {} : { consumes: o.consumes }),
    produces: o.produces,
    schemes: ['https'],
    ...listed([...body, ...own.map((p) => parameters.of(p) as Json)]),
    responses: {
      ...Object.fromEntries(o.codes.map((c) => [String(c), { description: describe(c), ...ok }])),
      '401': { description: 'Unauthorized' },
    },
  };
}

const describe = (code: number): string => (code === 201 ? 'Created' : code === 202 ? 'Accepted' : 'OK');

function* v3Document(document: ApiDocument, gitVersion: string, descriptions: Descriptions | undefined): Steps<Json> {
  yield;
  const { roots, others } = rootsOf([document], 'v3');
  const schemas = yield* openApiDefinitionSteps(roots, 'v3', descriptions);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: gitVersion },
    paths: yield* byPath([document], {
      operation: (o, own) => v3Operation(o, own, descriptions),
      parameter: (p) => v3Parameter(p, descriptions),
    }),
    components: {
      schemas: { ...schemas, ...others },
      securitySchemes: {
        BearerToken: { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' },
      },
    },
  };
}

const v3Parameter = (p: Parameter, descriptions: Descriptions | undefined): Json => ({
  name: p.name,
  in: p.in,
  description: describeParameter(p, descriptions),
  ...(p.in === 'path' ? { required: true } : {}),
  schema: { type: p.type, uniqueItems: true },
});

function v3Operation(o: Operation, own: readonly Parameter[], descriptions: Descriptions | undefined): Json {
  const content = (name: string, types: readonly string[]): Json =>
    Object.fromEntries(types.map((t) => [t, { schema: { $ref: definitionRef(name, 'v3') } }]));
  const schema = o.response === undefined ? { type: 'string' } : { $ref: definitionRef(o.response, 'v3') };
  const body = Object.fromEntries(o.produces.map((type) => [type, { schema }]));
  return {
    ...common(o),
    ...listed(own.map((p) => v3Parameter(p, descriptions))),
    ...(o.body === undefined
      ? {}
      : { requestBody: { ...(o.method === 'delete' ? {} : { required: true }), content: content(o.body, o.consumes ?? []) } }),
    responses: {
      ...Object.fromEntries(o.codes.map((c) => [String(c), { description: describe(c), content: body }])),
      '401': { description: 'Unauthorized' },
    },
  };
}
