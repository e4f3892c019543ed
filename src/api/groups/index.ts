/** The built-in types: one list of resources for each group version, put together here. A new group is a new file and its line below. */
import type { Resource } from '../resource.ts';
import { coreResources } from './core.ts';

/** Every built-in type the API server serves. */
export const builtinResources: readonly Resource[] = [...coreResources];
