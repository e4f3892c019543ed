import { invalid } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, internalStatus, invalidObject, notFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { ScaleMapping } from '../../api/resource.ts';
import { builtinSchema } from '../../api/schema/builtin.ts';
import type { Scale } from '../../api/types/autoscaling-v1.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import { entriesOfParent, entriesOfScale, replicasPath } from '../field-manager/scale-entries.ts';
import { decodeAs } from './decode-body.ts';
import { applyPatch, checkPatchType } from './patch.ts';
import { scaleTable } from './scale-table.ts';
import { methodNotAllowed, type RestResult, type Scope, validateWriteOptions } from './scope.ts';
import { type Replacement, replace } from './update.ts';

const scaleType = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  get schema() {
    return builtinSchema('io.k8s.api.autoscaling.v1.Scale');
  },
};

/** The `scale` subresource: an autoscaling/v1 view of the numbers of its parent. */
export async function scale(scope: Scope, mapping: ScaleMapping): Promise<RestResult> {
  const { endpoint, request } = scope;
  if (request.verb === 'get') {
    const entry = endpoint.collection.get(scope.key);
    if (entry === undefined) throw notFound(endpoint.subject, request.name);
    const object = endpoint.object(entry);
    const missing = mapping.missingReplicas?.(object);
    if (missing !== undefined) throw internalStatus(`the spec replicas field ${JSON.stringify(missing)} does not exist`);
    return scaleResult(200, scope, mapping, object);
  }
  validateWriteOptions(request);
  const result = await replace(scope, {
    subresource: undefined,
    createWhenMissing: false,
    operation: request.patchType === patchTypes.apply ? 'apply' : request.verb === 'patch' ? 'patch' : 'update',
    next: desired(scope, mapping),
    admitAs: {
      kind: scaleType,
      view: (object) => toScale(mapping, object),
      apply: (object, view) => mapping.withReplicas(object, (view as Scale).spec?.replicas ?? 0),
    },
  });
  const object = result.entry === undefined ? result.object : endpoint.object(result.entry);
  return scaleResult(result.code, scope, mapping, object ?? {});
}

function desired(scope: Scope, mapping: ScaleMapping): Replacement['next'] {
  const { request } = scope;
  if (request.verb === 'update') {
    const wanted = decodeAs<Scale>(scope, scaleType);
    const name = wanted.metadata?.name ?? '';
    if (name !== request.name) {
      throw badRequest(`the name of the object (${name}) does not match the name on the URL (${request.name})`);
    }
    return (live) => withScale(mapping, live as KubernetesObject, wanted, true);
  }
  if (request.verb !== 'patch') throw methodNotAllowed();
  if (request.patchType === patchTypes.apply && scope.core.fieldManager !== undefined) {
    return (live) => applied(scope, mapping, live as KubernetesObject);
  }
  checkPatchType(scope, [patchTypes.json, patchTypes.merge, patchTypes.strategic]);
  return (live) => {
    const shown = toScale(mapping, live as KubernetesObject);
    const missing = mapping.missingReplicas?.(live as KubernetesObject);
    const patched = applyPatch(scope, missing === undefined ? shown : { ...shown, spec: {} }, scaleType) as Scale;
    if (missing !== undefined && patched.spec?.replicas === undefined) {
      throw badRequest(`the spec replicas field ${JSON.stringify(missing)} cannot be empty`);
    }
    return withScale(mapping, live as KubernetesObject, patched, false);
  };
}

/** The parent after server-side apply of a Scale: what is applied owns the parent's replicas. */
function applied(scope: Scope, mapping: ScaleMapping, live: KubernetesObject): KubernetesObject {
  const { endpoint, request, core, now, manager } = scope;
  const entries = live.metadata?.managedFields;
  const path = replicasPath(endpoint.resource, mapping, live);
  const current = toScale(mapping, live);
  const owned = path === undefined ? undefined : entriesOfScale(entries, path);
  const merged = core.fieldManager!.apply({
    resource: { ...endpoint.resource, ...scaleType, schema: scaleType.schema, subresources: {}, defaults: (object) => object },
    live: { ...current, metadata: { ...current.metadata, ...(owned === undefined ? {} : { managedFields: owned }) } },
    object: request.body as KubernetesObject,
    manager,
    subresource: 'scale',
    now,
    force: request.options.force === true,
  });
  const changed = withScale(mapping, live, merged as Scale, true);
  const kept = path === undefined ? entries : entriesOfParent(entries, merged.metadata?.managedFields, path, endpoint.resource);
  return { ...changed, metadata: { ...changed.metadata, ...(kept === undefined ? {} : { managedFields: kept }) } };
}

/** The parent with the numbers of `wanted`, and its preconditions when it names any. */
function withScale(mapping: ScaleMapping, live: KubernetesObject, wanted: Scale, conditional: boolean): KubernetesObject {
  const replicas = wanted.spec?.replicas ?? 0;
  if (replicas < 0) {
    throw invalidObject(scaleType, live.metadata?.name ?? '', [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  const changed = mapping.withReplicas(live, replicas);
  const { resourceVersion: _version, ...metadata } = changed.metadata ?? {};
  const { resourceVersion, uid } = wanted.metadata ?? {};
  return {
    ...changed,
    metadata: {
      ...metadata,
      ...(conditional && resourceVersion !== undefined ? { resourceVersion } : {}),
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

function toScale(mapping: ScaleMapping, object: KubernetesObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const selector = mapping.selector(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: mapping.specReplicas(object) },
    status: { replicas: mapping.statusReplicas(object), ...(selector === '' ? {} : { selector }) },
  };
}

const scaleResult = (code: number, { endpoint }: Scope, mapping: ScaleMapping, object: KubernetesObject): RestResult => ({
  code,
  endpoint: undefined,
  entry: undefined,
  object: deepFreeze(toScale(mapping, object)) as KubernetesObject,
  table: scaleTable(endpoint.resource),
});
