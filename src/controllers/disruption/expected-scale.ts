import { type KubernetesObject, type OwnerReference, parseApiVersion } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import type { Deployment, ReplicaSet, StatefulSet } from '../../api/types/apps-v1.ts';
import type { Pod, ReplicationController } from '../../api/types/core-v1.ts';
import type { Informer, ResourceRef } from '../../client/contract.ts';
import type { ControllerContext } from '../../client/controller.ts';
import { deployments, replicaSets, replicationControllers, statefulSets } from '../../client/resource-refs.ts';
import { discoverResources } from '../discovery.ts';
import { controllerOf } from '../workload/controller-ref.ts';
import type { ExpectedScale } from './plan.ts';

interface Scaled {
  readonly uid: string;
  readonly replicas: number;
}

type WithReplicas = KubernetesObject & { readonly spec?: { readonly replicas?: number } };

/** A pod says that it has a controller, which is not there: it was deleted before its pods, or has not been seen yet. */
export class NoControllerError extends Error {
  constructor(pod: Pod) {
    super(`found no controllers for pod ${JSON.stringify(pod.metadata?.name)}`);
  }
}

/** Finds the controllers of pods and how many pods they want: workloads in the caches, others by their scale subresource. */
export class ScaleFinder {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #deployments: Informer<Deployment>;
  readonly #byKind: ReadonlyMap<string, Informer<WithReplicas>>;
  #discovered: ReadonlyMap<string, ResourceRef> = new Map();

  constructor(context: ControllerContext, signal: AbortSignal) {
    const { informers } = context;
    this.#context = context;
    this.#signal = signal;
    this.#deployments = informers.informer<Deployment>(deployments);
    this.#byKind = new Map<string, Informer<WithReplicas>>([
      ['apps/ReplicaSet', informers.informer<ReplicaSet>(replicaSets) as Informer<WithReplicas>],
      ['apps/StatefulSet', informers.informer<StatefulSet>(statefulSets) as Informer<WithReplicas>],
      ['/ReplicationController', informers.informer<ReplicationController>(replicationControllers) as Informer<WithReplicas>],
    ]);
  }

  /** What must have been listed before any answer is right. */
  get informers(): readonly Informer<KubernetesObject>[] {
    return [this.#deployments, ...this.#byKind.values()] as readonly Informer<KubernetesObject>[];
  }

  /** How many pods the pods' controllers want together. Throws a NoControllerError when a pod's controller cannot be found. */
  async expectedScale(pods: readonly Pod[]): Promise<ExpectedScale> {
    const scales = new Map<string, number>();
    const known = new Set<string>();
    const unmanaged: string[] = [];
    for (const pod of pods) {
      const ref = controllerOf(pod);
      if (ref === undefined) {
        unmanaged.push(pod.metadata?.name ?? '');
        continue;
      }
      if (known.has(ref.uid)) continue;
      const found = await this.#find(pod.metadata?.namespace ?? '', ref);
      if (found === undefined) throw new NoControllerError(pod);
      known.add(ref.uid);
      scales.set(found.uid, found.replicas);
    }
    return { count: [...scales.values()].reduce((a, b) => a + b, 0), unmanaged };
  }

  async #find(namespace: string, ref: OwnerReference): Promise<Scaled | undefined> {
    const { group } = parseApiVersion(ref.apiVersion);
    const informer = this.#byKind.get(`${group}/${ref.kind}`);
    if (informer === undefined) return await this.#byScale(namespace, group, ref);
    const object = informer.get(`${namespace}/${ref.name}`);
    if (object?.metadata?.uid !== ref.uid) return undefined;
    if (ref.kind === 'ReplicaSet') {
      // The sets of a Deployment come and go; it is the Deployment that says how many pods there are to be.
      const owner = controllerOf(object);
      const deployment = owner?.kind === 'Deployment' ? this.#deployments.get(`${namespace}/${owner.name}`) : undefined;
      if (deployment !== undefined && deployment.metadata?.uid === owner?.uid) {
        return { uid: deployment.metadata!.uid!, replicas: deployment.spec?.replicas ?? 1 };
      }
    }
    return { uid: ref.uid, replicas: object.spec?.replicas ?? 1 };
  }

  async #byScale(namespace: string, group: string, ref: OwnerReference): Promise<Scaled | undefined> {
    const resource = await this.#resource(group, ref.kind);
    if (resource === undefined) return undefined;
    try {
      const scale = await this.#context.client
        .resource(resource)
        .subresource<WithReplicas>('get', ref.name, namespace, 'scale', undefined, { signal: this.#signal });
      return scale.metadata?.uid === ref.uid ? { uid: ref.uid, replicas: scale.spec?.replicas ?? 0 } : undefined;
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }

  async #resource(group: string, kind: string): Promise<ResourceRef | undefined> {
    const id = `${group}/${kind}`;
    const known = this.#discovered.get(id);
    if (known !== undefined) return known;
    const { resources } = await discoverResources(this.#context.client, this.#signal);
    this.#discovered = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]));
    return this.#discovered.get(id);
  }
}
