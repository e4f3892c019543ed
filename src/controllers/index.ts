/**
 * The controllers: each watches what it needs and brings the cluster's objects towards what their specs ask for. A controller decides purely
 * (`plan…`, `…Status`) and acts in a thin shell; it can be killed at any instruction and started again.
 */
import type { Controller } from '../client/controller.ts';
import { admissionPolicyStatusController } from './admission-policy/controller.ts';
import { attachDetachController } from './attach-detach/controller.ts';
import { horizontalPodAutoscalerController } from './autoscaling/controller.ts';
import type { MetricsClient } from './autoscaling/metrics-client.ts';
import {
  certificateApprovingController,
  certificateCleanerController,
  certificateSigningController,
} from './certificates/controllers.ts';
import type { SigningAuthority } from './certificates/sign.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation.ts';
import { cronJobController } from './cron-job/controller.ts';
import { daemonSetController } from './daemon-set/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { deviceTaintEvictionController } from './device-taint-eviction/controller.ts';
import { disruptionController } from './disruption/controller.ts';
import { endpointSliceController } from './endpoint-slice/controller.ts';
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { garbageCollector } from './garbage-collector/controller.ts';
import { jobController } from './job/controller.ts';
import { legacyTokenCleaner } from './legacy-token-cleaner.ts';
import { namespaceController } from './namespace.ts';
import { type NodeIpamOptions, nodeIpamController } from './node-ipam/controller.ts';
import { nodeLifecycleController } from './node-lifecycle/controller.ts';
import { nodeTtlController } from './node-ttl.ts';
import { podGcController } from './pod-gc.ts';
import { replicaSetController, replicationControllerController } from './replica-set.ts';
import { resourceClaimController } from './resource-claim/controller.ts';
import { resourceQuotaController } from './resource-quota.ts';
import { rootCaPublisher } from './root-ca-publisher.ts';
import { serviceAccountController } from './service-account.ts';
import { type ServiceAccountTokensOptions, serviceAccountTokensController } from './service-account-tokens.ts';
import { serviceCidrController } from './service-cidr.ts';
import { statefulSetController } from './stateful-set/controller.ts';
import { taintEvictionController } from './taint-eviction/controller.ts';
import { ttlAfterFinishedController } from './ttl-after-finished.ts';
import { volumeBinder } from './volumes/binder.ts';
import { ephemeralVolumeController } from './volumes/ephemeral.ts';
import { volumeExpander } from './volumes/expander.ts';
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './volumes/protection.ts';

export interface ControllersOptions {
  /** The cluster's CA bundle, PEM: published to every namespace. Not published when left out. */
  readonly rootCa?: string;
  /** Wait before a deleted namespace is emptied, in milliseconds; 5 s unless told, as upstream. */
  readonly namespaceDeletionGraceMs?: number;
  /** The pod network, to be parted among the nodes; nodes get no podCIDR when left out. */
  readonly nodeIpam?: NodeIpamOptions;
  /** Where the autoscaler gets its numbers; the cluster's metrics APIs when left out. */
  readonly metrics?: MetricsClient;
  /** Signs certificates that were requested and approved; nothing is signed when left out. */
  readonly signing?: SigningAuthority;
  /** Signs the tokens of secrets for service accounts; such secrets stay empty when left out. */
  readonly signToken?: ServiceAccountTokensOptions['sign'];
}

/** All controllers, ready to be given to `runControllers`. */
export function controllers(options: ControllersOptions = {}): readonly Controller[] {
  const { rootCa, namespaceDeletionGraceMs, nodeIpam, metrics, signing, signToken } = options;
  const ca = rootCa === undefined ? {} : { rootCa };
  return [
    ...(signToken === undefined ? [] : [serviceAccountTokensController({ sign: signToken, ...ca })]),
    namespaceController(namespaceDeletionGraceMs === undefined ? {} : { deletionGraceMs: namespaceDeletionGraceMs }),
    serviceAccountController(),
    ...(rootCa === undefined ? [] : [rootCaPublisher({ rootCa })]),
    replicaSetController(),
    replicationControllerController(),
    deploymentController(),
    statefulSetController(),
    daemonSetController(),
    jobController(),
    cronJobController(),
    disruptionController(),
    horizontalPodAutoscalerController(metrics === undefined ? {} : { metrics }),
    resourceQuotaController(),
    resourceClaimController(),
    volumeBinder(),
    ephemeralVolumeController(),
    claimProtectionController(),
    volumeProtectionController(),
    attributesClassProtectionController(),
    attachDetachController(),
    volumeExpander(),
    clusterRoleAggregationController(),
    certificateApprovingController(),
    ...(signing === undefined ? [] : [certificateSigningController(signing)]),
    certificateCleanerController(),
    nodeTtlController(),
    endpointsController(),
    endpointSliceController(),
    endpointSliceMirroringController(),
    serviceCidrController(),
    garbageCollector(),
    nodeLifecycleController(),
    taintEvictionController(),
    deviceTaintEvictionController(),
    ...(nodeIpam === undefined ? [] : [nodeIpamController(nodeIpam)]),
    podGcController(),
    ttlAfterFinishedController(),
    legacyTokenCleaner(),
    admissionPolicyStatusController(),
  ];
}
