import { goText } from '../../api/meta/go-text.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, conflict, invalidObject, unsupportedMediaType } from '../../api/meta/status.ts';
import { applyJsonPatch } from '../../api/patch/json-patch.ts';
import { isObject, type Json } from '../../api/patch/json-value.ts';
import { applyMergePatch } from '../../api/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../api/patch/strategic-merge-patch.ts';
import { type PatchType, patchTypes } from '../../api/request.ts';
import type { Resource, Subresource } from '../../api/resource.ts';
import type { Schema } from '../../api/schema/schema.ts';
import { withRequestNamespace } from './create.ts';
import { type BodyType, decodeValue, jsonType, reportUnknown } from './decode-body.ts';
import { type RestResult, type Scope, validateWriteOptions } from './scope.ts';
import { replace } from './update.ts';

/** The media types a PATCH of this type may have. Custom resources have no strategic merge. */
export function acceptedPatches(resource: Pick<Resource, 'schema'>): readonly PatchType[] {
  const all = Object.values(patchTypes);
  return hasStrategicMerge(resource.schema) ? all : all.filter((type) => type !== patchTypes.strategic);
}

const hasStrategicMerge = (schema: Schema): boolean => schema.kind === 'object' && schema.name !== undefined;

/** PATCH of an object, or of its view through a subresource. */
export async function patch(scope: Scope, subresource: Subresource | undefined): Promise<RestResult> {
  const { endpoint, request } = scope;
  checkPatchType(scope, acceptedPatches(endpoint.resource));
  validateWriteOptions(request);
  if (request.patchType === patchTypes.apply) return apply(scope, subresource);
  return replace(scope, {
    subresource,
    createWhenMissing: false,
    operation: 'patch',
    next: (live) => {
      const patched = applyPatch(scope, live as KubernetesObject, endpoint.resource);
      return withRequestNamespace(scope, endpoint.resource.defaults(patched));
    },
  });
}

export function checkPatchType(scope: Scope, accepted: readonly PatchType[]): void {
  const { patchType } = scope.request;
  if (patchType === undefined || !accepted.includes(patchType)) throw unsupportedMediaType(accepted);
}

/** The live object with the request's patch applied, decoded again. Shared with subresources that speak another kind. */
export function applyPatch<T extends KubernetesObject>(scope: Scope, live: T, type: BodyType): T {
  const { request } = scope;
  const patched = applyByType(request.patchType, live as unknown as Json, request.body, type.schema);
  const merged = request.patchType === patchTypes.strategic;
  // Of a strategic patch upstream shows what was sent, as Go prints it; of others what came out.
  const failure = (message: string): Error =>
    invalidObject({ group: '', kind: '' }, '', [
      {
        ...{ type: 'FieldValueInvalid', path: 'patch', detail: message },
        value: merged ? goText(request.body) : JSON.stringify(patched),
      },
    ]);
  const { object, unknownFields } = decodeValue<T>(type, patched, {
    // What conversion made is not always in canonical form.
    known: scope.endpoint.resource.conversion === undefined ? live : undefined,
    merged,
    failure,
  });
  reportUnknown(scope, merged ? [...unknownFields].sort() : unknownFields, scope.duplicateFields, failure);
  const name = object.metadata?.name ?? '';
  if (name !== '' && name !== request.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${request.name})`);
  }
  return object;
}

function applyByType(type: PatchType | undefined, live: Json, patchBody: unknown, schema: Schema): Json {
  switch (type) {
    case patchTypes.json:
      return applyJsonPatch(live, patchBody);
    case patchTypes.merge:
      return applyMergePatch(live, patchBody as Json);
    case patchTypes.strategic:
      return applyStrategicMergePatch(live, patchBody as Json, schema);
    default:
      throw unsupportedMediaType(Object.values(patchTypes));
  }
}

/** Server-side apply: the field manager merges; a name that does not exist is created. The configuration goes there as it was sent. */
async function apply(scope: Scope, subresource: Subresource | undefined): Promise<RestResult> {
  const { endpoint, request, core } = scope;
  const { fieldManager } = core;
  if (fieldManager === undefined) throw unsupportedMediaType(Object.values(patchTypes).filter((t) => t !== patchTypes.apply));
  const { body } = request;
  if (!isObject(body)) throw badRequest(`error decoding YAML: ${notAnObject(body)}`);
  reportUnknown(scope, [], scope.duplicateFields, (message) => badRequest(`error strict decoding YAML: ${message}`));
  return replace(scope, {
    subresource,
    createWhenMissing: subresource === undefined,
    operation: 'apply',
    next: (live) => {
      const merged = fieldManager.apply({
        resource: endpoint.resource,
        live,
        object: body as KubernetesObject,
        manager: scope.manager,
        subresource: request.subresource ?? '',
        now: scope.now,
        force: request.options.force === true,
      });
      checkApplied(scope, merged, live);
      return withRequestNamespace(scope, merged);
    },
  });
}

/** What the merged object may not say: another name than the URL's, or a uid where there is nothing that has it. */
function checkApplied(scope: Scope, merged: KubernetesObject, live: KubernetesObject | undefined): void {
  const { name = '', uid = '' } = merged.metadata ?? {};
  if (uid !== '' && live === undefined) {
    const cause = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
    throw conflict(scope.endpoint.subject, scope.request.name, cause);
  }
  if (name === '') {
    throw badRequest(`the name of the object (${scope.request.name} based on URL) was undeterminable: name must be provided`);
  }
  if (name !== scope.request.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${scope.request.name})`);
  }
}

const notAnObject = (body: unknown): string =>
  `error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonType(body)} into Go value of type map[string]interface {}`;
