import { compileExpression, type Program } from './compile.ts';
import type { DeclType } from './decl-type.ts';
import { QUANTITY } from './kubernetes-library.ts';
import { compileTyped } from './typed-expression.ts';
import { ANY, BOOL, mapOf, objectOf, STRING, type Type } from './types.ts';

/** What a selector may cost at most (resource.k8s.io CELSelectorExpressionMaxCost). */
const MAX_COST = 1_000_000;
const MAX_DRIVER_LENGTH = 63;
const MAX_DOMAIN_LENGTH = 63;
const MAX_NAME_LENGTH = 32;
const MAX_VALUE_LENGTH = 64;
/** Attributes and capacities of one device. */
const MAX_VALUES = 32;

const decl = (kind: DeclType['kind'], type: Type, maxElements: number): DeclType => ({
  kind,
  name: type.name,
  type,
  maxElements,
  minSize: 0,
});

const mapDecl = (keyLength: number, elements: DeclType, fieldsAreElements = false): DeclType => ({
  ...decl('map', mapOf(STRING, elements.type), MAX_VALUES),
  keys: decl('string', STRING, keyLength),
  elements,
  fieldsAreElements,
});

const byDomain = (byName: DeclType): DeclType => mapDecl(MAX_DOMAIN_LENGTH, byName);

const fields: Readonly<Record<string, DeclType>> = {
  driver: decl('string', STRING, MAX_DRIVER_LENGTH),
  allowMultipleAllocations: decl('bool', BOOL, 1),
  attributes: byDomain(mapDecl(MAX_NAME_LENGTH, decl('dyn', ANY, MAX_VALUE_LENGTH), true)),
  capacity: byDomain(mapDecl(MAX_NAME_LENGTH, decl('dyn', QUANTITY, 0))),
};

/** A device as selectors see it, with the bounds that it has in a ResourceSlice. */
const device: DeclType = {
  ...decl('object', objectOf('kubernetes.DRADevice', new Map(Object.entries(fields).map(([name, { type }]) => [name, type]))), 0),
  fields: new Map(Object.entries(fields).map(([property, type]) => [property, { property, type }])),
};

/** Compiles a selector of devices. Throws a CompileError. */
export const compileDeviceSelector = (expression: string): Program => compileExpression(expression, { device });

/** What upstream has against a selector (dynamic-resource-allocation/cel): that it is no such expression, or may cost too much. */
export function deviceSelectorFault(
  expression: string,
): { readonly invalid: string } | { readonly tooComplex: true } | undefined {
  const { program, fault } = compileTyped(expression, { device });
  if (fault !== undefined) return { invalid: fault };
  // An attribute's type is known only when there is a device.
  if (program.type !== BOOL && program.type !== ANY) {
    return { invalid: `must evaluate to bool or the unknown type, not ${typeName(program.type)}` };
  }
  return program.estimate().max > MAX_COST ? { tooComplex: true } : undefined;
}

const typeName = ({ name, params }: Type): string => (params.length === 0 ? name : `${name}(${params.map(typeName).join(', ')})`);
