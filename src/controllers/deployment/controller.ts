import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isAlreadyExists, isNotFound } from '../../api/meta/status.ts';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { EventRecorder, Informer, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { deployments, pods, replicaSets } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { selectorMatches } from '../label-selector.ts';
import { namespaceIsGoing } from '../service-account.ts';
import { claim, controllerOf, controllerRef } from '../workload/controller-ref.ts';
import { messageOf } from '../workload/pod-control.ts';
import { isFinished } from '../workload/pod-state.ts';
import { candidatesFor, controlledBy, indexByController } from '../workload/pods-of.ts';
import { type DeploymentAction, planDeployment, sameTemplate } from './plan.ts';
import { condition, hasProgressDeadline, setCondition } from './status.ts';

const WORKERS = 5;
/** Failures in a row after which a Deployment is left alone until it changes (upstream's maxRetries). */
const MAX_RETRIES = 15;

/** Rolls Deployments out over ReplicaSets. */
export function deploymentController(): Controller {
  return { name: 'deployment-controller', start: (context, signal) => new DeploymentShell(context, signal).start() };
}

class DeploymentShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #deployments: Informer<Deployment>;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;
  readonly #recorder: EventRecorder;
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#deployments = context.informers.informer(deployments);
    this.#sets = context.informers.informer(replicaSets);
    this.#pods = context.informers.informer(pods);
    this.#recorder = context.recorder('deployment-controller');
  }

  start(): void {
    indexByController(this.#sets);
    indexByController(this.#pods);
    const informers = [this.#deployments, this.#sets, this.#pods] as readonly Informer<KubernetesObject>[];
    const reconcile = (key: string): Promise<ReconcileResult | undefined> => this.#reconcile(key);
    this.#queue = startReconciler(
      this.#context,
      { name: 'deployment', workers: WORKERS, informers, reconcile, maxRetries: MAX_RETRIES },
      this.#signal,
    );
    const enqueue = (deployment: Deployment): void => this.#queue.add(objectKey(deployment));
    this.#deployments.addHandler({ onAdd: enqueue, onUpdate: enqueue, onDelete: enqueue });
    this.#sets.addHandler({
      onAdd: (set) => this.#setChanged(set),
      onUpdate: (set, old) => {
        this.#setChanged(set);
        if (controllerOf(old)?.uid !== controllerOf(set)?.uid) this.#setChanged(old);
      },
      onDelete: (set) => this.#setChanged(set),
    });
    this.#pods.addHandler({ onDelete: (pod) => this.#podGone(pod) });
  }

  #setChanged(set: ReplicaSet): void {
    const owner = this.#ownerOf(set);
    if (owner !== undefined) {
      this.#queue.add(objectKey(owner));
      return;
    }
    if (controllerOf(set) !== undefined) return;
    for (const deployment of this.#deployments.list(set.metadata?.namespace)) {
      if (selectorMatches(deployment.spec?.selector, set.metadata?.labels)) this.#queue.add(objectKey(deployment));
    }
  }

  #ownerOf(set: ReplicaSet): Deployment | undefined {
    const ref = controllerOf(set);
    if (ref?.kind !== 'Deployment') return undefined;
    const owner = this.#deployments.get(`${set.metadata?.namespace}/${ref.name}`);
    return owner?.metadata?.uid === ref.uid ? owner : undefined;
  }

  /** Recreate waits for pods to be gone, which no ReplicaSet's status tells. */
  #podGone(pod: Pod): void {
    const ref = controllerOf(pod);
    if (ref?.kind !== 'ReplicaSet') return;
    const set = this.#sets.get(`${pod.metadata?.namespace}/${ref.name}`);
    const owner = set === undefined ? undefined : this.#ownerOf(set);
    if (owner?.spec?.strategy?.type === 'Recreate') this.#queue.add(objectKey(owner));
  }

  async #reconcile(key: string): Promise<ReconcileResult | undefined> {
    const deployment = this.#deployments.get(key);
    if (deployment === undefined) return undefined;
    const owned = await this.#claim(deployment);
    const plan = planDeployment(
      {
        deployment,
        replicaSets: owned,
        unfinishedPods: (uid) => controlledBy(this.#pods, uid).filter((pod) => !isFinished(pod)).length,
      },
      this.#context.clock.now(),
    );
    for (const action of plan.actions) await this.#perform(deployment, action);
    return plan.requeueAfterMs === undefined ? undefined : { requeueAfterMs: plan.requeueAfterMs };
  }

  async #claim(deployment: Deployment): Promise<readonly ReplicaSet[]> {
    const { client } = this.#context;
    const { name = '', namespace = '' } = deployment.metadata ?? {};
    return await claim<ReplicaSet>({
      owner: deployment,
      ownerRef: controllerRef(deployment, 'apps/v1', 'Deployment'),
      candidates: candidatesFor(this.#sets, deployment),
      matches: (set) => selectorMatches(deployment.spec?.selector, set.metadata?.labels),
      client: client.resource(replicaSets),
      freshOwner: () => client.resource(deployments).get(name, namespace, { signal: this.#signal }),
    });
  }

  async #perform(deployment: Deployment, action: DeploymentAction): Promise<void> {
    const { client } = this.#context;
    const options = { signal: this.#signal };
    switch (action.type) {
      case 'create':
        await this.#create(deployment, action.set, action.event);
        return;
      case 'update':
        await client.resource(replicaSets).update(action.set, options);
        if (action.event !== undefined) this.#recorder.event(deployment, 'Normal', 'ScalingReplicaSet', action.event);
        return;
      case 'delete':
        try {
          await client.resource(replicaSets).delete(action.set.metadata!.name!, action.set.metadata!.namespace!, options);
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
        return;
      case 'status':
        await client.resource(deployments).updateStatus(action.deployment, options);
        return;
      case 'warn':
        this.#recorder.event(deployment, 'Warning', action.reason, action.message);
    }
  }

  async #create(deployment: Deployment, set: ReplicaSet, event: string | undefined): Promise<void> {
    const resource = this.#context.client.resource(replicaSets);
    try {
      await resource.create(set, { signal: this.#signal });
    } catch (err) {
      if (isAlreadyExists(err)) await this.#settleCollision(deployment, set, err);
      else if (namespaceIsGoing(err)) throw err;
      else await this.#reportCreateFailure(deployment, set, err);
      return;
    }
    if (event !== undefined) this.#recorder.event(deployment, 'Normal', 'ScalingReplicaSet', event);
  }

  /** The name is taken: by our own set, not seen yet, or by another whose template has the same hash; then the count makes a new name. */
  async #settleCollision(deployment: Deployment, set: ReplicaSet, cause: Error): Promise<void> {
    const { client } = this.#context;
    const { name = '', namespace = '' } = set.metadata ?? {};
    const there = await client.resource(replicaSets).get(name, namespace, { signal: this.#signal });
    const ours = controllerOf(there)?.uid === deployment.metadata?.uid;
    if (ours && there.spec?.template !== undefined && sameTemplate(there.spec.template, set.spec!.template!)) return;
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await client
      .resource(deployments)
      .updateStatus({ ...deployment, status: { ...deployment.status, collisionCount } }, { signal: this.#signal });
    throw cause;
  }

  async #reportCreateFailure(deployment: Deployment, set: ReplicaSet, cause: unknown): Promise<never> {
    const message = `Failed to create new replica set ${JSON.stringify(set.metadata?.name)}: ${messageOf(cause)}`;
    if (hasProgressDeadline(deployment)) {
      const next = condition('Progressing', 'False', 'ReplicaSetCreateError', message, this.#context.clock.now());
      const conditions = setCondition(deployment.status?.conditions ?? [], next);
      if (conditions !== deployment.status?.conditions) {
        await this.#context.client
          .resource(deployments)
          .updateStatus({ ...deployment, status: { ...deployment.status, conditions } }, { signal: this.#signal })
          // The failure to create is the greater trouble: it is the one to be retried and told of.
          .catch((err: unknown) => this.#context.logger.debug({ err }, 'status was not updated'));
      }
    }
    this.#recorder.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
    throw cause;
  }
}
