/** Sets of fields, and the typed comparing, merging and owning that server-side apply is made of. Everything is pure. */
export { allFields, configuredFields } from './all-fields.ts';
export { type CompareOptions, type Comparison, compare, isSame } from './compare.ts';
export { withImpliedFields } from './complete.ts';
export {
  difference,
  equalSets,
  type FieldSet,
  FieldSetError,
  has,
  intersection,
  isEmpty,
  type PathPattern,
  pathsOf,
  readFieldSet,
  recursiveDifference,
  setOf,
  union,
} from './field-set.ts';
export { goJson, goString } from './go-json.ts';
export { equalValues, isMap } from './json-value.ts';
export { TypedValueError } from './list-items.ts';
export { mergeConfiguration } from './merge.ts';
export {
  type ApplyResult,
  applyConfiguration,
  type Conflict,
  ConflictError,
  type FieldFilter,
  type OwnedFields,
  type Owners,
  type OwnershipContext,
  updateOwners,
  type VersionedObject,
} from './ownership.ts';
export { type FieldPath, fieldElement, type PathElement, showPath } from './path-element.ts';
export { removeFields } from './remove.ts';
export { reconcileWithSchema } from './schema-changes.ts';
export { deducedShape, type Shape, shapeOf, untypedShape } from './shape.ts';
export { checkTyped } from './typed-validation.ts';
