import type { ObjectMeta } from '../../../api/meta/object.ts';
import type { Container, PodSpec } from '../../../api/types/core-v1.ts';

/** What a pod violates: in short, and in detail ('' for none). */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type PodCheck = (spec: PodSpec, metadata: ObjectMeta | undefined) => Violation | undefined;

/** One rule of a standard, as it changed over the releases. */
export interface Check {
  readonly id: string;
  readonly versions: readonly {
    /** The minor of the 1.x that it holds from. */
    readonly from: number;
    readonly check: PodCheck;
    /** Of a restricted rule: the baseline rule that it takes the place of. */
    readonly overrides?: string;
  }[];
}

/** A container, of whatever sort. */
export type AnyContainer = Pick<Container, 'name' | 'securityContext' | 'ports' | 'lifecycle'> &
  Partial<Pick<Container, 'livenessProbe' | 'readinessProbe' | 'startupProbe'>>;

/** Init containers, containers and ephemeral containers, in this order. */
export function* containersOf(spec: PodSpec): Iterable<AnyContainer> {
  yield* spec.initContainers ?? [];
  yield* spec.containers ?? [];
  yield* spec.ephemeralContainers ?? [];
}

/** The names of the containers for which `bad` holds. */
export function offenders(spec: PodSpec, bad: (container: AnyContainer) => boolean): readonly string[] {
  let names: string[] | undefined;
  for (const container of containersOf(spec)) if (bad(container)) (names ??= []).push(container.name);
  return names ?? none;
}
const none: readonly string[] = [];

export const plural = (word: string, count: number): string => (count === 1 ? word : `${word}s`);
export const quoted = (items: Iterable<string>): string => `"${[...items].join('", "')}"`;
export const sorted = (items: Iterable<string>): readonly string[] => [...items].sort();
/** `container "a"`, `containers "a", "b"`. */
export const named = (word: string, names: readonly string[]): string => `${plural(word, names.length)} ${quoted(names)}`;
/** `pod`, `container "a"`, `pod and containers "a", "b"`; '' for none. */
export const setters = (pod: boolean, containers: readonly string[]): string =>
  [...(pod ? ['pod'] : []), ...(containers.length === 0 ? [] : [named('container', containers)])].join(' and ');

/** Rules are relaxed for pods in a user namespace of their own (KEP-127). */
export const inUserNamespace = (spec: PodSpec): boolean => spec.hostUsers === false;
export const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';
