import type { GroupVersionKind } from '../../api/meta/object.ts';
import { apiVersionOf } from '../../api/meta/object.ts';
import type { Verb } from '../../api/request.ts';
import type { Resource, Subresource } from '../../api/resource.ts';
import { builtinSchema } from '../../api/schema/builtin.ts';
import type { ScalarSchema } from '../../api/schema/schema.ts';
import type { VirtualResource } from '../contract.ts';
import { answersDeleted } from '../rest/delete.ts';
import { isCustom } from '../rest/endpoint.ts';
import { acceptedPatches } from '../rest/patch.ts';

/** One operation of one path, as both OpenAPI versions describe it. */
export interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete' | 'head' | 'options';
  readonly id: string;
  readonly description: string;
  readonly tag: string;
  /** x-kubernetes-action: what kubectl looks at. Like the kind, only operations on objects have it. */
  readonly action: string | undefined;
  readonly kind: GroupVersionKind | undefined;
  /** Definition name of the body: an object, a patch, delete options. */
  readonly body: string | undefined;
  /** Media types of what is sent; undefined where nothing is told of them. */
  readonly consumes: readonly string[] | undefined;
  readonly produces: readonly string[];
  /** Definition name of the answer; undefined for text and streams. */
  readonly response: string | undefined;
  readonly codes: readonly number[];
  readonly parameters: readonly Parameter[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly type: 'string' | 'integer' | 'boolean';
  readonly description: string;
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const PATCH_DEFINITION = `${META}.Patch`;
export const DELETE_OPTIONS_DEFINITION = `${META}.DeleteOptions`;
export const WATCH_EVENT_DEFINITION = `${META}.WatchEvent`;
export const STATUS_DEFINITION = `${META}.Status`;

const query = (name: string, type: Parameter['type'], description: string): Parameter => ({
  name,
  in: 'query',
  type,
  description,
});
const pathParameter = (name: string, description: string): Parameter => ({ name, in: 'path', type: 'string', description });

const inNamespace = pathParameter('namespace', 'The namespace of the object.');
const pretty = query('pretty', 'string', 'If true, the output is indented.');
const dryRun = query('dryRun', 'string', 'When All, the request is processed in full but nothing is stored.');
const fieldManager = query('fieldManager', 'string', 'The name of whoever makes the change, for managedFields.');
const fieldValidation = query(
  'fieldValidation',
  'string',
  'What to do about unknown and duplicate fields: Ignore, Warn or Strict.',
);
const force = query('force', 'boolean', 'For apply patches: take over fields that others own.');
const writeParameters = [dryRun, fieldManager, fieldValidation];

const listParameters = [
  query('allowWatchBookmarks', 'boolean', 'The watch may send BOOKMARK events.'),
  query('continue', 'string', 'Where a list that was limited goes on.'),
  query('fieldSelector', 'string', 'Restricts the list by fields.'),
  query('labelSelector', 'string', 'Restricts the list by labels.'),
  query('limit', 'integer', 'The largest number of items in one answer.'),
  query('resourceVersion', 'string', 'The revision the list is of, or the watch begins after.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'The watch begins with the present state.'),
  query('shardSelector', 'string', 'Restricts the list by hashes of metadata; behind a gate that is off.'),
  query('timeoutSeconds', 'integer', 'How long the watch lasts.'),
  query('watch', 'boolean', 'Watch instead of list.'),
];

const deleteParameters = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'Seconds the object has before it goes; 0 at once.'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean', 'Delete what cannot be read any more.'),
  query('orphanDependents', 'boolean', 'Deprecated: use propagationPolicy.'),
  query('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
];

/** How objects of built-in types may be written, and those of custom ones, which have no protobuf. */
export const ANY_VERSION_TYPES: readonly string[] = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];
const customTypes: readonly string[] = ['application/json', 'application/yaml'];
const watchTypes: readonly string[] = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const listTypes: readonly string[] = [...ANY_VERSION_TYPES, ...watchTypes];
const anything: readonly string[] = ['*/*'];

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `Core`, `RbacAuthorization`: how operation ids name a group. */
export function groupTag(group: string): string {
  const name = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '');
  return name.split('.').map(capital).join('');
}

/** `CoreV1`, `RbacAuthorizationV1`: how operation ids name a group version. */
export const groupVersionTag = (group: string, version: string): string => groupTag(group) + capital(version);

