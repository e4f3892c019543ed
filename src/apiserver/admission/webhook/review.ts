import type { KubernetesObject, Status } from '../../../api/meta/object.ts';
import type { AdmissionAttributes } from '../../contract.ts';
import { convertObject } from '../matching/convert.ts';
import { requestOf } from '../request-description.ts';
import type { Invocation } from './match.ts';

/** The newest first; webhooks name those that they understand. */
const versions = ['v1', 'v1beta1'] as const;
export type ReviewVersion = (typeof versions)[number];

/** The first version of AdmissionReview in a webhook's list that is known here. */
export const reviewVersion = (accepted: readonly string[]): ReviewVersion | undefined =>
  accepted.map((name) => versions.find((v) => v === name)).find((v) => v !== undefined);

/** The AdmissionReview that is sent. */
export function createReview(
  version: ReviewVersion,
  uid: string,
  attributes: AdmissionAttributes,
  invocation: Invocation,
): object {
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...requestOf(attributes, invocation),
      object: convertObject(attributes.object, invocation.as) ?? null,
      oldObject: convertObject(attributes.oldObject, invocation.as) ?? null,
    },
  };
}

/** What a webhook decided. */
export interface Verdict {
  readonly allowed: boolean;
  readonly status: Partial<Status> | undefined;
  /** A JSON patch, as text. */
  readonly patch: string | undefined;
  readonly patchType: string;
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

interface Answer extends KubernetesObject {
  readonly response?: {
    readonly uid?: string;
    readonly allowed?: boolean;
    readonly status?: Partial<Status>;
    readonly patch?: string;
    readonly patchType?: string;
    readonly warnings?: readonly string[];
    readonly auditAnnotations?: Readonly<Record<string, string>>;
  } | null;
}

/** The verdict in a webhook's answer. Throws an Error that says what is wrong with it. v1beta1 was never looked at closely. */
export function verdictOf(answer: unknown, version: ReviewVersion, uid: string, mutating: boolean): Verdict {
  const { response, kind = '', apiVersion = '' } = (answer ?? {}) as Answer;
  if (response === undefined || response === null) throw new Error('webhook response was absent');
  const { patch = '', patchType } = response;
  if (version === 'v1') {
    const found = response.uid ?? '';
    if (found !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(found)}`);
    if (kind !== 'AdmissionReview' || apiVersion !== 'admission.k8s.io/v1') {
      const slash = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
      throw new Error(`expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${slash}, Kind=${kind}`);
    }
    checkPatch(patch, patchType, mutating);
  }
  const hasPatch = mutating && patch !== '';
  return {
    allowed: response.allowed === true,
    status: response.status,
    patch: hasPatch ? Buffer.from(patch, 'base64').toString() : undefined,
    patchType: version === 'v1' ? (patchType ?? '') : 'JSONPatch',
    warnings: response.warnings ?? [],
    auditAnnotations: response.auditAnnotations ?? {},
  };
}

function checkPatch(patch: string, patchType: string | undefined, mutating: boolean): void {
  if (!mutating) {
    if (patch !== '') throw new Error('validating webhook may not return response.patch');
    if (patchType !== undefined) throw new Error('validating webhook may not return response.patchType');
    return;
  }
  if (patch !== '' && patchType === undefined) throw new Error('webhook returned response.patch but not response.patchType');
  if (patch === '' && patchType !== undefined) throw new Error('webhook returned response.patchType but not response.patch');
  if (patchType === '') throw new Error('webhook returned invalid response.patchType of ""');
}
