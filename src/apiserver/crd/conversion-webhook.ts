import type { ConvertObjects } from '../../api/custom-resource/custom-resource.ts';
import { type FieldError, formatFieldError } from '../../api/meta/field-error.ts';
import { validateLabels } from '../../api/meta/label-selector-validation.ts';
import type { KubernetesObject, ObjectMeta } from '../../api/meta/object.ts';
import { validateAnnotations } from '../../api/meta/object-meta-validation.ts';
import { internalStatus } from '../../api/meta/status.ts';
import type { CustomResourceDefinition, WebhookConversion } from '../../api/types/apiextensions-v1.ts';
import type { Random } from '../../util/random.ts';
import type { WebhookClient } from '../admission/webhook/client.ts';

/** What a conversion may take, in seconds (client-go's default for webhooks). */
const TIMEOUT_SECONDS = 30;
const REVIEW_GROUP = 'apiextensions.k8s.io';
const reviewVersions: ReadonlySet<string> = new Set(['v1', 'v1beta1']);

/** Why an answer is no use; the message follows `conversion webhook for … `. */
class ConversionFault extends Error {}

/** Converts by the webhook that a definition names; undefined when it names none (strategy None). */
export function conversionWebhook(
  definition: CustomResourceDefinition,
  client: WebhookClient,
  random: Random,
): ConvertObjects | undefined {
  const { conversion } = definition.spec;
  const { webhook } = conversion ?? {};
  if (conversion?.strategy !== 'Webhook' || webhook === undefined) return undefined;
  return async (objects, apiVersion) => {
    const { kind = '', apiVersion: from = '' } = objects[0] ?? {};
    const [group, version] = from.split('/');
    try {
      return await convert(objects, apiVersion, webhook, client, random.uuid());
    } catch (err) {
      // As every error of the storage layer, it is an internal one to clients.
      throw internalStatus(`conversion webhook for ${group}/${version}, Kind=${kind} ${(err as Error).message}`);
    }
  };
}

async function convert(
  objects: readonly KubernetesObject[],
  apiVersion: string,
  webhook: WebhookConversion,
  client: WebhookClient,
  uid: string,
): Promise<readonly KubernetesObject[]> {
  const version = webhook.conversionReviewVersions.find((v) => reviewVersions.has(v));
  if (version === undefined) throw new ConversionFault('failed: no supported conversion review versions');
  const review = {
    kind: 'ConversionReview',
    apiVersion: `${REVIEW_GROUP}/${version}`,
    request: { uid, desiredAPIVersion: apiVersion, objects },
  };
  const answer = await client.post(webhook.clientConfig ?? {}, review, TIMEOUT_SECONDS).catch((err: unknown) => {
    throw new ConversionFault(`failed: ${(err as Error).message}`);
  });
  const converted = convertedObjects(answer, uid, version);
  if (converted.length !== objects.length) {
    throw new ConversionFault(`returned ${converted.length} objects, expected ${objects.length}`);
  }
  return objects.map((object, i) => accepted(object, converted[i]!, apiVersion, i));
}

/** The objects of a review's answer. */
function convertedObjects(answer: unknown, uid: string, version: string): readonly KubernetesObject[] {
  const { kind, apiVersion, response } = (answer ?? {}) as {
    kind?: string;
    apiVersion?: string;
    response?: { uid?: string; result?: { status?: string; message?: string }; convertedObjects?: readonly KubernetesObject[] };
  };
  const failed = (why: string): ConversionFault => new ConversionFault(`failed: ${why}`);
  if (version === 'v1' && (kind !== 'ConversionReview' || apiVersion !== `${REVIEW_GROUP}/v1`)) {
    const [group = '', found = ''] = (apiVersion ?? '').split('/');
    throw failed(
      `expected webhook response of ${REVIEW_GROUP}/v1, Kind=ConversionReview, got ${group}/${found}, Kind=${kind ?? ''}`,
    );
  }
  if (response === undefined || response === null) throw failed('no response provided');
  if (version === 'v1' && response.uid !== uid) {
    throw failed(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  }
  const { status = '', message = '' } = response.result ?? {};
  if (status !== 'Success') throw failed(message || `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

/** A converted object with the metadata of the original, but for labels and annotations: a webhook may change those alone. */
function accepted(original: KubernetesObject, converted: KubernetesObject, apiVersion: string, i: number): KubernetesObject {
  const invalid = (why: string): ConversionFault =>
    new ConversionFault(`returned invalid converted object at index ${i}: ${why}`);
  if (converted.apiVersion !== apiVersion) {
    throw invalid(`invalid groupVersion (expected ${apiVersion}, received ${converted.apiVersion ?? ''})`);
  }
  if (converted.kind !== original.kind) {
    throw invalid(`invalid kind (expected ${original.kind ?? ''}, received ${converted.kind ?? ''})`);
  }
  const [before, after] = [original.metadata ?? {}, converted.metadata ?? {}];
  for (const [field, name] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [e, a] = [before[field] ?? '', after[field] ?? ''];
    if (e !== a) throw invalid(`must have the same ${name}: ${e} != ${a}`);
  }
  const wrong = (why: string): ConversionFault =>
    new ConversionFault(`returned invalid metadata in object at index ${i}: ${why}`);
  if (converted.metadata === undefined) throw wrong('missing metadata in converted object');
  return { ...converted, metadata: restored(before, after, wrong) };
}

function restored(before: ObjectMeta, after: ObjectMeta, wrong: (why: string) => ConversionFault): ObjectMeta {
  const { labels: _labels, annotations: _annotations, ...kept } = before;
  const taken = (field: 'labels' | 'annotations', check: (given: Strings) => readonly FieldError[]): Partial<ObjectMeta> => {
    const given = after[field] as Strings | null | undefined;
    if (given === undefined || given === null) return {};
    if (typeof given !== 'object' || Array.isArray(given)) throw wrong(`invalid metadata.${field} in converted object`);
    for (const [key, value] of Object.entries(given)) {
      if (typeof value !== 'string') throw wrong(`metadata.${field}[${key}] must be a string in converted object`);
    }
    const old = before[field] ?? {};
    const changed = Object.keys(old).length !== Object.keys(given).length || Object.entries(given).some(([k, v]) => old[k] !== v);
    const faults = changed ? check(given) : [];
    if (faults.length > 0) throw wrong(faults.map(formatFieldError).join(', '));
    return { [field]: given };
  };
  return {
    ...kept,
    ...taken('labels', (given) => validateLabels(given, 'metadata.labels')),
    ...taken('annotations', (given) => validateAnnotations(given, 'metadata.annotation')),
  };
}

type Strings = Readonly<Record<string, string>>;
