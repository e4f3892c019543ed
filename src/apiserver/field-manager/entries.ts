import { equalValues, type FieldSet, goString, type OwnedFields, readFieldSet } from '../../api/apply/index.ts';
import type { ManagedFieldsEntry } from '../../api/types/meta-v1.ts';

export type Operation = 'Apply' | 'Update';

/** Who wrote: one entry of managedFields has one of these. */
export interface Writer {
  readonly manager: string;
  readonly operation: Operation;
  /** The version written in. Appliers are the same in every version. */
  readonly apiVersion: string;
  readonly subresource: string;
}

/** One entry of managedFields, read. */
export interface ManagedEntry extends Writer, OwnedFields {
  /** RFC 3339; undefined when it was never told. */
  readonly time: string | undefined;
  /** The entry this was read from: written again as it is when nothing changed. */
  readonly source: ManagedFieldsEntry | undefined;
}

/** The entries of an object, by `writerKey`. */
export type Managed = ReadonlyMap<string, ManagedEntry>;

export const nobody: Managed = new Map();

/** Thrown for managedFields that are none. */
export class ManagedFieldsError extends Error {
  override readonly name = 'ManagedFieldsError';
}

/** The identity of a writer, as upstream writes it; conflicts are sorted by it. */
export function writerKey(writer: Writer): string {
  const { manager, operation, apiVersion, subresource } = writer;
  let key = manager === '' ? '{' : `{"manager":${goString(manager)},`;
  key += `"operation":"${operation}"`;
  if (operation === 'Update') key += `,"apiVersion":${goString(apiVersion)}`;
  if (subresource !== '') key += `,"subresource":${goString(subresource)}`;
  return `${key}}`;
}

/** Reads managedFields. Throws `ManagedFieldsError` when an entry is none. */
export function readManaged(entries: readonly ManagedFieldsEntry[] | undefined): Managed {
  if (entries === undefined || entries.length === 0) return nobody;
  const managed = new Map<string, ManagedEntry>();
  for (let i = 0; i < entries.length; i++) {
    const entry = readEntry(entries[i]!, i);
    managed.set(writerKey(entry), entry);
  }
  return managed;
}

function readEntry(source: ManagedFieldsEntry, index: number): ManagedEntry {
  const { operation, apiVersion = '', fieldsType = '', manager = '', subresource = '', time } = source;
  if (operation !== 'Apply' && operation !== 'Update') throw new ManagedFieldsError('operation must be `Apply` or `Update`');
  if (apiVersion === '') throw new ManagedFieldsError('apiVersion must not be empty');
  if (fieldsType === '') throw new ManagedFieldsError(`missing fieldsType in managed fields entry ${index}`);
  if (fieldsType !== 'FieldsV1') {
    throw new ManagedFieldsError(`invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${index}`);
  }
  const set = fieldsOf(source);
  // A set that was not canonical is written as it ought to be.
  const same = set === source.fieldsV1 ? source : undefined;
  return { manager, operation, apiVersion, subresource, time, set, applied: operation === 'Apply', source: same };
}

function fieldsOf(entry: ManagedFieldsEntry): FieldSet {
  try {
    return readFieldSet(entry.fieldsV1);
  } catch (err) {
    throw new ManagedFieldsError(`error decoding versioned set: ${(err as Error).message}`, { cause: err });
  }
}

/** Whether managedFields ask for tracking to begin anew: an empty list, or a list of one empty entry. */
export function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (entries === undefined) return false;
  return entries.length === 0 || (entries.length === 1 && equalValues(entries[0], {}));
}

/**
 * The entries as the API writes them, in its order: appliers first, then by time. `previous` is given back when it is the same.
 * Undefined when there are none.
 */
export function writeManaged(
  managed: Managed,
  previous: readonly ManagedFieldsEntry[] | undefined,
): readonly ManagedFieldsEntry[] | undefined {
  if (managed.size === 0) return undefined;
  const entries = [...managed.values()].sort(compareEntries);
  const out = entries.map((entry) => entry.source ?? writeEntry(entry));
  return previous !== undefined && previous.length === out.length && out.every((e, i) => e === previous[i]) ? previous : out;
}

function writeEntry(entry: ManagedEntry): ManagedFieldsEntry {
  const { manager, operation, apiVersion, time, set, subresource } = entry;
  return {
    ...(manager === '' ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: set,
    ...(subresource === '' ? {} : { subresource }),
  };
}

function compareEntries(a: ManagedEntry, b: ManagedEntry): number {
  return (
    compare(a.operation, b.operation) ||
    seconds(a.time) - seconds(b.time) ||
    compare(a.manager, b.manager) ||
    compare(a.apiVersion, b.apiVersion) ||
    compare(a.subresource, b.subresource)
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** An entry without a time is older than all others. */
export const seconds = (time: string | undefined): number => (time === undefined ? 0 : Math.floor(Date.parse(time) / 1000));
