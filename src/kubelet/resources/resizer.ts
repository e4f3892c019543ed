import { podLimits } from '../../api/groups/core/pod-resources.ts';
import { quantityValue } from '../../api/meta/quantity.ts';
import type { Pod, PodCondition, ResourceRequirements } from '../../api/types/core-v1.ts';
import { containerResources } from '../containers/container-config.ts';
import { isRunning, latest, type ObservedPod } from '../observed/observed.ts';
import { errorText } from '../observed/runtime-errors.ts';
import { killContainer } from '../pods/kill-pod.ts';
import type { PodServices } from '../pods/pod-services.ts';
import { findContainer, gracePeriodOf } from '../pods/pod-spec.ts';
import {
  type Allocation,
  allocationFromStatus,
  desired,
  needsRestart,
  type ResizePending,
  resizeMessage,
  sameResources,
  WHOLE_POD,
  withAllocation,
} from './resize.ts';

/** Grants one pod what it asks for, when the node has it, and puts that in force. */
export class Resizer {
  readonly #services: PodServices;
  #allocation: Allocation;
  /** What is in force, by container id. */
  readonly #inForce = new Map<string, ResourceRequirements>();
  #podInForce: ResourceRequirements | undefined;
  #pending: ResizePending | undefined;
  #error: string | undefined;
  #underWay = false;

  /** `pod` as first seen in the API. */
  constructor(services: PodServices, pod: Pod) {
    this.#services = services;
    this.#allocation = allocationFromStatus(pod, pod.status);
    this.#podInForce = this.#allocation.get(WHOLE_POD);
  }

