import { Counter } from 'prom-client';
import { type KubernetesObject, objectKey } from '../../api/meta/object.ts';
import { isAlreadyExists, isNotFound } from '../../api/meta/status.ts';
import { patchTypes } from '../../api/request.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { CSIDriver, VolumeAttachment } from '../../api/types/storage-v1.ts';
import type { EventRecorder, Informer, ResourceClient, WorkQueue } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import {
  csiDrivers,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeAttachments,
} from '../../client/resource-refs.ts';
import { sharedMetric } from '../../client/shared-metric.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { semanticallyEqual } from '../equality.ts';
import { claimsOfPod, indexByClaim, podsOfClaim } from '../volumes/claim-users.ts';
import {
  attachmentName,
  isHealthy,
  isManaged,
  MAX_UNMOUNT_MS,
  mayDetach,
  multiAttachMessage,
  needsVolumes,
  planAttachments,
  uniqueVolumeName,
} from './plan.ts';

const WORKERS = 10;
const BY_VOLUME = 'attachment-volume';
const BY_NODE = 'attachment-node';
const NONE: readonly string[] = [];

/** Asks CSI drivers to attach volumes to the nodes whose pods need them, and to detach them again (VolumeAttachments). */
export function attachDetachController(): Controller {
  return {
    name: 'persistentvolume-attach-detach-controller',
    start: (context, signal) => new AttachDetach(context, signal).start(),
  };
}

class AttachDetach {
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #drivers: Informer<CSIDriver>;
  readonly #attachments: Informer<VolumeAttachment>;
  readonly #client: ResourceClient<VolumeAttachment>;
  readonly #recorder: EventRecorder;
  readonly #forced: Counter<'reason'> | undefined;
  /** Since when attachments have not been wanted, by name; monotonic milliseconds. */
  readonly #idleSince = new Map<string, number>();
  /** Attachments about to be deleted: their nodes are told first that the volume is not safe to mount any more. */
  readonly #leaving = new Set<string>();
  /** Nodes that were refused a volume, `volume node`: their pods have been told. */
  readonly #refused = new Set<string>();
  #queue!: WorkQueue;
  #nodeQueue!: WorkQueue;

  constructor(context: ControllerContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    const { informers, metrics } = context;
    this.#volumes = informers.informer(persistentVolumes);
    this.#claims = informers.informer(persistentVolumeClaims);
    this.#pods = informers.informer(pods);
    this.#nodes = informers.informer(nodes);
    this.#drivers = informers.informer(csiDrivers);
    this.#attachments = informers.informer(volumeAttachments);
    this.#client = context.client.resource(volumeAttachments);
    this.#recorder = context.recorder('attachdetach-controller');
    const name = 'attach_detach_controller_attachdetach_controller_forced_detaches';
    if (metrics !== undefined) {
      const help = 'Number of times the A/D Controller performed a forced detach';
      const make = (): Counter<'reason'> => new Counter({ name, help, labelNames: ['reason'] as const, registers: [metrics] });
      this.#forced = sharedMetric(metrics, name, make);
    }
  }

