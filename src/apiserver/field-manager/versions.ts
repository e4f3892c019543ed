import { shapeOf, type VersionedObject, withImpliedFields } from '../../api/apply/index.ts';
import { apiVersionOf, type KubernetesObject } from '../../api/meta/object.ts';
import type { Resource } from '../../api/resource.ts';
import { decode } from '../../api/schema/decode.ts';

/** Finds the definition of a type in another version; undefined when that is not served. */
export type VersionLookup = (resource: Resource, apiVersion: string) => Resource | undefined;

/** An object and the definition of the version it is in. */
export interface ResourceObject extends VersionedObject {
  readonly resource: Resource;
}

/** An object as the API holds it: Go's view of it has more fields. */
export function typedObject(resource: Resource, value: KubernetesObject): ResourceObject {
  return { resource, apiVersion: apiVersionOf(resource), shape: shapeOf(resource.schema), value, typed: true };
}

/** An object to be compared with what clients wrote: with all the fields that Go has. */
export function plainObject(resource: Resource, value: KubernetesObject): ResourceObject {
  const shape = shapeOf(resource.schema);
  return { resource, apiVersion: apiVersionOf(resource), shape, value: withImpliedFields(shape, value), typed: false };
}

/** The object as another version shows it; undefined when that is not served. */
export function convert(from: VersionedObject, apiVersion: string, lookup: VersionLookup): VersionedObject | undefined {
  if (from.apiVersion === apiVersion) return from;
  const { resource } = from as ResourceObject;
  const target = lookup(resource, apiVersion);
  if (target === undefined) return undefined;
  // Conversion does not fill in defaults: what nobody said must not come to be owned or disputed.
  const { object } = decode<KubernetesObject>(resource.schema, from.value, { defaults: false });
  const stored = resource.conversion === undefined ? object : resource.conversion.toStorage(object);
  const shown = target.conversion === undefined ? stored : target.conversion.fromStorage(stored);
  const value = { ...shown, kind: target.kind, apiVersion };
  return from.typed ? typedObject(target, value) : plainObject(target, value);
}
