import { deepEqual } from '../../../api/groups/define.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import { internalStatus } from '../../../api/meta/status.ts';
import { applyJsonPatch } from '../../../api/patch/json-patch.ts';
import type { Json } from '../../../api/patch/json-value.ts';
import type { Resource } from '../../../api/resource.ts';
import type { MutatingWebhook } from '../../../api/types/admissionregistration-v1.ts';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import type { AdmissionAttributes, AdmissionPlugin, ApiAccess } from '../../contract.ts';
import { decodeValue, withDefaults } from '../../rest/decode-body.ts';
import { convertObject, reversed } from '../matching/convert.ts';
import { CallingError, callHook } from './call.ts';
import { WebhookClient } from './client.ts';
import { type Hook, HookSource } from './hooks.ts';
import { type Invocation, invocationOf } from './match.ts';
import type { Verdict } from './review.ts';
import { endpointResolver } from './service-resolver.ts';
import { isExempt, type WebhookOptions } from './validating.ts';

const GROUP = 'admissionregistration.k8s.io';
const MUTATION = 'mutation.webhook.admission.k8s.io/';

export interface MutatingWebhookOptions extends WebhookOptions {
  /** The plugins that mutate before the webhooks do: they are run once more when a webhook changed something. */
  readonly before: readonly AdmissionPlugin[];
}

/** What one round of webhooks came to. */
interface Round {
  readonly object: KubernetesObject | undefined;
  readonly changed: boolean;
  /** Those that want to be asked once more when something changes, and had their turn. */
  readonly reinvocable: ReadonlySet<string>;
  /** Of those, the ones after whose turn something changed. */
  readonly outdated: ReadonlySet<string>;
}

/**
 * Asks every MutatingWebhookConfiguration's webhooks that a write concerns, one after the other, and takes over their patches. When one
 * changed something, the plugins before run once more, and then those webhooks with reinvocationPolicy IfNeeded that had their turn before.
 */
export function mutatingAdmissionWebhook(options: MutatingWebhookOptions): AdmissionPlugin {
  return new MutatingWebhooks(options);
}

class MutatingWebhooks implements AdmissionPlugin {
  readonly name = 'MutatingAdmissionWebhook';
  readonly #options: MutatingWebhookOptions;
  #access: ApiAccess | undefined;
  #hooks: HookSource | undefined;
  #client: WebhookClient | undefined;

  constructor(options: MutatingWebhookOptions) {
    this.#options = options;
  }

  initialize(access: ApiAccess): void {
    this.#access = access;
    const view = access.view(GROUP, 'mutatingwebhookconfigurations');
    this.#hooks = view === undefined ? undefined : new HookSource(view);
    this.#client = new WebhookClient(this.#options.resolveService ?? endpointResolver(access), access.clock);
  }

  handles(target: Parameters<AdmissionPlugin['handles']>[0]): boolean {
    return !isExempt(target);
  }

  mutate(attributes: AdmissionAttributes): KubernetesObject | undefined | Promise<KubernetesObject | undefined> {
    if (this.#hooks === undefined || this.#hooks.isEmpty) return attributes.object;
    const concerned = this.#hooks.for(attributes);
    return concerned.length === 0 ? attributes.object : this.#run(concerned, attributes);
  }

  async #run(hooks: readonly Hook[], attributes: AdmissionAttributes): Promise<KubernetesObject | undefined> {
    const first = await this.#round(hooks, attributes, 0, undefined);
    if (!first.changed) return first.object;
    const mutated = await this.#runBefore(attributes, first.object);
    // The plugins' own changes come after everybody's turn.
    const again = deepEqual(mutated, first.object) ? first.outdated : first.reinvocable;
    if (again.size === 0) return mutated;
    return (await this.#round(hooks, withObject(attributes, mutated), 1, again)).object;
  }

  async #runBefore(attributes: AdmissionAttributes, object: KubernetesObject | undefined): Promise<typeof object> {
    const { operation, resource, subresource } = attributes;
    let current = object;
    for (const plugin of this.#options.before) {
      if (plugin.mutate === undefined || !plugin.handles({ operation, ...resource, subresource })) continue;
      current = deepFreeze(await plugin.mutate(withObject(attributes, current)));
    }
    return current;
  }

