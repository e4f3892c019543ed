import type { Resource } from '../resource.ts';
import { flowSchema } from './flowcontrol/flow-schema.ts';
import { priorityLevelConfiguration } from './flowcontrol/priority-level.ts';

export const flowcontrolResources: readonly Resource[] = [flowSchema, priorityLevelConfiguration];
