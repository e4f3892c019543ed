/** The built-in types: one list of resources for each group, put together here. A new group is a new file and its line below. */
import type { Resource } from '../resource.ts';
import { admissionregistrationResources } from './admissionregistration.ts';
import { apiextensionsResources } from './apiextensions.ts';
import { apiregistrationResources } from './apiregistration.ts';
import { appsResources } from './apps.ts';
import { authenticationResources } from './authentication.ts';
import { authorizationResources } from './authorization.ts';
import { autoscalingResources } from './autoscaling.ts';
import { batchResources } from './batch.ts';
import { certificatesResources } from './certificates.ts';
import { coordinationResources } from './coordination.ts';
import { coreResources } from './core.ts';
import { discoveryResources } from './discovery.ts';
import { dynamicResources } from './dynamic-resources.ts';
import { eventsResources } from './events.ts';
import { flowcontrolResources } from './flowcontrol.ts';
import { networkingResources } from './networking.ts';
import { nodeResources } from './node.ts';
import { policyResources } from './policy.ts';
import { rbacResources } from './rbac.ts';
import { schedulingResources } from './scheduling.ts';
import { storageResources } from './storage.ts';

/** Every built-in type the API server serves. */
export const builtinResources: readonly Resource[] = [
  ...coreResources,
  ...admissionregistrationResources,
  ...apiextensionsResources,
  ...apiregistrationResources,
  ...appsResources,
  ...authenticationResources,
  ...authorizationResources,
  ...autoscalingResources,
  ...batchResources,
  ...certificatesResources,
  ...coordinationResources,
  ...discoveryResources,
  ...dynamicResources,
  ...eventsResources,
  ...flowcontrolResources,
  ...networkingResources,
  ...nodeResources,
  ...policyResources,
  ...rbacResources,
  ...schedulingResources,
  ...storageResources,
];
