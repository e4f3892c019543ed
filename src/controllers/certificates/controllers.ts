import type { KubernetesObject } from '../../api/meta/object.ts';
import { isNotFound } from '../../api/meta/status.ts';
import { formatTime } from '../../api/meta/time.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../api/types/certificates-v1.ts';
import type { ResourceRef } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../client/controller.ts';
import { startReconciler } from '../../client/controller-runner.ts';
import { certificateSigningRequests } from '../../client/resource-refs.ts';
import type { ReconcileResult } from '../../client/work-queue.ts';
import { withCondition } from '../conditions.ts';
import { messageOf } from '../workload/pod-control.ts';
import { expiryOf } from './cleaning.ts';
import { loadX509, parseRequest } from './request.ts';
import { type SigningAuthority, signRequest } from './sign.ts';
import { isOurSigner, KUBELET_CLIENT, kubeletClientFault, LEGACY_UNKNOWN, signerFault } from './signers.ts';

const WORKERS = 5;
/** How often old requests are looked for. */
const CLEANING_PERIOD_MS = 3_600_000;
const GROUP = 'certificates.k8s.io';
const NODE_PREFIX = 'system:node:';

const holds = (request: CertificateSigningRequest, type: string): boolean =>
  (request.status?.conditions ?? []).some((condition) => condition.type === type && (condition.status ?? 'True') !== 'False');

const isDecided = (request: CertificateSigningRequest): boolean => holds(request, 'Approved') || holds(request, 'Denied');
const isIssued = (request: CertificateSigningRequest): boolean => (request.status?.certificate ?? '') !== '';

/** The request with something said of it that has not been said before. */
function decided(
  request: CertificateSigningRequest,
  condition: Pick<CertificateSigningRequestCondition, 'type' | 'status' | 'reason' | 'message'>,
  now: number,
): CertificateSigningRequest {
  const conditions = withCondition(request.status?.conditions, { ...condition, lastUpdateTime: formatTime(now) }, now);
  return { ...request, status: { ...request.status, conditions } };
}

