import { type LabelRequirement, LabelSelector, selectorFromSet } from '../api/meta/label-selector.ts';
import type { ReplicaSet, StatefulSet } from '../api/types/apps-v1.ts';
import type { ReplicationController, Service } from '../api/types/core-v1.ts';
import type { Informer, InformerFactory } from '../client/contract.ts';
import { replicaSets, replicationControllers, services, statefulSets } from '../client/resource-refs.ts';
import { compileSelector, type PodInfo } from './pod-info.ts';
import { MatcherIndex, type PodMatcher } from './pod-matcher.ts';

interface FiledService {
  readonly selector: Readonly<Record<string, string>>;
  readonly matcher: PodMatcher;
}

/**
 * By what the pods of a workload are known: the selectors of its Services and of its owner (helper.DefaultSelector). The default constraints of
 * topology spreading count these.
 */
export class DefaultSelectors {
  readonly #services = new MatcherIndex<FiledService>();
  readonly #filed = new Map<string, FiledService>();
  readonly #replicationControllers: Informer<ReplicationController>;
  readonly #replicaSets: Informer<ReplicaSet>;
  readonly #statefulSets: Informer<StatefulSet>;
  /** Compiled selectors of owners, for as long as the objects live. */
  readonly #compiled = new WeakMap<object, LabelSelector>();

  constructor(informers: InformerFactory) {
    this.#replicationControllers = informers.informer(replicationControllers);
    this.#replicaSets = informers.informer(replicaSets);
    this.#statefulSets = informers.informer(statefulSets);
    informers.informer(services).addHandler({
      onAdd: (service) => this.#file(service),
      onUpdate: (service) => this.#file(service),
      onDelete: (service) => this.#unfile(service),
    });
  }

  /** Undefined when neither a Service nor an owner is known. */
  of(pod: PodInfo): LabelSelector | undefined {
    let set: Readonly<Record<string, string>> | undefined;
    this.#services.forMatching(pod, ({ selector }) => {
      set = set === undefined ? selector : { ...set, ...selector };
    });
    const owner = pod.pod.metadata?.ownerReferences?.find((o) => o.controller === true);
    const own = owner === undefined ? undefined : this.#ofOwner(owner.apiVersion, owner.kind, `${pod.namespace}/${owner.name}`);
    if (set === undefined) return own === undefined || own.empty ? undefined : own;
    const requirements: LabelRequirement[] = [...selectorFromSet(set).requirements];
    if (own !== undefined) {
      for (const r of own.requirements) if (!requirements.some((known) => sameRequirement(known, r))) requirements.push(r);
    }
    return requirements.length === 0 ? undefined : new LabelSelector(requirements);
  }

  #ofOwner(apiVersion: string, kind: string, key: string): LabelSelector | undefined {
    if (apiVersion === 'v1' && kind === 'ReplicationController') {
      const rc = this.#replicationControllers.get(key);
      return rc === undefined ? undefined : this.#memo(rc, () => selectorFromSet(rc.spec?.selector));
    }
    if (apiVersion !== 'apps/v1') return undefined;
    const owner =
      kind === 'ReplicaSet' ? this.#replicaSets.get(key) : kind === 'StatefulSet' ? this.#statefulSets.get(key) : undefined;
    return owner === undefined ? undefined : this.#memo(owner, () => compileSelector(owner.spec?.selector));
  }

  #memo(object: object, compile: () => LabelSelector): LabelSelector {
    let selector = this.#compiled.get(object);
    if (selector === undefined) {
      selector = compile();
      this.#compiled.set(object, selector);
    }
    return selector;
  }

  #file(service: Service): void {
    this.#unfile(service);
    const { name = '', namespace = '' } = service.metadata ?? {};
    const selector = service.spec?.selector ?? {};
    // A Service without a selector has no pods of its own.
    if (Object.keys(selector).length === 0) return;
    const compiled = selectorFromSet(selector);
    const filed = {
      selector,
      matcher: { namespaces: new Set([namespace]), selector: compiled, matches: (pod: PodInfo) => compiled.matches(pod.labels) },
    };
    this.#filed.set(`${namespace}/${name}`, filed);
    this.#services.add(filed);
  }

  #unfile(service: Service): void {
    const key = `${service.metadata?.namespace}/${service.metadata?.name}`;
    const filed = this.#filed.get(key);
    if (filed === undefined) return;
    this.#filed.delete(key);
    this.#services.delete(filed);
  }
}

const sameRequirement = (a: LabelRequirement, b: LabelRequirement): boolean =>
  a.key === b.key && a.operator === b.operator && a.values.join() === b.values.join();