/** `core_v1`, `rbacAuthorization_v1`: what the operations of a group version are sorted by. */
const sectionOf = (group: string, version: string): string => {
  const name = groupTag(group);
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}_${version}`;
};

/** The kind with its article, which those in the plural have none of. */
const someOf = (kind: string): string => (/(?:^|[^s])s$/.test(kind) ? kind : `${/^[aeiou]/i.test(kind) ? 'an' : 'a'} ${kind}`);

/** `/api/v1`, `/apis/apps/v1`. */
export const basePath = (group: string, version: string): string =>
  group === '' ? `/api/${version}` : `/apis/${apiVersionOf({ group, version })}`;

/** The operations of a stored type. `definition` and `listDefinition` name its schemas. */
export function resourceOperations(
  resource: Resource,
  definition: string,
  listDefinition: string,
  definitionOf: (kind: GroupVersionKind) => string,
): readonly Operation[] {
  const { group, version, kind, plural, namespaced, verbs } = resource;
  const base = basePath(group, version);
  const collection = namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`;
  const scope = namespaced ? [inNamespace] : [];
  const tag = groupVersionTag(group, version) + (namespaced ? 'Namespaced' : '');
  const gvk = { group, version, kind };
  const named = [pathParameter('name', `name of the ${kind}`), ...scope];
  const patches = acceptedPatches(resource);
  const custom = isCustom(resource);
  const section = sectionOf(group, version);
  const consumes = custom ? customTypes : anything;
  const produces = custom ? customTypes : ANY_VERSION_TYPES;
  const listed = custom ? customTypes : listTypes;
  const listing = `list${verbs.includes('watch') ? ' or watch' : ''} objects of kind ${kind}`;
  const out: Operation[] = [];
  const add = (o: Pick<Operation, 'path' | 'method' | 'action' | 'id' | 'description'> & Partial<Operation>): void => {
    const usual = { kind: gvk, tag: section, body: undefined, consumes, produces, response: definition, codes: [200] };
    out.push({ ...usual, parameters: [], ...o });
  };
  if (verbs.includes('list')) {
    add({
      path: collection,
      method: 'get',
      action: 'list',
      id: `list${tag}${kind}`,
      description: listing,
      produces: listed,
      response: listDefinition,
      parameters: [pretty, ...scope, ...listParameters],
    });
    if (namespaced) {
      add({
        path: `${base}/${plural}`,
        method: 'get',
        action: 'list',
        id: `list${groupVersionTag(group, version)}${kind}ForAllNamespaces`,
        description: listing,
        produces: listed,
        response: listDefinition,
        parameters: [pretty, ...listParameters],
      });
    }
  }
  if (verbs.includes('create')) {
    add({
      path: collection,
      method: 'post',
      action: 'post',
      id: `create${tag}${kind}`,
      description: `create ${someOf(kind)}`,
      body: definition,
      codes: [200, 201, 202],
      parameters: [pretty, ...scope, ...writeParameters],
    });
  }
  if (verbs.includes('deletecollection')) {
    add({
      path: collection,
      method: 'delete',
      action: 'deletecollection',
      id: `delete${groupVersionTag(group, version)}Collection${namespaced ? 'Namespaced' : ''}${kind}`,
      description: `delete collection of ${kind}`,
      body: DELETE_OPTIONS_DEFINITION,
      response: STATUS_DEFINITION,
      parameters: [
        pretty,
        ...scope,
        ...deleteParameters,
        ...listParameters.filter((p) => p.name !== 'watch' && p.name !== 'allowWatchBookmarks'),
      ],
    });
  }
  const item = `${collection}/{name}`;
  if (verbs.includes('get'))
    add({
      path: item,
      method: 'get',
      action: 'get',
      id: `read${tag}${kind}`,
      description: `read the specified ${kind}`,
      parameters: [pretty, ...named],
    });
  if (verbs.includes('update')) {
    add({
      path: item,
      method: 'put',
      action: 'put',
      id: `replace${tag}${kind}`,
      description: `replace the specified ${kind}`,
      body: definition,
      codes: [200, 201],
      parameters: [pretty, ...named, ...writeParameters],
    });
  }
  if (verbs.includes('patch')) {
    add({
      path: item,
      method: 'patch',
      action: 'patch',
      id: `patch${tag}${kind}`,
      description: `partially update the specified ${kind}`,
      body: PATCH_DEFINITION,
      consumes: patches,
      codes: [200, 201],
      parameters: [pretty, ...named, ...writeParameters, force],
    });
  }
  if (verbs.includes('delete')) {
    add({
      path: item,
      method: 'delete',
      action: 'delete',
      id: `delete${tag}${kind}`,
      description: `delete ${someOf(kind)}`,
      body: DELETE_OPTIONS_DEFINITION,
      response: answersDeleted(resource) ? definition : STATUS_DEFINITION,
      codes: [200, 202],
      parameters: [pretty, ...named, ...deleteParameters],
    });
  }
  // Definitions do not tell of the old way to watch.
  if (verbs.includes('watch') && !custom) out.push(...watchOperations(resource, named, section));
  for (const sub of Object.values(resource.subresources)) {
    const about = { path: `${item}/${sub.name}`, tag: section, consumes, produces, kind: sub.kind ?? gvk };
    if (streamed.has(sub.name)) {
      out.push(...streamOperations(sub, about, resource, named));
      continue;
    }
    const type = sub.kind === undefined ? definition : definitionOf(sub.kind);
    out.push(...subresourceOperations(sub, about, kind, `${tag}${kind}${capital(sub.name)}`, named, patches, type));
  }
  return out;
}

