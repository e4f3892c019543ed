import type { KubernetesObject } from '../api/meta/object.ts';
import { isConflict, isNotFound, isStatusError } from '../api/meta/status.ts';
import { parseTime } from '../api/meta/time.ts';
import type { Namespace, Pod } from '../api/types/core-v1.ts';
import type { Controller, ControllerContext } from '../client/controller.ts';
import { startReconciler } from '../client/controller-runner.ts';
import { namespaces } from '../client/resource-refs.ts';
import { NotYetError, type ReconcileResult } from '../client/work-queue.ts';
import { type DiscoveredResource, discoverResources } from './discovery.ts';
import { type DeletionOutcome, namespaceConditions } from './namespace-conditions.ts';

const WORKERS = 10;
/** A new deletion waits this long, so that API servers that have not seen it yet stop letting objects in (upstream's grace period). */
const DELETION_GRACE_MS = 5_000;
/** How long something with finalizers is given before it is looked at again, in seconds. */
const FINALIZER_ESTIMATE_SECONDS = 15;
const KUBERNETES_FINALIZER = 'kubernetes';
/** What remains is looked for again after this at first, then ever less often, up to half of what it is estimated to take. */
const FIRST_LOOK_MS = 100;

export interface NamespaceControllerOptions {
  /** Wait before emptying a namespace, in milliseconds; 0 when one API server admits everything. */
  readonly deletionGraceMs?: number;
}

/** Empties namespaces that are being deleted, tells how far it is in their conditions, and lets them go. */
export function namespaceController(options: NamespaceControllerOptions = {}): Controller {
  return {
    name: 'namespace-controller',
    start(context, signal) {
      const informer = context.informers.informer(namespaces);
      /** How often each namespace has been looked at while something remained. */
      const passes = new Map<string, number>();
      const queue = startReconciler(
        context,
        {
          name: 'namespace',
          workers: WORKERS,
          informers: [informer],
          reconcile: async (key) => {
            const namespace = informer.get(key);
            const result = namespace === undefined ? undefined : await emptyNamespace(context, namespace, signal);
            if (result?.requeueAfterMs === undefined) {
              passes.delete(key);
              return result;
            }
            // Upstream waits out half the estimate; most things are gone much sooner, and looking costs little here.
            const pass = passes.get(key) ?? 0;
            passes.set(key, pass + 1);
            return { requeueAfterMs: Math.min(result.requeueAfterMs, FIRST_LOOK_MS * 2 ** pass) };
          },
        },
        signal,
      );
      const enqueue = (namespace: Namespace): void => {
        if (namespace.metadata?.deletionTimestamp === undefined || !isHeld(namespace)) return;
        queue.addAfter(namespace.metadata.name!, options.deletionGraceMs ?? DELETION_GRACE_MS);
      };
      informer.addHandler({ onAdd: enqueue, onUpdate: enqueue });
    },
  };
}

/** Whether this controller's finalizer is still on it. */
const isHeld = (namespace: Namespace): boolean => (namespace.spec?.finalizers ?? []).includes(KUBERNETES_FINALIZER);

/** One pass. Asks to be called again while something remains that will go by itself; throws when something went wrong. */
async function emptyNamespace(
  context: ControllerContext,
  cached: Namespace,
  signal: AbortSignal,
): Promise<ReconcileResult | undefined> {
  const client = context.client.resource(namespaces);
  const name = cached.metadata!.name!;
  let namespace: Namespace;
  try {
    namespace = await client.get(name, '', { signal });
  } catch (err) {
    if (isNotFound(err)) return undefined;
    throw err;
  }
  const { deletionTimestamp, uid } = namespace.metadata ?? {};
  if (deletionTimestamp === undefined || uid !== cached.metadata?.uid || !isHeld(namespace)) return undefined;
  if (namespace.status?.phase !== 'Terminating') {
    namespace = await client.updateStatus({ ...namespace, status: { ...namespace.status, phase: 'Terminating' } }, { signal });
  }

  const pass = await deleteContent(context, namespace, signal);
  const conditions = namespaceConditions(namespace, pass.outcome, context.clock.now());
  if (conditions !== namespace.status?.conditions) {
    try {
      namespace = await client.updateStatus({ ...namespace, status: { ...namespace.status, conditions } }, { signal });
    } catch (err) {
      if (!isConflict(err)) throw err;
    }
  }
  const { contentErrors, discoveryError } = pass.outcome;
  // What remains for a known while is no failure: come back half way, as upstream does.
  if (pass.estimateSeconds > 0) return { requeueAfterMs: (Math.floor(pass.estimateSeconds / 2) + 1) * 1000 };
  if (contentErrors.length > 0 || discoveryError !== undefined) {
    const message = `namespace ${name} is not empty: ${[discoveryError, ...contentErrors].filter(Boolean).join('; ')}`;
    // The conditions tell of what is left.
    throw discoveryError === undefined ? new NotYetError(message) : new Error(message);
  }
  await finalize(context, namespace, signal);
  return undefined;
}

/** Takes this controller's finalizer off; the API server then removes the object when nothing else holds it. */
async function finalize(context: ControllerContext, namespace: Namespace, signal: AbortSignal): Promise<void> {
  const name = namespace.metadata!.name!;
  const client = context.client.resource(namespaces);
  const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== KUBERNETES_FINALIZER);
  try {
    const { resourceVersion: _, ...metadata } = namespace.metadata!;
    const body: Namespace = { ...namespace, metadata, spec: { ...namespace.spec, finalizers } };
    await client.subresource('update', name, '', 'finalize', body, { signal });
  } catch (err) {
    if (!isNotFound(err)) throw err;
  }
}

