import { authorizerLibrary } from './authorizer-library.ts';
import type { CelFunction } from './functions.ts';
import { kubernetesLibrary } from './kubernetes-library.ts';
import { listsLibrary } from './lists-library.ts';
import { addressStrings, networkLibrary } from './network-library.ts';
import { optionalLibrary, standardLibrary } from './standard-library.ts';
import { stringsLibrary } from './strings-library.ts';

/** Every function that an expression in Kubernetes can call, by name (apiserver/pkg/cel/environment, v1.36). */
export const kubernetesFunctions: ReadonlyMap<string, CelFunction> = new Map(
  [
    ...standardLibrary.map((fn) => (fn.name === 'string' ? { ...fn, overloads: [...fn.overloads, ...addressStrings] } : fn)),
    ...optionalLibrary,
    ...stringsLibrary,
    ...listsLibrary,
    ...kubernetesLibrary,
    ...networkLibrary,
    ...authorizerLibrary,
  ].map((fn) => [fn.name, fn]),
);