/** Watches by path, which came before the parameter. */
function watchOperations(resource: Resource, named: readonly Parameter[], tag: string): Operation[] {
  const { group, version, kind, plural, namespaced } = resource;
  const base = `${basePath(group, version)}/watch`;
  const id = `watch${groupVersionTag(group, version)}`;
  const usual: Pick<Operation, 'method' | 'tag' | 'kind' | 'body' | 'consumes' | 'produces' | 'response' | 'codes'> = {
    method: 'get',
    tag,
    kind: { group, version, kind },
    body: undefined,
    consumes: anything,
    produces: listTypes,
    response: WATCH_EVENT_DEFINITION,
    codes: [200],
  };
  const instead = "deprecated: use the 'watch' parameter with a list operation instead";
  const list = { ...usual, action: 'watchlist', description: `watch individual changes to a list of ${kind}. ${instead}.` };
  const item = {
    ...usual,
    action: 'watch',
    description: `watch changes to an object of kind ${kind}. ${instead}, filtered to a single item with the 'fieldSelector' parameter.`,
  };
  const parameters = [pretty, ...listParameters];
  const ofOne = [...parameters, ...named];
  if (!namespaced) {
    return [
      { ...list, path: `${base}/${plural}`, id: `${id}${kind}List`, parameters },
      { ...item, path: `${base}/${plural}/{name}`, id: `${id}${kind}`, parameters: ofOne },
    ];
  }
  const within = `${base}/namespaces/{namespace}/${plural}`;
  return [
    { ...list, path: `${base}/${plural}`, id: `${id}${kind}ListForAllNamespaces`, parameters },
    { ...list, path: within, id: `${id}Namespaced${kind}List`, parameters: [...parameters, inNamespace] },
    { ...item, path: `${within}/{name}`, id: `${id}Namespaced${kind}`, parameters: ofOne },
  ];
}

const streamed: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/** What all operations of a subresource have in common. */
type About = Pick<Operation, 'path' | 'tag' | 'consumes' | 'produces' | 'kind'>;

/** What the parameters of a subresource are that come from a type of options: its fields. */
function optionParameters(kind: string): readonly Parameter[] {
  const schema = builtinSchema(`io.k8s.api.core.v1.${kind}`);
  if (schema.kind !== 'object') return [];
  return [...schema.fields.values()].flatMap(({ name, schema: field }): Parameter[] => {
    const { kind: shape, type } = field.kind === 'list' ? (field.items as ScalarSchema) : (field as ScalarSchema);
    // Structs are no parameters: a time is one.
    if (shape !== 'scalar' || type === 'time' || name === 'kind' || name === 'apiVersion') return [];
    return [
      query(name, type === 'boolean' ? 'boolean' : type.startsWith('int') ? 'integer' : 'string', `${name} of the ${kind}.`),
    ];
  });
}

