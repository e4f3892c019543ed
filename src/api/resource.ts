import type { FieldError } from './meta/field-error.ts';
import type { KubernetesObject } from './meta/object.ts';
import type { UserInfo, Verb } from './request.ts';
import type { Schema } from './schema/schema.ts';

/** What strategies and validation may ask of the world. Time comes from here: nothing reads the host's clock. */
export interface RequestContext {
  readonly user: UserInfo;
  /** Wall time of the request, milliseconds since the epoch. */
  readonly now: number;
  readonly dryRun: boolean;
  /** Texts for Warning headers; whoever prepares or validates may push. */
  readonly warnings: string[];
}

/** One column of a Table (metav1.TableColumnDefinition). Priority 0 is always shown, 1 with `-o wide`. */
export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

/**
 * How a type behaves in a write. Every function is pure and returns a copy, or the same object where nothing changed.
 * Upstream's rest.RESTCreateStrategy and rest.RESTUpdateStrategy.
 */
export interface Strategy<T extends KubernetesObject = KubernetesObject> {
  /** Before validation of a create: clears status, sets generation 1, drops disabled fields. The pipeline itself sets name, uid and times. */
  prepareForCreate(object: T, context: RequestContext): T;
  /** Before validation of an update: keeps what this endpoint may not change (status), bumps generation when the spec changed. */
  prepareForUpdate(object: T, old: T, context: RequestContext): T;
  /** PUT to a name that does not exist creates it. */
  readonly allowCreateOnUpdate: boolean;
  /** An update without a resourceVersion is allowed. */
  readonly allowUnconditionalUpdate: boolean;
  /**
   * Seconds of grace a delete gives this object when it has any graceful deletion at all; undefined: deleted at once.
   * `requested` is the option's gracePeriodSeconds.
   */
  gracePeriod?(object: T, requested: number | undefined): number;
  /** What is written on an object when its deletion begins (finalizers, conditions); the same object when that is nothing. */
  prepareForDelete?(object: T, context: RequestContext): T;
}

/** A subresource: `status`, `scale`, and the like. Those without a strategy here (log, exec, binding, token) are handled by the apiserver by name. */
export interface Subresource<T extends KubernetesObject = KubernetesObject> {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** The kind it speaks when not the parent's: `autoscaling/v1 Scale`. */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
  /** Older versions of that kind, of the same fields, which bodies may also be of. */
  readonly olderVersions?: readonly string[];
  /** For `status` and other views of the same object: how an update through it differs. */
  readonly strategy?: Pick<Strategy<T>, 'prepareForUpdate'>;
  /** Validation of an update through this subresource; in place of the parent's. */
  validateUpdate?(object: T, old: T, context: RequestContext): readonly FieldError[];
  /** For `scale`: where the numbers are. Undefined paths do not exist on the type. */
  readonly scale?: ScaleMapping<T>;
}

/** How `scale` reads and writes its parent. */
export interface ScaleMapping<T extends KubernetesObject = KubernetesObject> {
  specReplicas(object: T): number;
  /** Where the wanted number should be when the object has none; only custom resources can be without. */
  missingReplicas?(object: T): string | undefined;
  withReplicas(object: T, replicas: number): T;
  statusReplicas(object: T): number;
  /** The selector as a string, for status.selector. */
  selector(object: T): string;
}

/** How one version of a type becomes another. */
export interface Conversion<T extends KubernetesObject = KubernetesObject> {
  toStorage(object: T): KubernetesObject;
  fromStorage(object: KubernetesObject): T;
  /**
   * For types that somebody else converts (a webhook): objects of any versions as `apiVersion`, in their order. In place of the other two
   * wherever versions differ. Rejects with a StatusError.
   */
  remote?(objects: readonly KubernetesObject[], apiVersion: string): Promise<readonly KubernetesObject[]>;
}

/** The value of a field selector's label. Typed as a method is, so that a `Resource<Pod>` is a `Resource`. */
export type FieldSelector<T extends KubernetesObject = KubernetesObject> = { value(object: T): string }['value'];

/**
 * What a type is. Built-in types and CRDs are the same thing to everything after decoding: a CRD is a `Resource` made at run time.
 * One served version is one Resource; versions of one type share `storage`.
 */
export interface Resource<T extends KubernetesObject = KubernetesObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: Readonly<Record<string, Subresource<T>>>;
  readonly schema: Schema;
  /** Where objects live: the storage key prefix (`/registry/pods`) and the version they are written in. */
  readonly storage: { readonly prefix: string; readonly group: string; readonly version: string };
  /** To and from the stored version, when that is not this one. `fromStorage` gives the same object back when nothing changes. */
  readonly conversion?: Conversion<T>;
  /** Fills in defaults that the schema's own (`default`) do not tell; runs after decoding, on every write and on objects read from storage. */
  defaults(object: T): T;
  readonly strategy: Strategy<T>;
  /** Everything wrong with a new object, metadata excepted (the pipeline validates that, with `validateName`). */
  validate(object: T, context: RequestContext): readonly FieldError[];
  /** Everything wrong with `object` as a successor of `old`: its own faults (ratcheted where upstream does) and changed immutable fields. */
  validateUpdate(object: T, old: T, context: RequestContext): readonly FieldError[];
  /** Messages about a bad name; `prefix` is true for a generateName. Empty when good. */
  validateName(name: string, prefix: boolean): readonly string[];
  /** Finalizers without a domain can only be Kubernetes' own. */
  readonly qualifiedFinalizers?: boolean;
  readonly columns: readonly TableColumn[];
  /** The cells of one row, in the order of `columns`. `now` in milliseconds. */
  row(object: T, now: number): readonly unknown[];
  /** The order of a table's rows where it is not that of the names; as a compare function of sorting. */
  rowOrder?(a: T, b: T): number;
  /** Field selectors beyond metadata.name and metadata.namespace: label to value. */
  readonly fieldSelectors: Readonly<Record<string, FieldSelector<T>>>;
  /** Warnings about a valid object, for Warning headers. */
  warnings?(object: T, old: T | undefined): readonly string[];
  /** What every request for this version is warned of: that it is deprecated. */
  readonly deprecation?: string;
  /** The time an object of this type is kept, in seconds, after its last write (Events). */
  readonly ttlSeconds?: number;
}