interface Pass {
  readonly outcome: DeletionOutcome;
  readonly estimateSeconds: number;
}

/** Deletes everything, pods before all else (KEP-5080): what protects them must not go first. */
async function deleteContent(context: ControllerContext, namespace: Namespace, signal: AbortSignal): Promise<Pass> {
  const contentErrors: string[] = [];
  const remaining = new Map<string, number>();
  const remainingFinalizers = new Map<string, number>();
  let estimateSeconds = 0;
  let discoveryError: string | undefined;

  const empty = async (resource: DiscoveredResource): Promise<number> => {
    try {
      const left = await deleteAllOf(context, resource, namespace, signal);
      estimateSeconds = Math.max(estimateSeconds, left.estimateSeconds);
      if (left.count > 0) remaining.set(`${resource.plural}.${resource.group}`, left.count);
      for (const [finalizer, n] of left.finalizers)
        remainingFinalizers.set(finalizer, (remainingFinalizers.get(finalizer) ?? 0) + n);
      if (left.unexpected) contentErrors.push(unexpectedMessage(namespace, resource));
      return left.count;
    } catch (err) {
      if (signal.aborted) throw err;
      contentErrors.push(err instanceof Error ? err.message : String(err));
      return 0;
    }
  };

  const discovery = await discoverResources(context.client, signal);
  if (discovery.failed.size > 0) {
    const list = [...discovery.failed].map(([gv, err]) => `${gv}: ${err.message}`).sort();
    discoveryError = `Discovery failed for some groups, ${discovery.failed.size} failing: unable to retrieve the complete list of server APIs: ${list.join(', ')}`;
  }
  const deletable = discovery.resources.filter((resource) => resource.namespaced && resource.verbs.includes('delete'));
  const podType = deletable.find((resource) => resource.group === '' && resource.plural === 'pods');
  const podsLeft = podType === undefined ? 0 : await empty(podType);
  if (podsLeft === 0) {
    for (const resource of deletable) if (resource !== podType) await empty(resource);
  }
  return {
    outcome: { contentErrors, remaining, remainingFinalizers, ...(discoveryError === undefined ? {} : { discoveryError }) },
    estimateSeconds,
  };
}

const unexpectedMessage = (namespace: Namespace, r: DiscoveredResource): string =>
  `unexpected items still remain in namespace: ${namespace.metadata?.name} for gvr: ${r.group}/${r.version}, Resource=${r.plural}`;

interface Left {
  readonly count: number;
  readonly finalizers: ReadonlyMap<string, number>;
  readonly estimateSeconds: number;
  /** Something stands that nothing explains. */
  readonly unexpected: boolean;
}

const nothingLeft: Left = { count: 0, finalizers: new Map(), estimateSeconds: 0, unexpected: false };

async function deleteAllOf(
  context: ControllerContext,
  resource: DiscoveredResource,
  namespace: Namespace,
  signal: AbortSignal,
): Promise<Left> {
  const name = namespace.metadata!.name!;
  const client = context.client.resource(resource);
  const canList = resource.verbs.includes('list');
  const before = canList ? (await client.list(name, { signal })).items : undefined;
  if (before?.length === 0) return nothingLeft;
  const estimateSeconds =
    resource.group === '' && resource.plural === 'pods' ? gracePeriodLeft(before ?? [], namespace, context.clock.now()) : 0;
  try {
    if (resource.verbs.includes('deletecollection'))
      await client.deleteCollection(name, { propagationPolicy: 'Background', signal });
    else
      for (const item of before ?? [])
        await client.delete(item.metadata!.name!, name, { propagationPolicy: 'Background', signal });
  } catch (err) {
    if (!isNotFound(err) && !isStatusError(err, 'MethodNotAllowed')) throw err;
  }
  if (!canList) return { ...nothingLeft, estimateSeconds };
  const { items } = await client.list(name, { signal });
  if (items.length === 0) return nothingLeft;
  const finalizers = new Map<string, number>();
  for (const item of items) {
    for (const finalizer of item.metadata?.finalizers ?? []) finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1);
  }
  if (estimateSeconds > 0) return { count: items.length, finalizers, estimateSeconds, unexpected: false };
  if (finalizers.size > 0)
    return { count: items.length, finalizers, estimateSeconds: FINALIZER_ESTIMATE_SECONDS, unexpected: false };
  return { count: items.length, finalizers, estimateSeconds: 0, unexpected: true };
}

/** The longest grace of a running pod, in seconds; 0 once that has passed since the namespace was deleted. */
function gracePeriodLeft(pods: readonly KubernetesObject[], namespace: Namespace, now: number): number {
  let longest = 0;
  for (const pod of pods as readonly Pod[]) {
    const phase = pod.status?.phase;
    if (phase === 'Succeeded' || phase === 'Failed') continue;
    longest = Math.max(longest, pod.spec?.terminationGracePeriodSeconds ?? 0);
  }
  const since = now - (parseTime(namespace.metadata?.deletionTimestamp) ?? now);
  return since >= longest * 1000 ? 0 : longest;
}