  /** What the pod as a whole was granted, and what of that is in force; undefined where it asks for nothing. */
  get wholePod(): { readonly granted: ResourceRequirements; readonly inForce: ResourceRequirements } | undefined {
    const granted = this.#allocation.get(WHOLE_POD);
    return granted === undefined ? undefined : { granted, inForce: this.#podInForce ?? granted };
  }

  /** The pod as it was granted. */
  granted(pod: Pod): Pod {
    return withAllocation(pod, this.#allocation);
  }

  /** What a running container has; undefined for one this kubelet has not seen start. */
  inForce(containerId: string): ResourceRequirements | undefined {
    return this.#inForce.get(containerId);
  }

  /** A container was made with these. */
  started(containerId: string, resources: ResourceRequirements | undefined): void {
    this.#inForce.set(containerId, resources ?? {});
  }

  /**
   * What the status says of a resize that is not over. `pod` as in the API: a status that tells of its generation, and of no resize, tells
   * that all it asks for is in force.
   */
  conditions(pod: Pod, observed: ObservedPod): readonly Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>[] {
    const inProgress = { type: 'PodResizeInProgress', status: 'True' } as const;
    if (this.#error !== undefined) return [...this.#waiting(), { ...inProgress, reason: 'Error', message: this.#error }];
    const begins = this.#pending === undefined && this.granted(pod) !== pod;
    return begins || this.#differs(observed) ? [...this.#waiting(), inProgress] : this.#waiting();
  }

  #waiting(): readonly (ResizePending & { readonly type: string; readonly status: 'True' })[] {
    return this.#pending === undefined ? [] : [{ type: 'PodResizePending', status: 'True', ...this.#pending }];
  }

  /** Whether what was granted is known not to be in force. */
  #differs(observed: ObservedPod): boolean {
    if (!sameResources(this.#podInForce, this.#allocation.get(WHOLE_POD))) return true;
    for (const [name, to] of this.#allocation) {
      const container = latest(observed, name);
      const from = container !== undefined && isRunning(container) ? this.#inForce.get(container.id) : undefined;
      if (from !== undefined && !sameResources(from, to)) return true;
    }
    return false;
  }

  /** Whether there is nothing to do. */
  settled(pod: Pod, observed: ObservedPod): boolean {
    if (this.#pending !== undefined || this.#error !== undefined || this.granted(pod) !== pod) return false;
    if (!sameResources(this.#podInForce, this.#allocation.get(WHOLE_POD))) return false;
    for (const [name, to] of this.#allocation) {
      const container = latest(observed, name);
      if (container === undefined || !isRunning(container)) continue;
      const from = this.#inForce.get(container.id);
      if (from === undefined || !sameResources(from, to)) return false;
    }
    return true;
  }

  /**
   * Grants and puts in force. `pod` as in the API. Says whether it is to be tried again. Rejects with the signal alone.
   */
  async resize(pod: Pod, observed: ObservedPod, podIP: string, signal: AbortSignal): Promise<'done' | 'restarted' | 'again'> {
    const services = this.#services;
    if (this.granted(pod) === pod) this.#pending = undefined;
    else {
      const obstacle = services.resizeObstacle(pod);
      if (obstacle !== undefined) this.#wait(pod, obstacle);
      else {
        this.#pending = undefined;
        this.#error = undefined;
        this.#allocation = desired(pod);
        this.#underWay = true;
        services.record(pod, 'Normal', 'ResizeStarted', resizeMessage('Pod resize started', pod));
      }
    }
    let restarted = false;
    try {
      restarted = await this.#enforce(this.granted(pod), observed, podIP, signal);
      this.#error = undefined;
    } catch (err) {
      if (signal.aborted) throw err;
      const message = errorText(err);
      if (message !== this.#error)
        services.record(pod, 'Warning', 'ResizeError', resizeMessage('Pod resize error', pod, message));
      this.#error = message;
      return 'again';
    }
    if (this.#underWay) {
      this.#underWay = false;
      services.record(pod, 'Normal', 'ResizeCompleted', resizeMessage('Pod resize completed', this.granted(pod)));
    }
    return this.#pending?.reason === 'Deferred' ? 'again' : restarted ? 'restarted' : 'done';
  }

  #wait(pod: Pod, obstacle: ResizePending): void {
    const { reason, message } = obstacle;
    if (this.#pending?.reason !== reason || this.#pending.message !== message) {
      const text = resizeMessage(`Pod resize ${reason}`, pod, message);
      this.#services.record(pod, 'Warning', reason === 'Infeasible' ? 'ResizeInfeasible' : 'ResizeDeferred', text);
    }
    this.#pending = obstacle;
  }

  async #enforce(pod: Pod, observed: ObservedPod, podIP: string, signal: AbortSignal): Promise<boolean> {
    const { runtime, cgroups, memoryCapacity } = this.#services;
    const changes: {
      readonly name: string;
      readonly id: string;
      readonly from: ResourceRequirements;
      readonly to: ResourceRequirements;
    }[] = [];
    for (const [name, to] of this.#allocation) {
      const container = latest(observed, name);
      if (container === undefined || !isRunning(container)) continue;
      const from = this.#inForce.get(container.id) ?? to;
      this.#inForce.set(container.id, from);
      if (!sameResources(from, to)) changes.push({ name, id: container.id, from, to });
    }
    for (const id of this.#inForce.keys()) if (!observed.containers.some((c) => c.id === id)) this.#inForce.delete(id);
    const wholePod = this.#allocation.get(WHOLE_POD);
    const before = this.#podInForce;
    if (!sameResources(before, wholePod)) {
      // Whoever has no limit of its own has the pod's.
      for (const [name, to] of this.#allocation) {
        const container = latest(observed, name);
        if (container === undefined || !isRunning(container) || changes.some((c) => c.name === name)) continue;
        if (to.limits?.['cpu'] === undefined || to.limits?.['memory'] === undefined) {
          changes.push({ name, id: container.id, from: to, to });
        }
      }
    } else if (changes.length === 0) return false;
    // The pod's own limit grows before those in it, and shrinks after them.
    const memory = (which: 'from' | 'to'): number =>
      quantityValue((which === 'from' ? before : wholePod)?.limits?.['memory']) ||
      changes.reduce((sum, c) => sum + quantityValue(c[which].limits?.['memory']), 0);
    const grows = memory('to') >= memory('from') && quantityValue(podLimits(pod)['memory']) > 0;
    if (grows) await cgroups.ensure(pod);
    let restarted = false;
    for (const { name, id, from, to } of changes) {
      const spec = findContainer(pod, name)!.container;
      if (needsRestart(spec, from, to)) {
        await killContainer(
          this.#services,
          pod,
          { id, name },
          `Container ${name} resize requires restart`,
          gracePeriodOf(pod),
          podIP,
          signal,
        );
        this.#inForce.delete(id);
        restarted = true;
      } else {
        await runtime.updateContainerResources(id, containerResources(pod, spec, memoryCapacity));
        this.#inForce.set(id, to);
      }
    }
    if (!grows) await cgroups.ensure(pod);
    this.#podInForce = wholePod;
    return restarted;
  }
}
