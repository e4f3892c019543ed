import type { OwnerReference } from '../../api/meta/object.ts';
import type { ControllerRevision, DaemonSet, StatefulSet } from '../../api/types/apps-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer, ResourceRef } from '../../client/contract.ts';
import type { ControllerContext } from '../../client/controller.ts';
import { controllerRevisions, pods } from '../../client/resource-refs.ts';
import { selectorMatches } from '../label-selector.ts';
import { claim } from './controller-ref.ts';
import { candidatesFor, indexByController } from './pods-of.ts';
import { type CurrentRevisions, deleteRevisions, excessRevisions, reviseHistory } from './revisions.ts';

const DEFAULT_HISTORY = 10;

/** A set whose pods follow revisions of its template: a DaemonSet or a StatefulSet. */
export type RevisedSet = DaemonSet | StatefulSet;

export interface RevisedSetKind<T extends RevisedSet> {
  readonly ref: ResourceRef<T>;
  /** The label of a revision that holds its hash. */
  readonly hashLabel: string;
  refTo(set: T): OwnerReference;
}

/** What belongs to sets of one kind: their pods and their revisions. */
export class RevisedSets<T extends RevisedSet> {
  readonly pods: Informer<Pod>;
  readonly revisions: Informer<ControllerRevision>;
  readonly #kind: RevisedSetKind<T>;
  readonly #context: ControllerContext;
  readonly #signal: AbortSignal;

  constructor(kind: RevisedSetKind<T>, context: ControllerContext, signal: AbortSignal) {
    this.#kind = kind;
    this.#context = context;
    this.#signal = signal;
    this.pods = context.informers.informer(pods);
    this.revisions = context.informers.informer(controllerRevisions);
    indexByController(this.pods);
    indexByController(this.revisions);
  }

  /** The pods of a set; orphans are adopted where `mayAdopt` lets them, and what it selects no longer is let go. */
  async claimPods(set: T, mayAdopt: (pod: Pod) => boolean = () => true): Promise<readonly Pod[]> {
    return await claim<Pod>({
      owner: set,
      ownerRef: this.#kind.refTo(set),
      candidates: candidatesFor(this.pods, set).filter(mayAdopt),
      matches: (pod) => selectorMatches(set.spec?.selector, pod.metadata?.labels),
      client: this.#context.client.resource(pods),
      freshOwner: () => this.#fresh(set),
    });
  }

  /** The set's revisions, the newest of which holds its template. */
  async revise(set: T): Promise<CurrentRevisions> {
    const owner = {
      object: set,
      ref: this.#kind.refTo(set),
      selector: set.spec?.selector,
      template: set.spec!.template,
      collisionCount: set.status?.collisionCount ?? 0,
      hashLabel: this.#kind.hashLabel,
      freshOwner: () => this.#fresh(set),
    };
    return await reviseHistory(owner, this.revisions, this.#context.client.resource(controllerRevisions), this.#signal);
  }

  /** Deletes the oldest of the revisions that are not in use, beyond what the set keeps. */
  async trim(set: T, all: readonly ControllerRevision[], inUse: (revision: ControllerRevision) => boolean): Promise<void> {
    const excess = excessRevisions(all, inUse, set.spec?.revisionHistoryLimit ?? DEFAULT_HISTORY);
    await deleteRevisions(excess, this.#context.client.resource(controllerRevisions), this.#signal);
  }

  #fresh(set: T): Promise<T> {
    const { name = '', namespace = '' } = set.metadata ?? {};
    return this.#context.client.resource(this.#kind.ref).get(name, namespace, { signal: this.#signal });
  }
}
