import type { KubernetesObject } from '../meta/object.ts';
import type { Verb } from '../request.ts';
import type { Resource, Strategy, Subresource, TableColumn } from '../resource.ts';
import { builtinSchema } from '../schema/builtin.ts';
import type { ObjectMeta } from '../types/meta-v1.ts';

/** The verbs of an ordinary stored type. */
export const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** What a group file tells of a type; everything else has the usual answer. */
export interface ResourceDefinition<T extends KubernetesObject> {
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs?: readonly Verb[];
  /** OpenAPI name of the type; made from the group otherwise. */
  readonly type?: string;
  /** `/registry/<plural>` unless upstream stores it elsewhere (`/registry/services/specs`, `/registry/minions`). */
  readonly storagePrefix?: string;
  readonly storageVersion?: { readonly group: string; readonly version: string };
  readonly conversion?: Resource<T>['conversion'];
  /** The type has spec and status: adds the `status` subresource, status isolation and generation. */
  readonly status?: boolean;
  /** Bump metadata.generation when the spec changes; with `status` unless false. */
  readonly generation?: boolean;
  readonly subresources?: readonly Subresource<T>[];
  readonly defaults?: (object: T) => T;
  readonly strategy?: Partial<Strategy<T>>;
  readonly validate: Resource<T>['validate'];
  /** When left out, an update is validated as a new object. */
  readonly validateUpdate?: Resource<T>['validateUpdate'];
  /** What an update through `status` changes beside taking the new status over; gets the object that is to be stored. */
  readonly prepareStatusUpdate?: Strategy<T>['prepareForUpdate'];
  /** Metadata that an update through `status` cannot change; see `keptByStatus`. */
  readonly statusKeeps?: readonly StatusMetadata[];
  /** The status of a new object, where upstream always writes one; none when left out. */
  readonly emptyStatus?: Readonly<Record<string, unknown>>;
  /** Validation of an update through `status`; none when left out. */
  readonly validateStatusUpdate?: Resource<T>['validateUpdate'];
  readonly validateName: Resource<T>['validateName'];
  /** Whether finalizers without a domain can only be Kubernetes' own; by the group unless told. */
  readonly qualifiedFinalizers?: boolean;
  /** Columns beside Name and Age when `row` gives their cells; see `standardColumns`. */
  readonly columns?: readonly TableColumn[];
  readonly row?: Resource<T>['row'];
  readonly fieldSelectors?: Resource<T>['fieldSelectors'];
  readonly warnings?: Resource<T>['warnings'];
  readonly rowOrder?: Resource<T>['rowOrder'];
  readonly ttlSeconds?: number;
}

type StatusMetadata = 'annotations' | 'finalizers' | 'labels' | 'ownerReferences';

/** All metadata that upstream's ResetObjectMetaForStatus leaves as they were. */
export const keptByStatus: readonly StatusMetadata[] = ['annotations', 'finalizers', 'labels', 'ownerReferences'];

/** The groups whose types take any well formed finalizer: they are validated as custom resources are. */
const freeFinalizers: ReadonlySet<string> = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'coordination.k8s.io',
  'policy',
]);

type WithSpecStatus = KubernetesObject & { readonly spec?: unknown; readonly status?: unknown };

/** Makes a function that makes the resources of one group version: `const define = groupVersion('apps', 'v1')`. */
export function groupVersion(
  group: string,
  version: string,
): <T extends KubernetesObject>(definition: ResourceDefinition<T>) => Resource<T> {
  const short = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '').split('.')[0]!;
  return (d) => {
    const strategy = withStatusIsolation(d);
    const status: Subresource[] =
      d.status === true
        ? [
            {
              name: 'status',
              verbs: ['get', 'patch', 'update'],
              strategy: { prepareForUpdate: statusUpdate(d) as Strategy['prepareForUpdate'] },
              validateUpdate: (d.validateStatusUpdate ?? (() => [])) as Subresource['validateUpdate'] & {},
            },
          ]
        : [];
    const subresources = [...status, ...((d.subresources ?? []) as readonly Subresource[])];
    return {
      group,
      version,
      kind: d.kind,
      listKind: `${d.kind}List`,
      plural: d.plural,
      singular: d.kind.toLowerCase(),
      shortNames: d.shortNames ?? [],
      categories: d.categories ?? [],
      namespaced: d.namespaced,
      verbs: d.verbs ?? allVerbs,
      subresources: Object.fromEntries(subresources.map((s) => [s.name, s])) as Resource<never>['subresources'] & object,
      schema: builtinSchema(d.type ?? `io.k8s.api.${short}.${version}.${d.kind}`),
      storage: { prefix: d.storagePrefix ?? `/registry/${d.plural}`, ...(d.storageVersion ?? { group, version }) },
      ...(d.conversion === undefined ? {} : { conversion: d.conversion }),
      defaults: d.defaults ?? ((object) => object),
      strategy,
      validate: d.validate,
      validateUpdate: d.validateUpdate ?? ((object, _old, context) => d.validate(object, context)),
      validateName: d.validateName,
      qualifiedFinalizers: d.qualifiedFinalizers ?? !freeFinalizers.has(group),
      columns: d.columns ?? standardColumns(),
      row: d.row ?? ((object, now) => [object.metadata?.name ?? '', age(object.metadata?.creationTimestamp, now)]),
      fieldSelectors: d.fieldSelectors ?? {},
      ...(d.warnings === undefined ? {} : { warnings: d.warnings }),
      ...(d.rowOrder === undefined ? {} : { rowOrder: d.rowOrder }),
      ...(d.ttlSeconds === undefined ? {} : { ttlSeconds: d.ttlSeconds }),
    };
  };
}

