import { deepEqual } from '../../../api/groups/define.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import { internalStatus } from '../../../api/meta/status.ts';
import { applyJsonPatch } from '../../../api/patch/json-patch.ts';
import type { Json } from '../../../api/patch/json-value.ts';
import type { MutatingWebhook } from '../../../api/types/admissionregistration-v1.ts';
import { deepFreeze } from '../../../util/deep-freeze.ts';
import type { AdmissionAttributes, AdmissionPlugin, ApiAccess } from '../../contract.ts';
import { decodePatched } from '../decode-patched.ts';
import { convertObject, reversed } from '../matching/convert.ts';
import type { MutatingPolicies } from '../policy/mutating.ts';
import { type Round, RoundAccount } from '../reinvocation.ts';
import { withObject } from '../with-object.ts';
import { CallingError, callHook } from './call.ts';
import { WebhookClient } from './client.ts';
import { type Hook, HookSource } from './hooks.ts';
import { type Invocation, invocationOf } from './match.ts';
import type { Verdict } from './review.ts';
import { endpointResolver } from './service-resolver.ts';
import { isExempt, type WebhookOptions } from './validating.ts';

const GROUP = 'admissionregistration.k8s.io';
const none: readonly Hook[] = [];
const MUTATION = 'mutation.webhook.admission.k8s.io/';

export interface MutatingWebhookOptions extends WebhookOptions {
  /** The plugins that mutate before the webhooks do: they are run once more when a webhook changed something. */
  readonly before: readonly AdmissionPlugin[];
  /** The policies that mutate between those and the webhooks. */
  readonly policies?: MutatingPolicies;
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
    const concerned = this.#hooks === undefined || this.#hooks.isEmpty ? none : this.#hooks.for(attributes);
    const changed = this.#options.policies?.changed(attributes) === true;
    return concerned.length === 0 && !changed ? attributes.object : this.#run(concerned, attributes, changed);
  }

  async #run(hooks: readonly Hook[], attributes: AdmissionAttributes, changedBefore: boolean): Promise<typeof object> {
    const first = await this.#round(hooks, attributes, 0, undefined);
    let { object } = first;
    if (!first.changed && !changedBefore) return object;
    object = await this.#runBefore(attributes, object);
    object = deepFreeze(this.#options.policies?.reinvoke(attributes, object) ?? object);
    // What others changed meanwhile came after everybody's turn.
    const again = deepEqual(object, first.object) ? first.outdated : first.reinvocable;
    return again.size === 0 ? object : (await this.#round(hooks, withObject(attributes, object), 1, again)).object;
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
    const account = new RoundAccount(attributes.object);
    for (const [index, hook] of hooks.entries()) {
      if (only !== undefined && !only.has(hook.id)) continue;
      const current = withObject(attributes, account.object);
      const invocation = invocationOf(hook, current, this.#access!, this.#options.authorizer);
      if (invocation === undefined) continue;
      account.turn(hook.id, isReinvocable(hook), await this.#ask(invocation, current, round, index));
    }
    return account.round;
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
      const verdict = await callHook(this.#client!, this.#access!, invocation, attributes, true, this.#options.metrics);
      const object = patched(invocation, attributes, verdict);
      mutated = object !== attributes.object;
      return object;
    } catch (err) {
      if (!(err instanceof CallingError)) throw err;
      this.#access!.logger.warn({ err, webhook: hook.name, failsOpen: hook.failsOpen }, 'webhook could not be called');
      if (!hook.failsOpen) throw err.status;
      this.#options.metrics?.failedOpen(hook.name, true);
      attributes.annotate(`failed-open.${MUTATION}${place}`, hook.name);
      return attributes.object;
    } finally {
      const told = { configuration: hook.configuration, webhook: hook.name, mutated };
      attributes.annotate(MUTATION + place, JSON.stringify(told));
    }
  }
}

const isReinvocable = ({ definition }: Hook): boolean => (definition as MutatingWebhook).reinvocationPolicy === 'IfNeeded';

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
    decoded = decodePatched(after, type, invocation.kind);
  } catch (err) {
    throw internalStatus((err as Error).message);
  }
  return deepEqual(decoded, before) ? object : convertObject(decoded, reversed(as));
}
