import type { AdmissionAttributes, AdmissionPlugin, AdmissionTarget, ApiAccess, Authorizer } from '../../contract.ts';
import { CallingError, callHook } from './call.ts';
import { type ResolveService, WebhookClient } from './client.ts';
import { type Hook, HookSource } from './hooks.ts';
import { type Invocation, invocationOf } from './match.ts';
import { endpointResolver } from './service-resolver.ts';
import type { WebhookMetrics } from './webhook-metrics.ts';

const GROUP = 'admissionregistration.k8s.io';
const FAILED_OPEN = 'failed-open.validating.webhook.admission.k8s.io/';

export interface WebhookOptions {
  /** Asked by match conditions. */
  readonly authorizer: Authorizer;
  /** Finds the Services of webhooks; a ready endpoint unless told otherwise. */
  readonly resolveService?: ResolveService | undefined;
  /** Told of every call. */
  readonly metrics?: WebhookMetrics;
}

/** The configurations of webhooks and policies are not themselves subject to any: a bad one could never be taken back. */
export const isExempt = ({ group }: AdmissionTarget): boolean => group === GROUP;

/** Asks every ValidatingWebhookConfiguration's webhooks that a write concerns, all at once. */
export function validatingAdmissionWebhook(options: WebhookOptions): AdmissionPlugin {
  let access: ApiAccess | undefined;
  let hooks: HookSource | undefined;
  let client: WebhookClient | undefined;
  return {
    name: 'ValidatingAdmissionWebhook',
    initialize: (given) => {
      access = given;
      const view = given.view(GROUP, 'validatingwebhookconfigurations');
      hooks = view === undefined ? undefined : new HookSource(view);
      client = new WebhookClient(options.resolveService ?? endpointResolver(given), given.clock);
    },
    handles: (target) => !isExempt(target),
    validate: (attributes) => {
      if (hooks === undefined || hooks.isEmpty) return undefined;
      const concerned = hooks.for(attributes);
      if (concerned.length === 0) return undefined;
      return askAll(access!, client!, concerned, attributes, options);
    },
    metrics: () => options.metrics?.text() ?? '',
  };
}

async function askAll(
  access: ApiAccess,
  client: WebhookClient,
  hooks: readonly Hook[],
  attributes: AdmissionAttributes,
  { authorizer, metrics }: WebhookOptions,
): Promise<void> {
  const invocations = hooks.flatMap((hook) => invocationOf(hook, attributes, access, authorizer) ?? []);
  const outcomes = await Promise.allSettled(invocations.map((i, n) => ask(access, client, i, attributes, n, metrics)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function ask(
  access: ApiAccess,
  client: WebhookClient,
  invocation: Invocation,
  attributes: AdmissionAttributes,
  index: number,
  metrics: WebhookMetrics | undefined,
): Promise<void> {
  const { hook } = invocation;
  try {
    await callHook(client, access, invocation, attributes, false, metrics);
  } catch (err) {
    if (!(err instanceof CallingError)) throw err;
    access.logger.warn({ err, webhook: hook.name, failsOpen: hook.failsOpen }, 'webhook could not be called');
    if (!hook.failsOpen) throw err.status;
    metrics?.failedOpen(hook.name, false);
    attributes.annotate(`${FAILED_OPEN}round_0_index_${index}`, hook.name);
  }
}
