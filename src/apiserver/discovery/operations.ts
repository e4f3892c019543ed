import type { GroupVersionKind } from '../../api/meta/object.ts';
import { apiVersionOf } from '../../api/meta/object.ts';
import type { Resource, Subresource } from '../../api/resource.ts';
import type { VirtualResource } from '../contract.ts';
import { acceptedPatches } from '../rest/patch.ts';

/** One operation of one path, as both OpenAPI versions describe it. */
export interface Operation {
  readonly path: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly id: string;
  readonly description: string;
  /** x-kubernetes-action: what kubectl looks at. */
  readonly action: string;
  readonly kind: GroupVersionKind;
  /** Definition name of the body: an object, a patch, delete options. */
  readonly body: string | undefined;
  readonly bodyTypes: readonly string[];
  /** Definition name of the answer; undefined for streams. */
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

const objectTypes = ['application/json', 'application/yaml'];

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `CoreV1`, `RbacAuthorizationV1`: how operation ids name a group version. */
function groupTag(group: string, version: string): string {
  const name = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '');
  return name.split('.').map(capital).join('') + capital(version);
}

const basePath = (group: string, version: string): string =>
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
  const tag = groupTag(group, version) + (namespaced ? 'Namespaced' : '');
  const gvk = { group, version, kind };
  const named = [pathParameter('name', `name of the ${kind}`), ...scope];
  const patches = acceptedPatches(resource);
  const out: Operation[] = [];
  const add = (o: Pick<Operation, 'path' | 'method' | 'action' | 'id' | 'description'> & Partial<Operation>): void => {
    out.push({ kind: gvk, body: undefined, bodyTypes: objectTypes, response: definition, codes: [200], parameters: [], ...o });
  };
  if (verbs.includes('list')) {
    add({
      path: collection,
      method: 'get',
      action: 'list',
      id: `list${tag}${kind}`,
      description: `list or watch objects of kind ${kind}`,
      response: listDefinition,
      parameters: [pretty, ...scope, ...listParameters],
    });
    if (namespaced) {
      add({
        path: `${base}/${plural}`,
        method: 'get',
        action: 'list',
        id: `list${groupTag(group, version)}${kind}ForAllNamespaces`,
        description: `list or watch objects of kind ${kind}`,
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
      description: `create a ${kind}`,
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
      id: `delete${groupTag(group, version)}Collection${namespaced ? 'Namespaced' : ''}${kind}`,
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
      bodyTypes: patches,
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
      description: `delete a ${kind}`,
      body: DELETE_OPTIONS_DEFINITION,
      response: STATUS_DEFINITION,
      codes: [200, 202],
      parameters: [pretty, ...named, ...deleteParameters],
    });
  }
  for (const sub of Object.values(resource.subresources)) {
    out.push(
      ...subresourceOperations(
        sub,
        `${item}/${sub.name}`,
        gvk,
        tag,
        named,
        patches,
        sub.kind === undefined ? definition : definitionOf(sub.kind),
      ),
    );
  }
  return out;
}

const streamed: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

function subresourceOperations(
  sub: Subresource,
  path: string,
  parent: GroupVersionKind,
  tag: string,
  named: readonly Parameter[],
  patches: readonly string[],
  definition: string,
): readonly Operation[] {
  const kind = sub.kind ?? parent;
  const name = `${tag}${parent.kind}${capital(sub.name)}`;
  const common = { path, kind, bodyTypes: objectTypes as readonly string[] };
  if (streamed.has(sub.name)) {
    return sub.verbs.flatMap((verb): Operation[] => {
      const method = streamMethods[verb];
      if (method === undefined) return [];
      return [
        {
          ...common,
          method,
          action: 'connect',
          id: `connect${capital(method)}${name}`,
          description: `connect to ${sub.name} of ${parent.kind}`,
          body: undefined,
          response: undefined,
          codes: [200],
          parameters: named,
        },
      ];
    });
  }
  return sub.verbs.flatMap((verb): Operation[] => {
    switch (verb) {
      case 'get':
        return [
          {
            ...common,
            method: 'get',
            action: 'get',
            id: `read${name}`,
            description: `read ${sub.name} of the specified ${parent.kind}`,
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
            description: `create ${sub.name} of a ${parent.kind}`,
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
            description: `replace ${sub.name} of the specified ${parent.kind}`,
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
            description: `partially update ${sub.name} of the specified ${parent.kind}`,
            body: PATCH_DEFINITION,
            bodyTypes: patches,
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

const streamMethods: Readonly<Partial<Record<string, Operation['method']>>> = {
  get: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
};

/** The operation of a type that is only created. */
export function virtualOperation(virtual: VirtualResource): Operation {
  const { group, version, kind, plural, namespaced, type } = virtual;
  const base = basePath(group, version);
  return {
    path: namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`,
    method: 'post',
    action: 'post',
    id: `create${groupTag(group, version)}${namespaced ? 'Namespaced' : ''}${kind}`,
    description: `create a ${kind}`,
    kind: { group, version, kind },
    body: type,
    bodyTypes: objectTypes,
    response: type,
    codes: [200, 201, 202],
    parameters: [pretty, ...(namespaced ? [inNamespace] : []), ...writeParameters],
  };
}