function withStatusIsolation<T extends KubernetesObject>(d: ResourceDefinition<T>): Strategy<T> {
  const generation = d.generation ?? d.status === true;
  const base: Strategy<T> = {
    prepareForCreate: (object) => {
      const { status: _status, ...rest } = object as WithSpecStatus;
      const bare = d.emptyStatus === undefined ? rest : { ...rest, status: d.emptyStatus };
      const cleared = (d.status === true ? bare : object) as T;
      return generation ? withGeneration(cleared, 1) : cleared;
    },
    prepareForUpdate: (object, old) => {
      const o = old as WithSpecStatus;
      const { status: _status, ...rest } = object as WithSpecStatus;
      const kept = (
        d.status === true ? (o.status === undefined ? rest : { ...rest, status: o.status }) : object
      ) as WithSpecStatus & T;
      if (!generation) return kept;
      const before = old.metadata?.generation ?? 0;
      return withGeneration(kept, deepEqual(kept.spec, o.spec) ? before : before + 1);
    },
    allowCreateOnUpdate: false,
    allowUnconditionalUpdate: true,
  };
  return { ...base, ...d.strategy };
}

function statusUpdate<T extends KubernetesObject>(d: ResourceDefinition<T>): Strategy<T>['prepareForUpdate'] {
  const { prepareStatusUpdate, statusKeeps = [] } = d;
  const keep = (object: T, old: T): T => keepAllButStatus(object, old, statusKeeps);
  if (prepareStatusUpdate === undefined) return keep;
  return (object, old, context) => prepareStatusUpdate(keep(object, old), old, context);
}

/** An update through `status`: the old object with the new status; of the metadata only what status writers may touch. */
function keepAllButStatus<T extends KubernetesObject>(object: T, old: T, kept: readonly StatusMetadata[]): T {
  const { status: _old, ...rest } = old as WithSpecStatus;
  const status = (object as WithSpecStatus).status;
  const metadata: { -readonly [K in keyof ObjectMeta]: ObjectMeta[K] } = { ...object.metadata };
  for (const name of ['generation', ...kept] as const) {
    const before = old.metadata?.[name];
    if (before === undefined) delete metadata[name];
    else Object.assign(metadata, { [name]: before });
  }
  return { ...rest, metadata, ...(status === undefined ? {} : { status }) } as unknown as T;
}

export function withGeneration<T extends KubernetesObject>(object: T, generation: number): T {
  return object.metadata?.generation === generation ? object : { ...object, metadata: { ...object.metadata, generation } };
}

/** Deep equality of JSON values; a missing field equals undefined. Keys in any order. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => deepEqual(v, b[i]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!deepEqual(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

export const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description:
    'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
  priority: 0,
};
export const ageColumn: TableColumn = {
  name: 'Age',
  type: 'string',
  format: '',
  description:
    'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata',
  priority: 0,
};

/** What the server shows of a type that upstream has no printer for. */
export const plainColumns: readonly TableColumn[] = [nameColumn, { ...ageColumn, name: 'Created At', type: 'date' }];

/** The cells of `plainColumns`. */
export const plainRow = (object: KubernetesObject): readonly unknown[] => [
  object.metadata?.name ?? '',
  object.metadata?.creationTimestamp ?? null,
];

/** Name, the given columns, Age. */
export function standardColumns(...between: readonly TableColumn[]): readonly TableColumn[] {
  return [nameColumn, ...between, ageColumn];
}

export function column(name: string, type: TableColumn['type'], description = '', priority = 0): TableColumn {
  return { name, type, format: '', description, priority };
}

/** Time since `timestamp` as the AGE column shows it; `<unknown>` without one. `now` in milliseconds. */
export function age(timestamp: string | undefined, now: number): string {
  if (timestamp === undefined) return '<unknown>';
  return humanDuration(now - Date.parse(timestamp));
}

/** apimachinery `duration.HumanDuration`: two units at most, coarser as it grows. `ms` in milliseconds. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 60 * 2) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 60 * 3) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(hours / 24 / 365);
  if (hours < 24 * 365 * 8) {
    const rest = Math.trunc((hours / 24) % 365);
    return rest === 0 ? `${years}y` : `${years}y${rest}d`;
  }
  return `${years}y`;
}
