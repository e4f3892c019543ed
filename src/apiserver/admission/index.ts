/** The admission plugins that kube-apiserver has switched on by default, in its order. */
import type { AdmissionPlugin, Authorizer } from '../contract.ts';
import { certificateApproval } from './certificate-approval.ts';
import { certificateSigning } from './certificate-signing.ts';
import { certificateSubjectRestriction } from './certificate-subject-restriction.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { persistentVolumeClaimResize } from './persistent-volume-claim-resize.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { MutatingPolicies } from './policy/mutating.ts';
import { validatingAdmissionPolicy } from './policy/validating.ts';
import { priority } from './priority.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { resourceQuota } from './resource-quota/resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import type { ResolveService } from './webhook/client.ts';
import { mutatingAdmissionWebhook } from './webhook/mutating.ts';
import { validatingAdmissionWebhook } from './webhook/validating.ts';
import { WebhookMetrics } from './webhook/webhook-metrics.ts';

export { ensurePriorityClasses } from './priority.ts';
export type { ResolveService };

export interface AdmissionOptions {
  /** Asked whether the one who writes may do what the write stands for: approve, sign, grant; and by expressions. */
  readonly authorizer: Authorizer;
  /** Finds the Services of webhooks; a ready endpoint unless told otherwise. */
  readonly resolveService?: ResolveService;
}

/** Upstream's default-on plugins (AllOrderedPlugins less DefaultOffAdmissionPlugins). */
export function defaultAdmission(options: AdmissionOptions): readonly AdmissionPlugin[] {
  const { authorizer } = options;
  const builtin = [
    namespaceLifecycle(),
    limitRanger(),
    serviceAccount(),
    nodeRestriction(authorizer),
    taintNodesByCondition(),
    podSecurity(),
    priority(),
    defaultTolerationSeconds(),
    defaultStorageClass(),
    storageObjectInUseProtection(),
    persistentVolumeClaimResize(),
    runtimeClass(),
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    certificateSubjectRestriction(),
    defaultIngressClass(),
    podTopologyLabels(),
  ];
  const policies = new MutatingPolicies(options);
  const metrics = new WebhookMetrics();
  return [
    ...builtin,
    policies,
    mutatingAdmissionWebhook({ ...options, metrics, before: builtin, policies }),
    rbacEscalation(authorizer),
    validatingAdmissionPolicy(options),
    validatingAdmissionWebhook({ ...options, metrics }),
    resourceQuota(),
  ];
}
