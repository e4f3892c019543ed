import { type KubernetesObject, objectKey } from '../api/meta/object.ts';
import { isConflict } from '../api/meta/status.ts';
import type { AllocationResult, DeviceClass, ResourceClaim, ResourceSlice } from '../api/types/resource-v1.ts';
import type { Client, Informer, InformerFactory, ResourceRef } from '../client/contract.ts';
import { deviceClasses, resourceClaims, resourceSlices } from '../client/resource-refs.ts';
import { actions, type ClusterEvent, type EventResource } from './cluster-event.ts';
import { DevicePools, deviceId, type PooledDevice } from './device-pools.ts';
import { DeviceSelectors } from './device-selector.ts';
import type { ClaimDecision, ClaimView } from './framework.ts';
import { type NodeInfo, tally } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';

const FINALIZER = 'resource.kubernetes.io/delete-protection';
const MAX_CONFLICTS = 5;

interface Watched {
  readonly claims: Informer<ResourceClaim>;
  readonly classes: Informer<DeviceClass>;
  readonly slices: Informer<ResourceSlice>;
}

/**
 * Resource claims and devices with what was decided about them. They are watched from the first pod on that uses any: most clusters have none.
 */
export class ClaimCache implements ClaimView {
  #selectors: DeviceSelectors | undefined;
  readonly #informers: InformerFactory;
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #happened: (event: ClusterEvent) => void;
  #watched: Watched | undefined;
  #pools: DevicePools | undefined;
  /** Devices of allocated claims, by the claim's uid, and by the device how many claims have it. */
  readonly #devices = new Map<string, readonly string[]>();
  readonly #owners = new Map<string, number>();
  /** Allocations that were decided and not yet seen, by the claim's uid. */
  readonly #assumed = new Map<string, AllocationResult>();

  constructor(informers: InformerFactory, client: Client, signal: AbortSignal, happened: (event: ClusterEvent) => void) {
    this.#informers = informers;
    this.#signal = signal;
    this.#client = client;
    this.#happened = happened;
  }

  get selectors(): DeviceSelectors {
    this.#selectors ??= new DeviceSelectors();
    return this.#selectors;
  }

  get ready(): boolean {
    const { claims, classes, slices } = this.#watch();
    return claims.hasSynced && classes.hasSynced && slices.hasSynced;
  }

  claim(namespace: string, name: string): ResourceClaim | undefined {
    const claim = this.#watch().claims.get(`${namespace}/${name}`);
    const assumed = this.#assumed.get(claim?.metadata?.uid ?? '');
    if (claim === undefined || assumed === undefined || claim.status?.allocation !== undefined) return claim;
    return { ...claim, status: { ...claim.status, allocation: assumed } };
  }

  deviceClass(name: string): DeviceClass | undefined {
    return this.#watch().classes.get(name);
  }

  devicesFor(node: NodeInfo): readonly PooledDevice[] {
    this.#pools ??= new DevicePools(this.#watch().slices.list());
    return this.#pools.devicesFor(node);
  }

  taken(id: string): boolean {
    return this.#owners.has(id);
  }

