import { goText } from '../meta/go-text.ts';
import { keep, recall } from '../repeated-parts.ts';
import { isList, isMap, type JsonList, type JsonMap } from './json-value.ts';
import { allDifferent, FEW_ITEMS, isNamed, itemElement, TypedValueError } from './list-items.ts';
import { fieldElement, indexElement, type PathElement, showElement } from './path-element.ts';
import type { ListShape, MapShape, ScalarKind, Shape } from './shape.ts';

/** Checks that a value can be walked by a shape: its types, its field names, and that no item of a list is there twice. Throws `TypedValueError` with all that is wrong, in upstream's words. */
export function checkTyped(shape: Shape, value: unknown, options: { readonly allowDuplicates: boolean }): void {
  if (isMap(value) && shape.map !== undefined ? outermostCertainlyFits(shape.map, value) : certainlyFits(shape, value)) return;
  const errors: string[] = [];
  validate(shape, value, '', options.allowDuplicates, errors);
  if (errors.length === 1) throw new TypedValueError(errors[0]);
  if (errors.length > 1) throw new TypedValueError(`errors:\n${errors.map((e) => `  ${e}`).join('\n')}`);
}

/** Most values fit, and need no path to tell of. False means that it takes a closer look. */
function certainlyFits(shape: Shape, value: unknown): boolean {
  if (value === null || value === undefined) return true;
  const { map, list, scalar } = shape;
  const open = scalar !== undefined && map !== undefined;
  if (isList(value)) return list !== undefined && (open || map === undefined) && itemsCertainlyFit(list, value);
  if (isMap(value)) return map !== undefined && membersCertainlyFit(map, value);
  return open || (map === undefined && list === undefined && scalarProblem(scalar!, value) === undefined);
}

const fitsKey = {};

/** Members that have come before in other objects are not looked at again. */
function outermostCertainlyFits(shape: MapShape, map: JsonMap): boolean {
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const inner = shape.fields.get(name)?.shape ?? shape.values;
    if (inner === undefined) return false;
    if (isMap(value) && recall(value, fitsKey) === inner) continue;
    if (!certainlyFits(inner, value)) return false;
    if (isMap(value)) keep(value, fitsKey, inner);
  }
  return true;
}

function membersCertainlyFit(shape: MapShape, map: JsonMap): boolean {
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const inner = shape.fields.get(name)?.shape ?? shape.values;
    if (inner === undefined || !certainlyFits(inner, value)) return false;
  }
  return true;
}

function itemsCertainlyFit(shape: ListShape, list: JsonList): boolean {
  if (!shape.atomic) {
    if (list.length > FEW_ITEMS || !allDifferent(shape, list)) return false;
    for (const item of list) if (!isNamed(shape, item)) return false;
  }
  for (const item of list) if (!certainlyFits(shape.items, item)) return false;
  return true;
}

function validate(shape: Shape, value: unknown, path: string, allowDuplicates: boolean, errors: string[]): void {
  const fail = (message: string): void => void errors.push(path === '' ? message : `${path}: ${message}`);
  const open = shape.scalar !== undefined && shape.map !== undefined;
  if (open) {
    if (isList(value)) items(shape.list!, value, path, allowDuplicates, errors);
    else if (isMap(value)) members(shape.map!, value, path, allowDuplicates, errors);
    return;
  }
  if (value === null || value === undefined) return;
  if (shape.map !== undefined) {
    if (isMap(value)) members(shape.map, value, path, allowDuplicates, errors);
    else fail(`expected map, got ${goPointer(value)}`);
  } else if (shape.list !== undefined) {
    if (isList(value)) items(shape.list, value, path, allowDuplicates, errors);
    else fail(`expected list, got ${goPointer(value)}`);
  } else {
    const problem = scalarProblem(shape.scalar!, value);
    if (problem !== undefined) fail(problem);
  }
}

function scalarProblem(kind: ScalarKind, value: unknown): string | undefined {
  switch (kind) {
    case 'numeric':
      return typeof value === 'number' || typeof value === 'bigint'
        ? undefined
        : `expected numeric (int or float), got ${goType(value)}`;
    case 'string':
      return typeof value === 'string' ? undefined : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got ${goPointer(value)}`;
    default:
      return isList(value) || isMap(value) ? `expected any scalar, got ${goPointer(value)}` : undefined;
  }
}

function members(shape: MapShape, map: JsonMap, path: string, allowDuplicates: boolean, errors: string[]): void {
  for (const name in map) {
    const value = map[name];
    if (value === undefined) continue;
    const inner = shape.fields.get(name)?.shape ?? shape.values;
    const here = path + showElement(fieldElement(name));
    if (inner === undefined) {
      errors.push(`${here}: field not declared in schema`);
      return;
    }
    validate(inner, value, here, allowDuplicates, errors);
  }
}

function items(shape: ListShape, list: JsonList, path: string, allowDuplicates: boolean, errors: string[]): void {
  const seen = new Set<PathElement>();
  const report = (message: string): void => void errors.push(path === '' ? message : `${path}: ${message}`);
  for (let i = 0; i < list.length; i++) {
    let element = indexElement(i);
    if (!shape.atomic) {
      try {
        element = itemElement(shape, list[i]);
      } catch (err) {
        if (!(err instanceof TypedValueError)) throw err;
        report(`element ${i}: ${err.message}`);
        return;
      }
      if (seen.has(element) && !allowDuplicates) report(`duplicate entries for key ${showElement(element)}`);
      seen.add(element);
    }
    validate(shape.items, list[i], path + showElement(element), allowDuplicates, errors);
  }
}

/** Go's %T. */
function goType(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int64';
    case 'number':
      return Number.isInteger(value) ? 'int64' : 'float64';
    default:
      return isList(value) ? '[]interface {}' : 'map[string]interface {}';
  }
}

/** Go's %v of a pointer to the value's wrapper. */
const goPointer = (value: unknown): string => `&{${goText(value)}}`;

/** Go's %#v. */
function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (isList(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (isMap(value)) {
    return `map[string]interface {}{${sortedMembers(value, (k, v) => `${JSON.stringify(k)}:${goSyntax(v)}`).join(', ')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

const sortedMembers = (map: JsonMap, show: (name: string, value: unknown) => string): string[] =>
  Object.keys(map)
    .sort()
    .map((name) => show(name, map[name]));
