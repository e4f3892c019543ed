import type { Resource } from '../resource.ts';
import { controllerRevision } from './apps/controller-revision.ts';
import { daemonSet } from './apps/daemon-set.ts';
import { deployment } from './apps/deployment.ts';
import { replicaSet } from './apps/replica-set.ts';
import { statefulSet } from './apps/stateful-set.ts';

export const appsResources: readonly Resource[] = [controllerRevision, daemonSet, deployment, replicaSet, statefulSet];