/** Signs approved requests of the signers that belong to the cluster itself. */
export function certificateSigningController(authority: SigningAuthority): Controller {
  return {
    name: 'certificatesigningrequest-signing-controller',
    start(context, signal) {
      const informer = context.informers.informer(certificateSigningRequests);
      const client = context.client.resource(certificateSigningRequests);
      const reconcile = async (name: string): Promise<void> => {
        const object = informer.get(name);
        if (object === undefined || !holds(object, 'Approved') || holds(object, 'Failed') || isIssued(object)) return;
        const { signerName, request, usages = [], expirationSeconds } = object.spec!;
        const now = context.clock.now();
        let next: CertificateSigningRequest;
        try {
          const x = await loadX509();
          const parsed = await parseRequest(x, request);
          const fault = signerFault(signerName, parsed, usages);
          if (fault !== undefined) {
            // What is for nobody in particular is left to whoever knows it.
            if (signerName === LEGACY_UNKNOWN) return;
            next = decided(object, { type: 'Failed', status: 'True', reason: 'SignerValidationFailed', message: fault }, now);
          } else {
            const pem = await signRequest(x, authority, parsed, usages, expirationSeconds, context.random, now);
            next = { ...object, status: { ...object.status, certificate: Buffer.from(pem).toString('base64') } };
          }
        } catch (err) {
          throw new Error(`unable to sign ${name}: ${messageOf(err)}`, { cause: err });
        }
        try {
          await client.updateStatus(next, { signal });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
      };
      const queue = startReconciler(context, { name: 'certificate', workers: WORKERS, informers: [informer], reconcile }, signal);
      const enqueue = (request: CertificateSigningRequest): void => {
        if (isOurSigner(request.spec?.signerName ?? '') && holds(request, 'Approved')) queue.add(request.metadata!.name!);
      };
      informer.addHandler({ onAdd: enqueue, onUpdate: enqueue });
    },
  };
}

interface AccessReview extends KubernetesObject {
  readonly spec: object;
  readonly status?: { readonly allowed?: boolean };
}

const subjectAccessReviews: ResourceRef<AccessReview> = Object.freeze({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
});

/** Approves kubelets' requests for client certificates, their own and new ones, of those who may have them. */
export function certificateApprovingController(): Controller {
  return {
    name: 'certificatesigningrequest-approving-controller',
    start(context, signal) {
      const informer = context.informers.informer(certificateSigningRequests);
      const reconcile = async (name: string): Promise<void> => {
        const object = informer.get(name);
        if (object === undefined || isDecided(object) || isIssued(object)) return;
        const recognized = await recognize(object);
        for (const { permission, message } of recognized) {
          if (!(await mayHave(context, object, permission, signal))) continue;
          const condition = { type: 'Approved', status: 'True' as const, reason: 'AutoApproved', message };
          const approved = decided(object, condition, context.clock.now());
          await context.client
            .resource(certificateSigningRequests)
            .subresource('update', name, '', 'approval', approved, { signal });
          return;
        }
        if (recognized.length > 0) {
          const permissions = recognized.map(({ permission }) => permission).join(' ');
          throw new Error(`recognized csr "${name}" as [${permissions}] but subject access review was not approved`);
        }
      };
      const queue = startReconciler(
        context,
        { name: 'certificate_approver', workers: WORKERS, informers: [informer], reconcile, maxRetries: 15 },
        signal,
      );
      const enqueue = (request: CertificateSigningRequest): void => {
        if (request.spec?.signerName === KUBELET_CLIENT && !isDecided(request)) queue.add(request.metadata!.name!);
      };
      informer.addHandler({ onAdd: enqueue, onUpdate: enqueue });
    },
  };
}

interface Recognized {
  readonly permission: 'selfnodeclient' | 'nodeclient';
  readonly message: string;
}

/** What a request is for, the narrower first. */
async function recognize(object: CertificateSigningRequest): Promise<readonly Recognized[]> {
  const { signerName, request, usages = [], username } = object.spec!;
  if (signerName !== KUBELET_CLIENT) return [];
  const parsed = await parseRequest(await loadX509(), request);
  if (kubeletClientFault(parsed, usages) !== undefined || !parsed.commonName.startsWith(NODE_PREFIX)) return [];
  const recognized: Recognized[] = [];
  if (username === parsed.commonName) {
    const message = 'Auto approving self kubelet client certificate after SubjectAccessReview.';
    recognized.push({ permission: 'selfnodeclient', message });
  }
  const message = 'Auto approving kubelet client certificate after SubjectAccessReview.';
  return [...recognized, { permission: 'nodeclient', message }];
}

async function mayHave(
  context: ControllerContext,
  { spec }: CertificateSigningRequest,
  subresource: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { username: user, uid, groups, extra } = spec!;
  const resourceAttributes = { group: GROUP, resource: 'certificatesigningrequests', subresource, verb: 'create', version: '*' };
  const review = {
    user,
    resourceAttributes,
    ...(uid === undefined ? {} : { uid }),
    ...(groups === undefined ? {} : { groups }),
    ...(extra === undefined ? {} : { extra }),
  };
  const answer = await context.client.resource(subjectAccessReviews).create({ metadata: {}, spec: review }, { signal });
  return answer.status?.allowed === true;
}

/** Deletes requests that are done with, or that nobody decided on. */
export function certificateCleanerController(): Controller {
  return {
    name: 'certificatesigningrequest-cleaner-controller',
    start(context, signal) {
      const informer = context.informers.informer(certificateSigningRequests);
      const reconcile = async (name: string): Promise<ReconcileResult | undefined> => {
        const object = informer.get(name);
        if (object === undefined) return undefined;
        const left = expiryOf(object) - context.clock.now();
        if (left > 0) return { requeueAfterMs: Math.min(left, CLEANING_PERIOD_MS) };
        try {
          await context.client.resource(certificateSigningRequests).delete(name, '', { signal });
        } catch (err) {
          if (!isNotFound(err)) throw err;
        }
        return undefined;
      };
      const queue = startReconciler(
        context,
        { name: 'certificate_cleaner', workers: 1, informers: [informer], reconcile },
        signal,
      );
      const add = (request: CertificateSigningRequest): void => queue.add(request.metadata!.name!);
      informer.addHandler({ onAdd: add, onUpdate: add });
    },
  };
}
