/**
 * The controllers: each watches what it needs and brings the cluster's objects towards what their specs ask for. A controller decides purely
 * (`plan…`, `…Status`) and acts in a thin shell; it can be killed at any instruction and started again.
 */
import type { Controller } from '../client/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { endpointSliceController } from './endpoint-slice/controller.ts';
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { garbageCollector } from './garbage-collector/controller.ts';
import { namespaceController } from './namespace.ts';
import { replicaSetController, replicationControllerController } from './replica-set.ts';
import { rootCaPublisher } from './root-ca-publisher.ts';
import { serviceAccountController } from './service-account.ts';

export interface ControllersOptions {
  /** The cluster's CA bundle, PEM: published to every namespace. Not published when left out. */
  readonly rootCa?: string;
  /** Wait before a deleted namespace is emptied, in milliseconds; 5 s unless told, as upstream. */
  readonly namespaceDeletionGraceMs?: number;
}

/** All controllers, ready to be given to `runControllers`. */
export function controllers(options: ControllersOptions = {}): readonly Controller[] {
  const { rootCa, namespaceDeletionGraceMs } = options;
  return [
    namespaceController(namespaceDeletionGraceMs === undefined ? {} : { deletionGraceMs: namespaceDeletionGraceMs }),
    serviceAccountController(),
    ...(rootCa === undefined ? [] : [rootCaPublisher({ rootCa })]),
    replicaSetController(),
    replicationControllerController(),
    deploymentController(),
    endpointsController(),
    endpointSliceController(),
    endpointSliceMirroringController(),
    garbageCollector(),
  ];
}
