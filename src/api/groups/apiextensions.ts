import type { Resource } from '../resource.ts';
import { customResourceDefinition } from './apiextensions/custom-resource-definition.ts';

export const apiextensionsResources: readonly Resource[] = [customResourceDefinition];
