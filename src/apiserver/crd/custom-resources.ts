import { customResources, type DefinitionState } from '../../api/custom-resource/custom-resource.ts';
import { CLEANUP_FINALIZER } from '../../api/groups/apiextensions/custom-resource-definition.ts';
import { deepEqual } from '../../api/groups/define.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';
import { isConflict, isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { ApiRequest } from '../../api/request.ts';
import type { Resource } from '../../api/resource.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionNames } from '../../api/types/apiextensions-v1.ts';
import { backoffDelay } from '../../util/backoff.ts';
import { WebhookClient } from '../admission/webhook/client.ts';
import { endpointResolver } from '../admission/webhook/service-resolver.ts';
import { loopbackUser, type ResourceView } from '../contract.ts';
import type { ApiServer } from '../server.ts';
import { conversionWebhook } from './conversion-webhook.ts';
import { isTrue, nextStatus, withCondition } from './definition-status.ts';

type Definition = CustomResourceDefinition;

const GROUP = 'apiextensions.k8s.io';
const PLURAL = 'customresourcedefinitions';
const retry = { initial: 50, max: 30_000, jitter: 0.1 };
/** How long a deletion waits for the last objects before it says that it could not confirm, in milliseconds. */
const CLEANUP_TIMEOUT_MS = 60_000;

/**
 * Makes custom resources first-class: serves what CustomResourceDefinitions define, from the moment their names are accepted until they are
 * deleted, keeps their status, and deletes the objects of those that are deleted. Resolves when all definitions that are stored are served.
 */
export async function addCustomResources(server: ApiServer, signal: AbortSignal): Promise<void> {
  const view = server.access.view<Definition>(GROUP, PLURAL);
  if (view === undefined) return;
  await new CustomResources(server, view, signal).start();
}

/** A definition as it is served. */
interface Served {
  readonly spec: Definition['spec'];
  readonly names: CustomResourceDefinitionNames;
  readonly resources: readonly Resource[];
  readonly state: { -readonly [K in keyof DefinitionState]: DefinitionState[K] };
}

class CustomResources {
  readonly #server: ApiServer;
  readonly #view: ResourceView<Definition>;
  readonly #signal: AbortSignal;
  readonly #served = new Map<string, Served>();
  /** Names to look at, in order; one is worked on at a time, as names are given out one by one. */
  readonly #queue = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #finalizing = new Set<string>();
  readonly #webhooks: WebhookClient;
  #working = false;

  constructor(server: ApiServer, view: ResourceView<Definition>, signal: AbortSignal) {
    this.#server = server;
    this.#view = view;
    this.#webhooks = new WebhookClient(endpointResolver(server.access), server.access.clock);
    this.#signal = signal;
  }

  async start(): Promise<void> {
    for (const definition of this.#view.list()) this.#queue.add(definition.metadata?.name ?? '');
    this.#view.watch(({ object }) => this.#look(object.metadata?.name ?? ''), this.#signal);
    await this.#work();
  }

  #look(name: string): void {
    this.#queue.add(name);
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (const name of this.#queue) {
      if (this.#signal.aborted) break;
      this.#queue.delete(name);
      try {
        await this.#reconcile(name);
        this.#failures.delete(name);
      } catch (err) {
        this.#retry(name, err);
      }
    }
    this.#working = false;
  }

  #retry(name: string, err: unknown): void {
    if (this.#signal.aborted) return;
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    const { clock, random, logger } = this.#server.access;
    logger.error({ err, definition: name, failures }, 'custom resource definition could not be brought into effect');
    clock.setTimer(backoffDelay(retry, failures, random), () => this.#look(name));
  }

  async #reconcile(name: string): Promise<void> {
    const stored = this.#view.get('', name);
    if (stored === undefined) {
      await this.#stop(name);
      this.#lookAtGroup(name.slice(name.indexOf('.') + 1), name);
      return;
    }
    const wanted = nextStatus(stored, this.#others(stored), this.#timestamp());
    if (isTrue(wanted, 'NamesAccepted') || isTrue(wanted, 'Established')) await this.#serve(name, wanted);
    else await this.#stop(name);
    if (wanted !== stored) {
      const before = stored.status?.acceptedNames;
      await this.#writeStatus(wanted);
      // Names may have been let go that somebody waits for.
      if (!deepEqual(before, wanted.status?.acceptedNames)) this.#lookAtGroup(stored.spec.group, name);
      return;
    }
    if (stored.metadata?.deletionTimestamp !== undefined && stored.metadata.finalizers?.includes(CLEANUP_FINALIZER)) {
      this.#finalize(name);
    }
  }

  *#others(definition: Definition): Iterable<Definition> {
    for (const other of this.#view.list()) {
      if (other.spec.group === definition.spec.group && other.metadata?.name !== definition.metadata?.name) yield other;
    }
  }

  /** Those of a group that have not got the names they want. */
  #lookAtGroup(group: string, except: string): void {
    for (const other of this.#view.list()) {
      const name = other.metadata?.name ?? '';
      if (other.spec.group === group && name !== except && !isTrue(other, 'NamesAccepted')) this.#look(name);
    }
  }

  async #serve(name: string, definition: Definition): Promise<void> {
    const names = definition.status?.acceptedNames ?? definition.spec.names;
    const terminating = isTrue(definition, 'Terminating');
    const before = this.#served.get(name);
    if (before !== undefined) before.state.terminating = terminating;
    if (before !== undefined && deepEqual(before.spec, definition.spec) && deepEqual(before.names, names)) return;
    const state = before?.state ?? { terminating };
    const convert = conversionWebhook(definition, this.#webhooks, this.#server.access.random);
    const resources = customResources(definition, names, state, convert).filter((r) => this.#isFree(r, before));
    const { registry } = this.#server;
    if (before === undefined) await registry.add(resources);
    else await registry.replace(before.resources, resources);
    this.#served.set(name, { spec: definition.spec, names, resources, state });
  }

  /** A built-in type of that name goes before. */
  #isFree(resource: Resource, before: Served | undefined): boolean {
    const endpoint = this.#server.registry.find(resource.group, resource.version, resource.plural);
    return endpoint === undefined || before?.resources.includes(endpoint.resource) === true;
  }

  async #stop(name: string): Promise<void> {
    const served = this.#served.get(name);
    if (served === undefined) return;
    this.#served.delete(name);
    await this.#server.registry.remove(served.resources);
  }

  #timestamp(): string {
    return formatTime(this.#server.access.clock.now());
  }

  /** Writes a definition with its new status. One that was changed or deleted meanwhile is looked at again anyway. */
  async #writeStatus(definition: Definition): Promise<boolean> {
    try {
      await this.#server.handle(
        {
          verb: 'update',
          group: GROUP,
          version: 'v1',
          resource: PLURAL,
          subresource: 'status',
          namespace: '',
          name: definition.metadata?.name ?? '',
          options: { fieldManager: 'kube-apiserver' },
          body: definition,
        },
        loopbackUser,
      );
      return true;
    } catch (err) {
      if (isConflict(err) || isNotFound(err)) return false;
      throw err;
    }
  }

  /** Deletes a definition's objects and then lets it go, beside the work on others: it may take long. */
  #finalize(name: string): void {
    if (this.#finalizing.has(name)) return;
    this.#finalizing.add(name);
    this.#cleanUp(name)
      .then(() => this.#failures.delete(name))
      .catch((err: unknown) => this.#retry(name, err))
      .finally(() => this.#finalizing.delete(name));
  }

  async #cleanUp(name: string): Promise<void> {
    await this.#setTerminating(name, 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
    const definition = this.#view.get('', name);
    if (definition === undefined) return;
    if (!isTrue(definition, 'Established')) {
      await this.#letGo(name, 'NeverEstablished', 'resource was never established');
      return;
    }
    try {
      await this.#deleteInstances(name);
    } catch (err) {
      const message = `could not issue all deletes: ${(err as Error).message}`;
      await this.#setTerminating(name, 'True', 'InstanceDeletionFailed', message);
      throw err;
    }
    await this.#letGo(name, 'InstanceDeletionCompleted', 'removed all instances');
  }

  async #letGo(name: string, reason: string, message: string): Promise<void> {
    await this.#change(name, (definition) => {
      const done = withCondition(definition, { type: 'Terminating', status: 'False', reason, message }, this.#timestamp());
      const finalizers = done.metadata?.finalizers?.filter((f) => f !== CLEANUP_FINALIZER) ?? [];
      return { ...done, metadata: { ...done.metadata, finalizers } };
    });
  }

  async #setTerminating(name: string, status: string, reason: string, message: string): Promise<void> {
    const condition = { type: 'Terminating', status, reason, message };
    await this.#change(name, (definition) => withCondition(definition, condition, this.#timestamp()));
  }

  /** Changes a definition's status, again when somebody else was quicker. */
  async #change(name: string, change: (definition: Definition) => Definition): Promise<void> {
    for (;;) {
      const definition = this.#view.get('', name);
      if (definition === undefined || this.#signal.aborted) return;
      const changed = change(definition);
      if (changed === definition || (await this.#writeStatus(changed))) return;
    }
  }

  async #deleteInstances(name: string): Promise<void> {
    const served = this.#served.get(name);
    const resource = served?.resources.find((r) => r.version === r.storage.version) ?? served?.resources[0];
    if (resource === undefined) return;
    const request = (namespace: string): ApiRequest => ({
      verb: 'deletecollection',
      group: resource.group,
      version: resource.version,
      resource: resource.plural,
      namespace,
      name: '',
      options: {},
    });
    const instances = (): readonly KubernetesObject[] => [
      ...(this.#server.access.view(resource.group, resource.plural)?.list() ?? []),
    ];
    for (const namespace of new Set(instances().map((o) => o.metadata?.namespace ?? ''))) {
      await this.#server.handle(request(namespace), loopbackUser);
    }
    if (instances().length === 0) return;
    await this.#emptied(resource, () => instances().length);
  }

  /** Resolves when the last object is gone; rejects when that takes too long. */
  #emptied(resource: Resource, count: () => number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = new AbortController();
      const done = (finish: () => void) => (): void => {
        end.abort();
        timer.cancel();
        finish();
      };
      const timer = this.#server.access.clock.setTimer(
        CLEANUP_TIMEOUT_MS,
        done(() => reject(new Error('could not confirm zero CustomResources remaining: timed out waiting for the condition'))),
      );
      const view = this.#server.access.view(resource.group, resource.plural);
      if (view === undefined) return done(resolve)();
      this.#signal.addEventListener('abort', done(resolve), { once: true, signal: end.signal });
      view.watch(() => {
        if (count() === 0) done(resolve)();
      }, end.signal);
      if (count() === 0) done(resolve)();
    });
  }
}
