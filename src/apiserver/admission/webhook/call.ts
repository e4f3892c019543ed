import { badRequest, internalStatus, StatusError } from '../../../api/meta/status.ts';
import type { AdmissionAttributes, ApiAccess } from '../../contract.ts';
import type { WebhookClient } from './client.ts';
import type { Hook } from './hooks.ts';
import type { Invocation } from './match.ts';
import { createReview, reviewVersion, type Verdict, verdictOf } from './review.ts';
import type { WebhookMetrics } from './webhook-metrics.ts';

const DEFAULT_TIMEOUT_SECONDS = 10;

/** The webhook could not be asked, or its answer not be understood: what `failurePolicy` is about. */
export class CallingError extends Error {
  constructor(hook: string, reason: string) {
    super(`failed calling webhook ${JSON.stringify(hook)}: ${reason}`);
  }
  /** What the client is told when the failure is not let pass. */
  get status(): StatusError {
    return internalStatus(this.message);
  }
}

/** Asks one webhook. Rejects with a CallingError, or with the StatusError of its refusal; warnings and annotations are passed on. */
export async function callHook(
  client: WebhookClient,
  access: ApiAccess,
  invocation: Invocation,
  attributes: AdmissionAttributes,
  mutating: boolean,
  metrics?: WebhookMetrics,
): Promise<Verdict> {
  const began = access.clock.monotonic();
  const told = (code: number, rejected: boolean, failed: boolean): void =>
    metrics?.called({
      name: invocation.hook.name,
      operation: attributes.operation,
      mutating,
      took: access.clock.monotonic() - began,
      code,
      rejected,
      failed,
    });
  try {
    const verdict = await askHook(client, access, invocation, attributes, mutating);
    told(200, false, false);
    return verdict;
  } catch (err) {
    const failed = err instanceof CallingError;
    told(err instanceof StatusError ? (err.status.code ?? 500) : 500, !(failed && invocation.hook.failsOpen), failed);
    throw err;
  }
}

async function askHook(
  client: WebhookClient,
  access: ApiAccess,
  invocation: Invocation,
  attributes: AdmissionAttributes,
  mutating: boolean,
): Promise<Verdict> {
  const { definition, name } = invocation.hook;
  if (attributes.dryRun && definition.sideEffects !== 'None' && definition.sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  const version = reviewVersion(definition.admissionReviewVersions);
  if (version === undefined) {
    throw new CallingError(
      name,
      'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)',
    );
  }
  const uid = access.random.uuid();
  const review = createReview(version, uid, attributes, invocation);
  let answer: unknown;
  try {
    answer = await client.post(definition.clientConfig, review, definition.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS);
  } catch (err) {
    throw new CallingError(name, `failed to call webhook: ${(err as Error).message}`);
  }
  let verdict: Verdict;
  try {
    verdict = verdictOf(answer, version, uid, mutating);
  } catch (err) {
    throw new CallingError(name, `received invalid webhook response: ${(err as Error).message}`);
  }
  for (const [key, value] of Object.entries(verdict.auditAnnotations)) attributes.annotate(`${name}/${key}`, value);
  for (const warning of verdict.warnings) attributes.warn(warning);
  if (!verdict.allowed) throw denial(invocation.hook, verdict.status);
  return verdict;
}

/** The refusal of a webhook, with its own code and reason. */
export function denial(hook: Pick<Hook, 'name'>, given: Verdict['status']): StatusError {
  const denied = `admission webhook ${JSON.stringify(hook.name)} denied the request`;
  const { message = '', reason = '', code = 0, status } = given ?? {};
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    ...given,
    status: status === undefined || status === '' || status === 'Success' ? 'Failure' : status,
    message: message !== '' ? `${denied}: ${message}` : reason !== '' ? `${denied}: ${reason}` : `${denied} without explanation`,
    // A refusal is never a success.
    code: Math.max(code, 400),
  });
}