  start(): void {
    indexByClaim(this.#pods);
    this.#attachments.addIndex(BY_VOLUME, ({ spec }) => {
      const name = spec.source.persistentVolumeName;
      return name === undefined ? NONE : [name];
    });
    this.#attachments.addIndex(BY_NODE, ({ spec }) => [spec.nodeName]);
    const informers = [
      this.#volumes,
      this.#claims,
      this.#pods,
      this.#nodes,
      this.#drivers,
      this.#attachments,
    ] as readonly Informer<KubernetesObject>[];
    const start = (name: string, reconcile: (key: string) => Promise<ReconcileResult | undefined>): WorkQueue =>
      startReconciler(this.#context, { name, workers: WORKERS, informers, reconcile }, this.#signal);
    this.#queue = start('volume_attachments', (name) => this.#reconcile(name));
    this.#nodeQueue = start('volumes_attached', (name) => this.#reconcileNode(name));
    const podChanged = (pod: Pod): void => {
      if (!pod.spec?.nodeName) return;
      for (const claim of claimsOfPod(pod)) this.#claimChanged(this.#claims.get(`${pod.metadata?.namespace}/${claim}`));
    };
    this.#pods.addHandler({ onAdd: podChanged, onUpdate: podChanged, onDelete: podChanged });
    const claimChanged = (claim: PersistentVolumeClaim): void => this.#claimChanged(claim);
    this.#claims.addHandler({ onAdd: claimChanged, onUpdate: claimChanged, onDelete: claimChanged });
    const volumeChanged = (volume: PersistentVolume): void => {
      if (volume.spec?.csi !== undefined) this.#queue.add(volume.metadata!.name!);
    };
    this.#volumes.addHandler({ onAdd: volumeChanged, onUpdate: volumeChanged });
    this.#drivers.addHandler({
      onUpdate: (driver, old) => {
        if (driver.spec?.attachRequired !== old.spec?.attachRequired) this.#volumes.list().forEach(volumeChanged);
      },
    });
    this.#attachments.addHandler({
      onAdd: (attachment) => this.#attachmentChanged(attachment),
      onUpdate: (attachment, old) => {
        this.#attachmentChanged(attachment);
        this.#tellPods(attachment, old);
      },
      onDelete: (attachment) => {
        this.#leaving.delete(attachment.metadata!.name!);
        this.#idleSince.delete(attachment.metadata!.name!);
        this.#attachmentChanged(attachment);
      },
    });
    this.#nodes.addHandler({
      onAdd: (node) => this.#nodeChanged(node),
      onUpdate: (node, old) => {
        const same =
          node.status?.volumesInUse === old.status?.volumesInUse &&
          node.status?.volumesAttached === old.status?.volumesAttached &&
          node.spec?.taints === old.spec?.taints &&
          isHealthy(node) === isHealthy(old) &&
          isManaged(node) === isManaged(old);
        if (!same) this.#nodeChanged(node);
      },
      onDelete: (node) => this.#nodeChanged(node),
    });
  }

  #claimChanged(claim: PersistentVolumeClaim | undefined): void {
    if (claim?.spec?.volumeName) this.#queue.add(claim.spec.volumeName);
  }

  #attachmentChanged({ spec }: VolumeAttachment): void {
    if (spec.source.persistentVolumeName !== undefined) this.#queue.add(spec.source.persistentVolumeName);
    this.#nodeQueue.add(spec.nodeName);
  }

  #nodeChanged(node: Node): void {
    const name = node.metadata!.name!;
    this.#nodeQueue.add(name);
    for (const attachment of this.#attachments.byIndex(BY_NODE, name)) this.#attachmentChanged(attachment);
  }

  /** The attachments of a volume that are ours to judge: others may make some by other names. */
  #attachmentsOf(volume: PersistentVolume): readonly VolumeAttachment[] {
    return this.#attachments
      .byIndex(BY_VOLUME, volume.metadata!.name!)
      .filter(({ metadata, spec }) => metadata?.name === attachmentName(volume, spec.nodeName));
  }

  /** The pods that need a volume, where it is bound to their claim. */
  #podsOf(volume: PersistentVolume): readonly Pod[] {
    const { namespace, name, uid } = volume.spec?.claimRef ?? {};
    const claim = this.#claims.get(`${namespace}/${name}`);
    const bound = claim?.metadata?.uid === uid && claim?.spec?.volumeName === volume.metadata?.name;
    if (claim === undefined || !bound || claim.status?.phase !== 'Bound') return [];
    return podsOfClaim(this.#pods, objectKey(claim)).filter(
      (pod) => pod.spec?.nodeName && needsVolumes(pod) && isManaged(this.#nodes.get(pod.spec.nodeName)),
    );
  }

  async #reconcile(name: string): Promise<ReconcileResult | undefined> {
    const volume = this.#volumes.get(name);
    const driver = volume?.spec?.csi?.driver;
    if (volume === undefined || driver === undefined) return undefined;
    // A driver that nobody described may have to attach.
    const attachable = this.#drivers.get(driver)?.spec?.attachRequired !== false;
    const users = attachable ? this.#podsOf(volume) : [];
    const plan = planAttachments({ volume, pods: users, attachments: this.#attachmentsOf(volume) });
    // Those that go come first: a volume on its way to another node has to leave this one.
    const waiting = await this.#detach(volume, plan.unwanted);
    for (const { metadata } of this.#attachmentsOf(volume)) {
      if (!plan.unwanted.some((other) => other.metadata?.name === metadata?.name)) this.#idleSince.delete(metadata!.name!);
    }
    for (const node of plan.attach) await this.#attach(volume, driver, node);
    this.#refuse(volume, users, plan.refused);
    return waiting > 0 ? { requeueAfterMs: waiting } : undefined;
  }

  async #attach(volume: PersistentVolume, attacher: string, nodeName: string): Promise<void> {
    const persistentVolumeName = volume.metadata!.name!;
    const name = attachmentName(volume, nodeName);
    try {
      await this.#client.create(
        { metadata: { name }, spec: { attacher, nodeName, source: { persistentVolumeName } } },
        { signal: this.#signal },
      );
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
    }
  }

  /** Deletes attachments that may go. Gives how long to wait until one that is mounted may be taken by force; 0 for none, or no more. */
  async #detach(volume: PersistentVolume, unwanted: readonly VolumeAttachment[]): Promise<number> {
    let waiting = 0;
    const now = this.#context.clock.monotonic();
    for (const { metadata, spec } of unwanted) {
      if (metadata?.deletionTimestamp !== undefined) continue;
      const name = metadata!.name!;
      const since = this.#idleSince.get(name) ?? now;
      this.#idleSince.set(name, since);
      const observed = { volume: uniqueVolumeName(volume), idleMs: now - since };
      let verdict = mayDetach({ ...observed, node: this.#nodes.get(spec.nodeName) });
      // What was mounted a moment ago may not be in the cache yet.
      if (verdict === 'now') verdict = mayDetach({ ...observed, node: await this.#liveNode(spec.nodeName) });
      if (verdict === 'wait') {
        const left = since + MAX_UNMOUNT_MS + 1 - now;
        if (left > 0 && (waiting === 0 || left < waiting)) waiting = left;
        continue;
      }
      this.#leaving.add(name);
      await this.#reconcileNode(spec.nodeName);
      try {
        await this.#client.delete(name, '', { preconditions: { uid: metadata!.uid! }, signal: this.#signal });
      } catch (err) {
        if (!isNotFound(err)) throw err;
      }
      if (verdict !== 'now') {
        this.#forced?.inc({ reason: verdict });
        this.#context.logger.warn({ volume: volume.metadata?.name, node: spec.nodeName, reason: verdict }, 'detached by force');
      }
    }
    return waiting;
  }

  async #liveNode(name: string): Promise<Node | undefined> {
    try {
      return await this.#context.client.resource(nodes).get(name, '', { signal: this.#signal });
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }

  /** Pods on nodes that cannot have the volume are told, once. */
  #refuse(volume: PersistentVolume, users: readonly Pod[], refused: readonly string[]): void {
    const name = volume.metadata!.name!;
    const prefix = `${name} `;
    for (const known of this.#refused) {
      if (known.startsWith(prefix) && !refused.includes(known.slice(prefix.length))) this.#refused.delete(known);
    }
    for (const node of refused) {
      if (this.#refused.has(prefix + node)) continue;
      this.#refused.add(prefix + node);
      const holders = users.filter((pod) => pod.spec?.nodeName !== node);
      for (const pod of users) {
        if (pod.spec?.nodeName !== node) continue;
        this.#recorder.event(pod, 'Warning', 'FailedAttachVolume', multiAttachMessage(name, pod, holders));
      }
    }
  }

  /** What became of an attachment is told the pods that wait for it. */
  #tellPods({ spec, status }: VolumeAttachment, old: VolumeAttachment): void {
    const name = spec.source.persistentVolumeName;
    const volume = name === undefined ? undefined : this.#volumes.get(name);
    if (volume === undefined) return;
    const attached = status?.attached === true && old.status?.attached !== true;
    const error = status?.attachError?.message;
    const failed = !attached && status?.attached !== true && error !== undefined && error !== old.status?.attachError?.message;
    if (!attached && !failed) return;
    for (const pod of this.#podsOf(volume)) {
      if (pod.spec?.nodeName !== spec.nodeName) continue;
      if (attached) {
        const message = `AttachVolume.Attach succeeded for volume "${name}" `;
        this.#recorder.event(pod, 'Normal', 'SuccessfulAttachVolume', message);
      } else {
        const message = `AttachVolume.Attach failed for volume "${name}" : ${error}`;
        this.#recorder.event(pod, 'Warning', 'FailedAttachVolume', message);
      }
    }
  }

  /** A node's status tells which volumes its kubelet may mount. */
  async #reconcileNode(name: string): Promise<undefined> {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    const volumesAttached: { readonly name: string; readonly devicePath: string }[] = [];
    for (const { metadata, spec, status } of this.#attachments.byIndex(BY_NODE, name)) {
      const volume = this.#volumes.get(spec.source.persistentVolumeName ?? '');
      const safe = status?.attached === true && metadata?.deletionTimestamp === undefined && !this.#leaving.has(metadata!.name!);
      if (!safe || volume?.spec?.csi === undefined) continue;
      if (metadata?.name !== attachmentName(volume, name)) continue;
      volumesAttached.push({ name: uniqueVolumeName(volume), devicePath: '' });
    }
    volumesAttached.sort((a, b) => (a.name < b.name ? -1 : 1));
    const current = [...(node.status?.volumesAttached ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
    if (semanticallyEqual(volumesAttached, current)) return;
    const patch = { status: { volumesAttached } };
    try {
      const options = { subresource: 'status', signal: this.#signal };
      await this.#context.client.resource(nodes).patch(name, '', patchTypes.strategic, patch, options);
    } catch (err) {
      if (!isNotFound(err)) throw err;
    }
  }
}