  /** `only`: in the second round, the webhooks that are asked again. */
  async #round(
    hooks: readonly Hook[],
    attributes: AdmissionAttributes,
    round: number,
    only: ReadonlySet<string> | undefined,
  ): Promise<Round> {
    let current = attributes;
    let changed = false;
    const reinvocable = new Set<string>();
    let outdated: ReadonlySet<string> = new Set();
    for (const [index, hook] of hooks.entries()) {
      if (only !== undefined && !only.has(hook.id)) continue;
      const invocation = invocationOf(hook, current, this.#access!, this.#options.authorizer);
      if (invocation === undefined) continue;
      const object = await this.#ask(invocation, current, round, index);
      if (object !== current.object) {
        changed = true;
        outdated = new Set(reinvocable);
        current = withObject(attributes, object);
      }
      if (isReinvocable(hook)) reinvocable.add(hook.id);
    }
    return { object: current.object, changed, reinvocable, outdated };
  }

  /** The object after one webhook: the same when it changed nothing, or could not be called and that is let pass. */
  async #ask(
    invocation: Invocation,
    attributes: AdmissionAttributes,
    round: number,
    index: number,
  ): Promise<KubernetesObject | undefined> {
    const { hook } = invocation;
    const place = `round_${round}_index_${index}`;
    let mutated = false;
    try {
      const verdict = await callHook(this.#client!, this.#access!, invocation, attributes, true);
      const object = patched(invocation, attributes, verdict);
      mutated = object !== attributes.object;
      return object;
    } catch (err) {
      if (!(err instanceof CallingError)) throw err;
      this.#access!.logger.warn({ err, webhook: hook.name, failsOpen: hook.failsOpen }, 'webhook could not be called');
      if (!hook.failsOpen) throw err.status;
      attributes.annotate(`failed-open.${MUTATION}${place}`, hook.name);
      return attributes.object;
    } finally {
      const told = { configuration: hook.configuration, webhook: hook.name, mutated };
      attributes.annotate(MUTATION + place, JSON.stringify(told));
    }
  }
}

const isReinvocable = ({ definition }: Hook): boolean => (definition as MutatingWebhook).reinvocationPolicy === 'IfNeeded';

/** The attributes of the same write with another object. */
function withObject(attributes: AdmissionAttributes, object: KubernetesObject | undefined): AdmissionAttributes {
  const { operation, kind, resource, subresource, namespace, name, oldObject, options, user, dryRun, definition } = attributes;
  return {
    ...{ operation, kind, resource, subresource, namespace, name, object, oldObject, options, user, dryRun, definition },
    warn: (text) => attributes.warn(text),
    annotate: (key, value) => attributes.annotate(key, value),
  };
}

/** The object with a webhook's patch, decoded and with defaults as if it had been sent so; the same object when nothing changes. */
function patched(invocation: Invocation, attributes: AdmissionAttributes, verdict: Verdict): KubernetesObject | undefined {
  const { hook, as } = invocation;
  const { object, definition } = attributes;
  if (verdict.patch === undefined) return object;
  let patch: unknown;
  try {
    patch = JSON.parse(verdict.patch);
    if (!Array.isArray(patch)) throw new Error('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  } catch (err) {
    throw new CallingError(hook.name, `received undecodable patch in webhook response: ${(err as Error).message}`);
  }
  if (patch.length === 0) return object;
  if (object === undefined) {
    throw internalStatus(
      `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  }
  if (verdict.patchType !== 'JSONPatch') {
    throw new CallingError(hook.name, `unsupported patch type ${JSON.stringify(verdict.patchType)}`);
  }
  const before = convertObject(object, as) as KubernetesObject;
  const type = as?.to ?? definition;
  let decoded: KubernetesObject;
  try {
    const after = applyJsonPatch(before as unknown as Json, patch) as unknown as KubernetesObject;
    decoded = deepFreeze(type !== undefined && isOf(type, invocation) ? decodeAs(type, after) : after);
  } catch (err) {
    throw internalStatus((err as Error).message);
  }
  return deepEqual(decoded, before) ? object : convertObject(decoded, reversed(as));
}

const isOf = (type: Resource, { kind }: Invocation): boolean => type.kind === kind.kind && type.group === kind.group;

function decodeAs(type: Resource, value: KubernetesObject): KubernetesObject {
  return withDefaults(type, decodeValue<KubernetesObject>(type, value).object);
}
