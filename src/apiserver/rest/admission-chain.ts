import type { KubernetesObject } from '../../api/meta/object.ts';
import type { UserInfo } from '../../api/request.ts';
import type { Resource } from '../../api/resource.ts';
import type { Clock } from '../../util/clock.ts';
import { deepFreeze } from '../../util/deep-freeze.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin, AdmissionTarget } from '../contract.ts';
import { AdmissionMetrics, type AdmissionTimes } from './admission-metrics.ts';

/** The plugins that want one kind of write, in order. */
export interface AdmissionChain {
  readonly mutators: readonly AdmissionPlugin[];
  readonly validators: readonly AdmissionPlugin[];
  readonly mutating: AdmissionTimes;
  readonly validating: AdmissionTimes;
}

/** Picks the plugins of an endpoint and operation once and keeps the answer. */
export class AdmissionChains {
  readonly metrics: AdmissionMetrics;
  readonly #plugins: readonly AdmissionPlugin[];
  readonly #chains = new Map<string, AdmissionChain>();

  constructor(plugins: readonly AdmissionPlugin[], clock: Clock) {
    this.#plugins = plugins;
    this.metrics = new AdmissionMetrics(clock);
  }

  chain(target: AdmissionTarget): AdmissionChain {
    const key = `${target.operation} ${target.group}/${target.version}/${target.resource}/${target.subresource}`;
    let chain = this.#chains.get(key);
    if (chain === undefined) {
      const wanted = this.#plugins.filter((p) => p.handles(target));
      chain = {
        mutators: wanted.filter((p) => p.mutate !== undefined),
        validators: wanted.filter((p) => p.validate !== undefined),
        mutating: this.metrics.times(target.operation, 'admit'),
        validating: this.metrics.times(target.operation, 'validate'),
      };
      this.#chains.set(key, chain);
    }
    return chain;
  }
}

/** What is told of a write before its object is known. */
export interface AdmissionSubject {
  readonly operation: AdmissionOperation;
  readonly resource: Resource | undefined;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: AdmissionAttributes['kind'];
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly options: KubernetesObject;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly warnings: string[];
  readonly annotations: Map<string, string>;
}

/** One write on its way through the plugins. */
export class AdmissionRecord implements AdmissionAttributes {
  readonly operation: AdmissionOperation;
  readonly kind: AdmissionAttributes['kind'];
  readonly resource: AdmissionAttributes['resource'];
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly options: KubernetesObject;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly definition: Resource | undefined;
  readonly oldObject: KubernetesObject | undefined;
  object: KubernetesObject | undefined;
  readonly #warnings: string[];
  readonly #annotations: Map<string, string>;

  constructor(subject: AdmissionSubject, object: KubernetesObject | undefined, oldObject: KubernetesObject | undefined) {
    this.operation = subject.operation;
    this.kind = subject.kind;
    this.resource = { group: subject.group, version: subject.version, resource: subject.plural };
    this.subresource = subject.subresource;
    this.namespace = subject.namespace;
    this.name = subject.name;
    this.options = subject.options;
    this.user = subject.user;
    this.dryRun = subject.dryRun;
    this.definition = subject.resource;
    this.object = object;
    this.oldObject = oldObject;
    this.#warnings = subject.warnings;
    this.#annotations = subject.annotations;
  }
  warn(text: string): void {
    this.#warnings.push(text);
  }
  annotate(key: string, value: string): void {
    this.#annotations.set(key, value);
  }
}

/** Runs the mutating half; the object to go on with is frozen. Waits only where a plugin does. */
export async function mutate(chain: AdmissionChain, record: AdmissionRecord): Promise<void> {
  const { mutators, mutating } = chain;
  const { clock } = mutating;
  const began = clock.monotonic();
  let from = began;
  let name = '';
  try {
    for (const plugin of mutators) {
      name = plugin.name;
      const result = plugin.mutate?.(record);
      const changed = result instanceof Promise ? await result : result;
      if (changed !== record.object) record.object = deepFreeze(changed);
      const now = clock.monotonic();
      mutating.plugin(name, now - from, false);
      from = now;
    }
    mutating.step(from - began, false);
  } catch (err) {
    mutating.plugin(name, clock.monotonic() - from, true);
    mutating.step(clock.monotonic() - began, true);
    throw err;
  }
}

/** Runs the validating half. */
export async function validate(chain: AdmissionChain, record: AdmissionRecord): Promise<void> {
  const { validators, validating } = chain;
  const { clock } = validating;
  const began = clock.monotonic();
  let from = began;
  let name = '';
  try {
    for (const plugin of validators) {
      name = plugin.name;
      const result = plugin.validate?.(record);
      if (result instanceof Promise) await result;
      const now = clock.monotonic();
      validating.plugin(name, now - from, false);
      from = now;
    }
    validating.step(from - began, false);
  } catch (err) {
    validating.plugin(name, clock.monotonic() - from, true);
    validating.step(clock.monotonic() - began, true);
    throw err;
  }
}
