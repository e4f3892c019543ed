import { type ClusterView, isRejection, type Plugin, type PodPlan, type Rejection } from './framework.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import { grown } from './typed-array.ts';

/** Signatures whose verdicts are kept; the one longest unused makes room. Verdicts on 5,000 nodes take some 150 KB. */
const MAX_SIGNATURES = 128;

/** A score that must be brought to 0…100 among the nodes in question. */
export interface RawScore {
  readonly plugin: Plugin;
  readonly plan: PodPlan;
  readonly bySlot: Int32Array;
}

interface Scorer {
  readonly plugin: Plugin;
  readonly plan: PodPlan;
  bySlot: Int32Array<ArrayBuffer>;
}

/**
 * What the plugins that look at a single node say about each node, for all pods of one signature. A verdict is worked out when it is asked for
 * and kept until the node changes: of pods of one workload, placed one after the other, each makes only the last one's node be judged anew.
 */
export class LocalVerdicts {
  readonly #filters: readonly PodPlan[];
  readonly #scorers: readonly Scorer[];
  readonly #fixed: readonly { readonly plan: PodPlan; readonly weight: number }[];
  #generations = new Float64Array(0);
  readonly #rejections: (Rejection | undefined)[] = [];
  #scores: Int32Array<ArrayBuffer> = new Int32Array(0);
  /** Nodes that some plan restricts the pod to, and the plugins that did. */
  readonly nodes: ReadonlySet<string> | undefined;
  readonly restrictedBy: readonly string[];
  /** A verdict on the pod as a whole. */
  readonly rejection: Rejection | undefined;

  constructor(pod: PodInfo, view: ClusterView, plugins: readonly Plugin[]) {
    const filters: PodPlan[] = [];
    const scorers: Scorer[] = [];
    const fixed: { plan: PodPlan; weight: number }[] = [];
    const restrictedBy: string[] = [];
    for (const plugin of plugins) {
      const plan = plugin.plan(pod, view);
      if (plan === undefined) continue;
      if (isRejection(plan)) {
        this.rejection = plan;
        break;
      }
      if (plan.filter !== undefined) filters.push(plan);
      if (plan.nodes !== undefined) {
        this.nodes = this.nodes === undefined ? plan.nodes : this.nodes.intersection(plan.nodes);
        restrictedBy.push(plugin.name);
      }
      if (plan.score === undefined) continue;
      if (plan.normalize === undefined) fixed.push({ plan, weight: plugin.weight });
      else scorers.push({ plugin, plan, bySlot: new Int32Array(0) });
    }
    this.#filters = filters;
    this.#scorers = scorers;
    this.#fixed = fixed;
    this.restrictedBy = restrictedBy;
  }

  /** The first rejection; undefined when the node will do. */
  judge(node: NodeInfo): Rejection | undefined {
    const { slot } = node;
    return this.#generations[slot] === node.generation ? this.#rejections[slot] : this.#judgeAnew(node);
  }

  /** As `judge`, of a state that is only tried out: nothing is kept. */
  tryOut(node: NodeInfo): Rejection | undefined {
    const filters = this.#filters;
    for (let i = 0; i < filters.length; i++) {
      const rejection = filters[i]!.filter!(node);
      if (rejection !== undefined) return rejection;
    }
    return undefined;
  }

  /** The weighted sum of scores that need no normalization. Of a node that was judged, and will do. */
  score(node: NodeInfo): number {
    return this.#scores[node.slot]!;
  }

  /** The other scores; of nodes that were judged, and will do. */
  get raw(): readonly RawScore[] {
    return this.#scorers;
  }

  #judgeAnew(node: NodeInfo): Rejection | undefined {
    const { slot } = node;
    if (slot >= this.#generations.length) this.#grow(slot + 1);
    const rejection = this.tryOut(node);
    this.#rejections[slot] = rejection;
    if (rejection === undefined) {
      let sum = 0;
      for (let i = 0; i < this.#fixed.length; i++) sum += this.#fixed[i]!.plan.score!(node) * this.#fixed[i]!.weight;
      this.#scores[slot] = sum;
      for (let i = 0; i < this.#scorers.length; i++) this.#scorers[i]!.bySlot[slot] = this.#scorers[i]!.plan.score!(node);
    }
    this.#generations[slot] = node.generation;
    return rejection;
  }

  #grow(length: number): void {
    this.#scores = grown(this.#scores, length);
    for (const scorer of this.#scorers) scorer.bySlot = grown(scorer.bySlot, length);
    const generations = new Float64Array(this.#scores.length);
    generations.set(this.#generations);
    this.#generations = generations;
    while (this.#rejections.length < generations.length) this.#rejections.push(undefined);
  }
}

/** The verdicts of the signatures last used. */
export class LocalVerdictCache {
  readonly #plugins: readonly Plugin[];
  readonly #known = new Map<string, LocalVerdicts>();

  constructor(plugins: readonly Plugin[]) {
    this.#plugins = plugins.filter((plugin) => plugin.local);
  }

  of(pod: PodInfo, view: ClusterView): LocalVerdicts {
    let signature = pod.localSignature;
    for (const plugin of this.#plugins) if (plugin.signature !== undefined) signature += plugin.signature(pod, view);
    let verdicts = this.#known.get(signature);
    if (verdicts === undefined) {
      if (this.#known.size >= MAX_SIGNATURES) this.#known.delete(this.#known.keys().next().value!);
      verdicts = new LocalVerdicts(pod, view, this.#plugins);
    } else this.#known.delete(signature);
    this.#known.set(signature, verdicts);
    return verdicts;
  }
}
