import { claimNames } from '../../api/groups/core/pod-resource-claims.ts';
import { type KubernetesObject, objectKey, splitKey } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { Pod, PodResourceClaim } from '../../api/types/core-v1.ts';
import type { ResourceClaim, ResourceClaimConsumerReference, ResourceClaimTemplate } from '../../api/types/resource-v1.ts';
import type { EventRecorder, Informer, ResourceClient, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { pods, resourceClaims, resourceClaimTemplates } from '../../client/resource-refs.ts';
import { BoundedSet } from '../bounded-set.ts';
import { messageOf } from '../workload/pod-control.ts';
import { indexByResourceClaim, podsOfResourceClaim } from './claim-users.ts';
import { type CountCreation, claimMetrics, wantsAdminAccess } from './metrics.ts';
import {
  claimFromTemplate,
  claimsUsedBy,
  isDone,
  owningPod,
  POD_CLAIM_ANNOTATION,
  planRelease,
  shouldReserve,
  unprotected,
} from './plan.ts';

/** Upstream's --concurrent-resource-claim-syncs. */
const WORKERS = 50;
/** Pods remembered to be gone, so that the server need not be asked about them. */
const MAX_GONE = 500;
const FIELD_MANAGER = 'ResourceClaimController';
const BY_OWNER = 'resource-claim-pod';
const NONE: readonly string[] = [];

/** Makes the claims that pods ask for by templates, and frees claims that nobody uses any more (KEP-4381). */
export function resourceClaimController(): Controller {
  return { name: 'resourceclaim-controller', start: (context, signal) => new ClaimShell(context, signal).start() };
}

class ClaimShell {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<ResourceClaim>;
  readonly #templates: Informer<ResourceClaimTemplate>;
  readonly #client: ResourceClient<ResourceClaim>;
  readonly #recorder: EventRecorder;
  readonly #gone = new BoundedSet(MAX_GONE);
  /** Claims made and not seen yet, by the uid of the pod and the name of its claim. */
  readonly #made = new Map<string, ResourceClaim>();
  readonly #countCreation: CountCreation;
  #queue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#pods = context.informers.informer(pods);
    this.#claims = context.informers.informer(resourceClaims);
    this.#templates = context.informers.informer(resourceClaimTemplates);
    this.#client = context.client.resource(resourceClaims);
    this.#recorder = context.recorder('resource_claim');
    this.#countCreation = claimMetrics(context.metrics, () => this.#claims.list());
  }

  start(): void {
    indexByResourceClaim(this.#pods);
    this.#claims.addIndex(BY_OWNER, (claim) => {
      const owner = owningPod(claim);
      return owner === undefined ? NONE : [owner.uid];
    });
    this.#queue = startReconciler(
      this.#context,
      {
        name: 'resource_claim',
        workers: WORKERS,
        informers: [this.#pods, this.#claims, this.#templates] as readonly Informer<KubernetesObject>[],
        reconcile: (id) => {
          const key = id.slice(id.indexOf(':') + 1);
          return id.startsWith('pod:') ? this.#reconcilePod(key) : this.#reconcileClaim(key);
        },
      },
      this.#signal,
    );
    this.#pods.addHandler({
      onAdd: (pod) => this.#podChanged(pod),
      onUpdate: (pod) => this.#podChanged(pod),
      onDelete: (pod) => {
        if (!usesClaims(pod)) return;
        const uid = pod.metadata?.uid ?? '';
        this.#gone.add(uid);
        for (const { name } of pod.spec?.resourceClaims ?? []) this.#made.delete(`${uid} ${name}`);
        this.#releaseClaims(pod);
      },
    });
    this.#claims.addHandler({
      onAdd: (claim) => this.#claimChanged(claim),
      onUpdate: (claim) => this.#claimChanged(claim),
      onDelete: (claim) => {
        this.#made.delete(madeKey(claim));
        this.#wakeUsers(claim);
      },
    });
  }

  #podChanged(pod: Pod): void {
    if (!usesClaims(pod)) return;
    // A pod that will not run gets no claims: those it had would come back as often as they are deleted.
    if (isDone(pod)) this.#releaseClaims(pod);
    else if (this.#needsWork(pod)) this.#queue.add(`pod:${objectKey(pod)}`);
  }

  #releaseClaims(pod: Pod): void {
    for (const name of claimsUsedBy(pod)) this.#queue.add(`claim:${pod.metadata?.namespace}/${name}`);
  }

  #claimChanged(claim: ResourceClaim): void {
    this.#made.delete(madeKey(claim));
    this.#queue.add(`claim:${objectKey(claim)}`);
    this.#wakeUsers(claim);
  }

  #wakeUsers(claim: ResourceClaim): void {
    for (const pod of podsOfResourceClaim(this.#pods, objectKey(claim))) this.#podChanged(pod);
  }

  #needsWork(pod: Pod): boolean {
    if (pod.metadata?.deletionTimestamp !== undefined) return false;
    for (const { name, generated } of claimNames(pod)) {
      if (name === undefined) return true;
      if (name === '') return false;
      const claim = this.#claims.get(`${pod.metadata?.namespace}/${name}`);
      // One without a template is the user's to make.
      if (claim === undefined) return generated;
      // Nothing can be done until the other's claim is gone.
      if (generated && !isFor(claim, pod)) return false;
      if (pod.spec?.nodeName && shouldReserve(pod, claim)) return true;
    }
    return false;
  }

  async #reconcilePod(key: string): Promise<void> {
    const pod = this.#pods.get(key);
    if (pod === undefined || pod.metadata?.deletionTimestamp !== undefined || isDone(pod)) return;
    const names = new Map<string, string>();
    for (const { claim, name, generated } of claimNames(pod)) {
      if (!generated || name === '') continue;
      try {
        const there = name === undefined ? undefined : this.#claims.get(`${pod.metadata?.namespace}/${name}`);
        if (there !== undefined && isFor(there, pod)) continue;
        names.set(claim.name, (await this.#claimFor(pod, claim)).metadata!.name!);
      } catch (err) {
        const message = `PodResourceClaim ${claim.name}: ${messageOf(err)}`;
        if (!this.#signal.aborted) this.#recorder.event(pod, 'Warning', 'FailedResourceClaimCreation', message);
        throw new Error(`pod ${key}, ${message}`, { cause: err });
      }
    }
    if (names.size > 0) await this.#tellNames(pod, names);
    // Who is not on a node yet is written into its claims by the scheduler.
    if (!pod.spec?.nodeName) return;
    for (const { name, generated } of claimNames(pod)) {
      if (!name) continue;
      const claim = this.#claims.get(`${pod.metadata?.namespace}/${name}`);
      if (claim === undefined) return;
      if (generated && !isFor(claim, pod)) throw notFor(claim, pod);
      if (shouldReserve(pod, claim)) await this.#reserve(pod, claim);
    }
  }

  /** The claim made for one of the pod's, perhaps a moment ago; made now when there is none. */
  async #claimFor(pod: Pod, podClaim: PodResourceClaim): Promise<ResourceClaim> {
    const uid = pod.metadata?.uid ?? '';
    const found =
      this.#claims
        .byIndex(BY_OWNER, uid)
        .find(({ metadata }) => metadata?.annotations?.[POD_CLAIM_ANNOTATION] === podClaim.name) ??
      this.#made.get(`${uid} ${podClaim.name}`);
    if (found !== undefined) return found;
    const name = podClaim.resourceClaimTemplateName!;
    const template = this.#templates.get(`${pod.metadata?.namespace}/${name}`);
    if (template === undefined) {
      throw new Error(
        `resource claim template ${JSON.stringify(name)}: resourceclaimtemplate.resource.k8s.io ${JSON.stringify(name)} not found`,
      );
    }
    const wanted = claimFromTemplate(pod, podClaim, template);
    const adminAccess = wantsAdminAccess(wanted);
    let made: ResourceClaim;
    try {
      made = await this.#client.create(wanted, { signal: this.#signal });
    } catch (err) {
      this.#countCreation('failure', adminAccess);
      throw new Error(`create ResourceClaim : ${messageOf(err)}`, { cause: err });
    }
    this.#countCreation('success', adminAccess);
    if (this.#claims.get(objectKey(made)) === undefined) this.#made.set(madeKey(made), made);
    return made;
  }

  /** The pod's status tells which claims were made for it. Those it tells already are said again: what is not said is taken back. */
  async #tellNames(pod: Pod, names: ReadonlyMap<string, string>): Promise<void> {
    const { name = '', namespace = '' } = pod.metadata ?? {};
    const resourceClaimStatuses: object[] = [];
    for (const { claim, name: told, generated } of claimNames(pod)) {
      const resourceClaimName = names.get(claim.name) ?? told;
      if (generated && resourceClaimName) resourceClaimStatuses.push({ name: claim.name, resourceClaimName });
    }
    const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, status: { resourceClaimStatuses } };
    const options = { subresource: 'status', fieldManager: FIELD_MANAGER, force: true, signal: this.#signal };
    await this.#context.client.resource(pods).patch(name, namespace, patchTypes.apply, body, options);
  }

  async #reserve(pod: Pod, claim: ResourceClaim): Promise<void> {
    const { name = '', uid = '' } = pod.metadata ?? {};
    const reservedFor = [...(claim.status?.reservedFor ?? []), { resource: 'pods', name, uid }];
    await this.#client.updateStatus({ ...claim, status: { ...claim.status, reservedFor } }, { signal: this.#signal });
  }

  async #reconcileClaim(key: string): Promise<void> {
    const claim = this.#claims.get(key);
    if (claim === undefined) return;
    const { namespace } = splitKey(key);
    const valid: ResourceClaimConsumerReference[] = [];
    for (const user of claim.status?.reservedFor ?? []) if (await this.#isUser(namespace, user)) valid.push(user);
    const release = planRelease(claim, valid);
    if (release !== undefined) {
      // No patch: whoever changed the claim meanwhile is to be seen first.
      let current = claim;
      const { status, unprotect } = release;
      if (status !== undefined) current = await this.#client.updateStatus({ ...claim, status }, { signal: this.#signal });
      if (unprotect) await this.#client.update(unprotected(current), { signal: this.#signal });
    }
    if (valid.length === 0) await this.#deleteUnused(claim);
  }

  /** Whether a pod that a claim is reserved for is still there and needs it. */
  async #isUser(namespace: string, user: ResourceClaimConsumerReference): Promise<boolean> {
    const { apiGroup = '', resource, name, uid } = user;
    if (apiGroup !== '' || resource !== 'pods') throw new Error(`unsupported ReservedFor entry: ${JSON.stringify(user)}`);
    if (this.#gone.has(uid)) return false;
    const pod = this.#pods.get(`${namespace}/${name}`);
    if (pod !== undefined) return pod.metadata?.uid === uid && !isDone(pod);
    // The scheduler may know a pod that was not seen here yet.
    try {
      const found = await this.#context.client.resource(pods).get(name, namespace, { signal: this.#signal });
      return found.metadata?.uid === uid;
    } catch (err) {
      if (isNotFound(err)) return false;
      throw err;
    }
  }

  /** A claim made for a pod that will not run is not kept until somebody deletes the pod. */
  async #deleteUnused(claim: ResourceClaim): Promise<void> {
    const owner = owningPod(claim);
    if (owner === undefined) return;
    const { name = '', namespace = '' } = claim.metadata ?? {};
    const pod = this.#pods.get(`${namespace}/${owner.name}`);
    // Not seen yet, or gone: then the garbage collector knows.
    if (pod === undefined || (pod.metadata?.uid === owner.uid && !isDone(pod))) return;
    try {
      await this.#client.delete(name, namespace, { signal: this.#signal });
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}

const usesClaims = ({ spec, status }: Pod): boolean =>
  (spec?.resourceClaims ?? []).length > 0 || status?.extendedResourceClaimStatus !== undefined;

const isFor = (claim: ResourceClaim, pod: Pod): boolean => owningPod(claim)?.uid === pod.metadata?.uid;

const notFor = (claim: ResourceClaim, pod: Pod): Error =>
  new Error(`ResourceClaim ${objectKey(claim)} was not created for pod ${objectKey(pod)} (pod is not owner)`);

const madeKey = (claim: ResourceClaim): string =>
  `${owningPod(claim)?.uid ?? ''} ${claim.metadata?.annotations?.[POD_CLAIM_ANNOTATION] ?? ''}`;