const onwards = pathParameter('path', 'path to the resource');
/** The methods that streams are opened with, in the order of the verbs that allow them. */
const streamMethods: readonly (readonly [Operation['method'], Verb])[] = [
  ['get', 'get'],
  ['put', 'update'],
  ['post', 'create'],
  ['delete', 'delete'],
  ['options', 'delete'],
  ['head', 'delete'],
  ['patch', 'patch'],
];

/** Text and streams: logs are read, the others connected to. */
function streamOperations(
  sub: Subresource,
  about: About,
  { group, version, kind, namespaced }: Resource,
  named: readonly Parameter[],
): Operation[] {
  const whole = `${namespaced ? 'Namespaced' : ''}${kind}${capital(sub.name)}`;
  const tag = groupVersionTag(group, version);
  const text = { ...about, body: undefined, response: undefined, codes: [200] };
  if (sub.name === 'log') {
    return [
      {
        ...text,
        method: 'get',
        action: 'get',
        id: `read${tag}${whole}`,
        description: `read log of the specified ${kind}`,
        produces: ['text/plain', ...about.produces],
        parameters: [pretty, ...named, ...optionParameters('PodLogOptions')],
      },
    ];
  }
  const parameters = [...named, ...optionParameters(about.kind!.kind)];
  return streamMethods.flatMap(([method, verb]): Operation[] => {
    if (!sub.verbs.includes(verb)) return [];
    const connect: Operation = {
      ...text,
      method,
      action: 'connect',
      id: `connect${tag}${capital(method)}${whole}`,
      description: `connect ${method.toUpperCase()} requests to ${sub.name} of ${kind}`,
      produces: anything,
      parameters,
    };
    if (sub.name !== 'proxy') return [connect];
    const below = { path: `${about.path}/{path}`, id: `${connect.id}WithPath`, parameters: [...parameters, onwards] };
    return [connect, { ...connect, ...below }];
  });
}

function subresourceOperations(
  sub: Subresource,
  common: About,
  parent: string,
  name: string,
  named: readonly Parameter[],
  patches: readonly string[],
  definition: string,
): readonly Operation[] {
  return sub.verbs.flatMap((verb): Operation[] => {
    switch (verb) {
      case 'get':
        return [
          {
            ...common,
            method: 'get',
            action: 'get',
            id: `read${name}`,
            description: `read ${sub.name} of the specified ${parent}`,
            body: undefined,
            response: definition,
            codes: [200],
            parameters: [pretty, ...named],
          },
        ];
      case 'create':
        return [
          {
            ...common,
            method: 'post',
            action: 'post',
            id: `create${name}`,
            description: `create ${sub.name} of ${someOf(parent)}`,
            body: definition,
            response: definition,
            codes: [200, 201, 202],
            parameters: [pretty, ...named, ...writeParameters],
          },
        ];
      case 'update':
        return [
          {
            ...common,
            method: 'put',
            action: 'put',
            id: `replace${name}`,
            description: `replace ${sub.name} of the specified ${parent}`,
            body: definition,
            response: definition,
            codes: [200, 201],
            parameters: [pretty, ...named, ...writeParameters],
          },
        ];
      case 'patch':
        return [
          {
            ...common,
            method: 'patch',
            action: 'patch',
            id: `patch${name}`,
            description: `partially update ${sub.name} of the specified ${parent}`,
            body: PATCH_DEFINITION,
            consumes: patches,
            response: definition,
            codes: [200, 201],
            parameters: [pretty, ...named, ...writeParameters, force],
          },
        ];
      default:
        return [];
    }
  });
}

/** The operation of a type that is only created. */
export function virtualOperation(virtual: VirtualResource): Operation {
  const { group, version, kind, plural, namespaced, type } = virtual;
  const base = basePath(group, version);
  return {
    path: namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`,
    method: 'post',
    action: 'post',
    id: `create${groupVersionTag(group, version)}${namespaced ? 'Namespaced' : ''}${kind}`,
    description: `create ${someOf(kind)}`,
    kind: { group, version, kind },
    tag: sectionOf(group, version),
    body: type,
    consumes: anything,
    produces: ANY_VERSION_TYPES,
    response: type,
    codes: [200, 201, 202],
    parameters: [pretty, ...(namespaced ? [inNamespace] : []), ...writeParameters],
  };
}
