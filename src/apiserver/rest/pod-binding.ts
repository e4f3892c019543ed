import { invalid, required } from '../../api/meta/field-error.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { badRequest, conflict, invalidObject, notFound } from '../../api/meta/status.ts';
import type { ApiResponse } from '../../api/request.ts';
import type { Binding, Pod, PodCondition } from '../../api/types/core-v1.ts';
import { PreconditionError } from '../../store/contract.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { HandlerScope, SubresourceHandler, VirtualResource } from '../contract.ts';
import type { Registry } from './registry.ts';
import { MAX_CONFLICT_RETRIES, timestamp } from './scope.ts';

const subject = { group: '', resource: 'pods/binding' };

const success: KubernetesObject = deepFreeze({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code: 201,
} as KubernetesObject);

/** `pods/binding`: the scheduler's one write. Puts a pod on a node, once. */
export function podBinding(registry: Registry): SubresourceHandler {
  return {
    group: '',
    resource: 'pods',
    subresource: 'binding',
    handle: async (scope) => {
      const binding = scope.request.body as Binding;
      checkBinding(scope, binding);
      await bind(registry, scope, binding);
      return { code: 201, object: success, warnings: [] } satisfies ApiResponse;
    },
  };
}

/** `bindings`: the same write by the binding's own name. What schedulers used before the subresource. */
export function legacyBindings(registry: Registry): VirtualResource {
  return {
    group: '',
    version: 'v1',
    kind: 'Binding',
    plural: 'bindings',
    singular: 'binding',
    namespaced: true,
    verbs: ['create'],
    type: 'io.k8s.api.core.v1.Binding',
    handle: async (scope) => {
      const binding = scope.request.body as Binding;
      const name = binding.metadata?.name ?? '';
      const named = { ...scope, request: { ...scope.request, name } };
      checkBinding(named, binding);
      await bind(registry, named, binding);
      return { code: 201, object: success, warnings: [] };
    },
  };
}

function checkBinding(scope: HandlerScope, binding: Binding): void {
  const name = binding.metadata?.name ?? '';
  if (name !== '' && name !== scope.request.name) throw badRequest('name in URL does not match name in Binding object');
  const { kind = '', name: node = '' } = binding.target;
  const errors = [
    ...(kind === '' || kind === 'Node' ? [] : [invalid('target.kind', kind, 'must be empty, or "Node"')]),
    ...(node === '' ? [required('target.name')] : []),
  ];
  if (errors.length > 0) throw invalidObject({ group: '', kind: 'Binding' }, name, errors);
}

async function bind(registry: Registry, scope: HandlerScope, binding: Binding): Promise<void> {
  const endpoint = registry.find('', 'v1', 'pods');
  const { namespace, name } = scope.request;
  if (endpoint === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  const key = endpoint.key(namespace, name);
  for (let attempt = 0; ; attempt++) {
    const entry = endpoint.collection.get(key);
    if (entry === undefined) throw notFound({ group: '', resource: 'pods' }, name);
    const pod = entry.object as Pod;
    checkPod(pod, binding, name);
    if (scope.dryRun) return;
    try {
      const object = deepFreeze(boundPod(pod, binding, timestamp(scope.now)));
      await endpoint.collection.write({ type: 'put', key, object, expectedRevision: entry.revision });
      return;
    } catch (err) {
      if (!(err instanceof PreconditionError) || attempt >= MAX_CONFLICT_RETRIES) throw err;
    }
  }
}

function checkPod(pod: Pod, binding: Binding, name: string): void {
  const refuse = (cause: string): Error => conflict(subject, name, cause);
  const { uid, resourceVersion } = binding.metadata ?? {};
  if (uid !== undefined && uid !== '' && uid !== pod.metadata?.uid) {
    throw refuse(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata?.uid ?? ''}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== pod.metadata?.resourceVersion) {
    throw refuse(
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata?.resourceVersion ?? ''}`,
    );
  }
  if (pod.metadata?.deletionTimestamp !== undefined) {
    throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const node = pod.spec?.nodeName ?? '';
  if (node !== '') throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(node)}`);
  if ((pod.spec?.schedulingGates ?? []).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
}

function boundPod(pod: Pod, binding: Binding, at: string): Pod {
  const { annotations, labels } = binding.metadata ?? {};
  const scheduled: PodCondition = {
    type: 'PodScheduled',
    status: 'True',
    ...(pod.metadata?.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    lastTransitionTime: at,
  };
  const conditions = pod.status?.conditions ?? [];
  const others = conditions.filter((c) => c.type !== 'PodScheduled');
  // A nomination has served its purpose (KEP-5278).
  const { nominatedNodeName: _, ...status } = pod.status ?? {};
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(annotations === undefined ? {} : { annotations: { ...pod.metadata?.annotations, ...annotations } }),
      ...(labels === undefined ? {} : { labels: { ...pod.metadata?.labels, ...labels } }),
    },
    spec: { ...pod.spec!, nodeName: binding.target.name ?? '' },
    status: { ...status, conditions: [...others, scheduled] },
  };
}