  assume(decisions: readonly ClaimDecision[]): () => void {
    const fresh = decisions.filter((d) => d.allocation !== undefined);
    for (const { claim, allocation } of fresh) {
      this.#assumed.set(claim.metadata?.uid ?? '', allocation!);
      this.#own(claim.metadata?.uid ?? '', allocation);
    }
    return () => {
      for (const { claim, allocation } of fresh) {
        const uid = claim.metadata?.uid ?? '';
        if (this.#assumed.get(uid) !== allocation) continue;
        this.#assumed.delete(uid);
        this.#own(uid, this.#watch().claims.get(objectKey(claim))?.status?.allocation);
      }
    };
  }

  /** Writes allocations, and the pod into the list of those that may use the claims. */
  async bind(pod: PodInfo, decisions: readonly ClaimDecision[], signal: AbortSignal): Promise<void> {
    for (const decision of decisions) await this.#bindOne(pod, decision, signal);
  }

  async deallocate(claim: ResourceClaim, signal: AbortSignal): Promise<void> {
    const { allocation: _, reservedFor: __, ...status } = claim.status ?? {};
    await this.#client.resource(resourceClaims).updateStatus({ ...claim, status }, { signal });
  }

  async #bindOne(pod: PodInfo, { claim, allocation }: ClaimDecision, signal: AbortSignal): Promise<void> {
    const client = this.#client.resource(resourceClaims);
    const { name = '', namespace = '', uid } = claim.metadata ?? {};
    for (let conflicts = 0; ; conflicts++) {
      try {
        let current = await client.get(name, namespace, { signal });
        if (current.metadata?.uid !== uid) throw new Error(`claim "${name}" was deleted and created anew`);
        if (current.metadata?.deletionTimestamp !== undefined) throw new Error(`claim "${name}" got deleted in the meantime`);
        const finalizers = current.metadata?.finalizers ?? [];
        if (allocation !== undefined) {
          if (current.status?.allocation !== undefined)
            throw new Error(`claim "${name}" got allocated elsewhere in the meantime`);
          if (!finalizers.includes(FINALIZER)) {
            current = await client.update(
              { ...current, metadata: { ...current.metadata, finalizers: [...finalizers, FINALIZER] } },
              { signal },
            );
          }
        }
        const reservedFor = current.status?.reservedFor ?? [];
        if (allocation === undefined && reservedFor.some((r) => r.uid === pod.uid)) return;
        await client.updateStatus(
          {
            ...current,
            status: {
              ...current.status,
              ...(allocation === undefined ? {} : { allocation }),
              reservedFor: [...reservedFor, { resource: 'pods', name: pod.name, uid: pod.uid }],
            },
          },
          { signal },
        );
        return;
      } catch (err) {
        if (!isConflict(err) || conflicts >= MAX_CONFLICTS) throw err;
      }
    }
  }

  #watch(): Watched {
    if (this.#watched !== undefined) return this.#watched;
    const tell = <T extends KubernetesObject>(
      ref: ResourceRef<T>,
      resource: EventResource,
      changed: (object: T, gone: boolean) => void,
    ) => {
      const informer = this.#informers.informer(ref);
      const event = (action: number, verb: string, old: T | undefined, now: T | undefined): void =>
        this.#happened({ resource, action, label: `${resource}${verb}`, old, now });
      informer.addHandler({
        onAdd: (object) => {
          changed(object, false);
          event(actions.add, 'Add', undefined, object);
        },
        onUpdate: (object, old) => {
          changed(object, false);
          event(actions.update, 'Update', old, object);
        },
        onDelete: (object) => {
          changed(object, true);
          event(actions.delete, 'Delete', object, undefined);
        },
      });
      return informer;
    };
    this.#watched = {
      claims: tell(resourceClaims, 'ResourceClaim', (claim, gone) => this.#claimChanged(claim, gone)),
      classes: tell(deviceClasses, 'DeviceClass', () => {}),
      slices: tell(resourceSlices, 'ResourceSlice', () => {
        this.#pools = undefined;
      }),
    };
    const all = Object.values(this.#watched).map((informer) => informer.synced(this.#signal));
    const known: ClusterEvent = { resource: 'ResourceSlice', action: actions.add, label: 'ResourceSliceAdd' };
    // Rejects only at the end, when nobody waits any more.
    Promise.all(all).then(
      () => this.#happened(known),
      () => {},
    );
    return this.#watched;
  }

  #claimChanged(claim: ResourceClaim, gone: boolean): void {
    const uid = claim.metadata?.uid ?? '';
    const allocation = gone ? undefined : claim.status?.allocation;
    if (allocation !== undefined || gone) this.#assumed.delete(uid);
    this.#own(uid, allocation ?? this.#assumed.get(uid));
  }

  /** Files which devices a claim has. Those it may look at for administration are not its own. */
  #own(uid: string, allocation: AllocationResult | undefined): void {
    for (const id of this.#devices.get(uid) ?? []) tally(this.#owners, id, -1);
    const ids = (allocation?.devices?.results ?? [])
      .filter((r) => r.adminAccess !== true)
      .map((r) => deviceId(r.driver, r.pool, r.device));
    if (ids.length === 0) this.#devices.delete(uid);
    else this.#devices.set(uid, ids);
    for (const id of ids) tally(this.#owners, id, 1);
  }
}
