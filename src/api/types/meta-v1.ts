// Generated from src/api/schema/facts.json by scripts/generate-types.ts. Do not edit.


export type Format = string;

export type QuantityValue = Readonly<Record<string, never>>;

export interface APIGroup {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name: string;
  readonly preferredVersion?: GroupVersionForDiscovery;
  readonly serverAddressByClientCIDRs?: readonly ServerAddressByClientCIDR[];
  readonly versions: readonly GroupVersionForDiscovery[];
}

export interface APIGroupList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly groups: readonly APIGroup[];
}

export interface APIResource {
  readonly categories?: readonly string[];
  readonly group?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly singularName: string;
  readonly storageVersionHash?: string;
  readonly verbs: Verbs;
  readonly version?: string;
}

export interface APIResourceList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly groupVersion: string;
  readonly resources: readonly APIResource[];
}

export interface APIVersions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly serverAddressByClientCIDRs: readonly ServerAddressByClientCIDR[];
  readonly versions: readonly string[];
}

export interface ApplyOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly dryRun?: readonly string[];
  readonly fieldManager: string;
  readonly force: boolean;
}

export type CauseType = string;

export interface Condition {
  readonly lastTransitionTime: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly reason: string;
  readonly status: ConditionStatus;
  readonly type: string;
}

export type ConditionStatus = string;

export interface CreateOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly dryRun?: readonly string[];
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
}

export interface DeleteOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly dryRun?: readonly string[];
  readonly gracePeriodSeconds?: number;
  readonly ignoreStoreReadErrorWithClusterBreakingPotential?: boolean;
  readonly orphanDependents?: boolean;
  readonly preconditions?: Preconditions;
  readonly propagationPolicy?: DeletionPropagation;
}

export type DeletionPropagation = string;

export type FieldSelectorOperator = string;

export interface FieldSelectorRequirement {
  readonly key: string;
  readonly operator: FieldSelectorOperator;
  readonly values?: readonly string[];
}

export interface GetOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly resourceVersion?: string;
}

export interface GroupVersionForDiscovery {
  readonly groupVersion: string;
  readonly version: string;
}

export type IncludeObjectPolicy = string;

export interface LabelSelector {
  readonly matchExpressions?: readonly LabelSelectorRequirement[];
  readonly matchLabels?: Readonly<Record<string, string>>;
}

export type LabelSelectorOperator = string;

export interface LabelSelectorRequirement {
  readonly key: string;
  readonly operator: LabelSelectorOperator;
  readonly values?: readonly string[];
}

export interface List {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly (Readonly<Record<string, unknown>>)[];
  readonly metadata?: ListMeta;
}

export interface ListMeta {
  readonly continue?: string;
  readonly remainingItemCount?: number;
  readonly resourceVersion?: string;
  readonly selfLink?: string;
  readonly shardInfo?: ShardInfo;
}

export interface ListOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly continue?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  readonly limit?: number;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: ResourceVersionMatch;
  readonly sendInitialEvents?: boolean;
  readonly shardSelector?: string;
  readonly timeoutSeconds?: number;
  readonly watch?: boolean;
}

export interface ManagedFieldsEntry {
  readonly apiVersion?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
  readonly manager?: string;
  readonly operation?: ManagedFieldsOperationType;
  readonly subresource?: string;
  readonly time?: string;
}

export type ManagedFieldsOperationType = string;

export interface ObjectMeta {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly generateName?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly managedFields?: readonly ManagedFieldsEntry[];
  readonly name?: string;
  readonly namespace?: string;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly resourceVersion?: string;
  readonly selfLink?: string;
  readonly uid?: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly blockOwnerDeletion?: boolean;
  readonly controller?: boolean;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface PartialObjectMetadata {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

export interface PartialObjectMetadataList {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly items: readonly PartialObjectMetadata[];
  readonly metadata?: ListMeta;
}

export interface PatchOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly dryRun?: readonly string[];
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
  readonly force?: boolean;
}

export interface Preconditions {
  readonly resourceVersion?: string;
  readonly uid?: string;
}

export type ResourceVersionMatch = string;

export interface RootPaths {
  readonly paths: readonly string[];
}

export type RowConditionType = string;

export interface ServerAddressByClientCIDR {
  readonly clientCIDR: string;
  readonly serverAddress: string;
}

export interface ShardInfo {
  readonly selector: string;
}

export interface Status {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly code?: number;
  readonly details?: StatusDetails;
  readonly message?: string;
  readonly metadata?: ListMeta;
  readonly reason?: StatusReason;
  readonly status?: string;
}

export interface StatusCause {
  readonly field?: string;
  readonly message?: string;
  readonly reason?: CauseType;
}

export interface StatusDetails {
  readonly causes?: readonly StatusCause[];
  readonly group?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly retryAfterSeconds?: number;
  readonly uid?: string;
}

export type StatusReason = string;

export interface Table {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly columnDefinitions: readonly TableColumnDefinition[];
  readonly metadata?: ListMeta;
  readonly rows: readonly TableRow[];
}

export interface TableColumnDefinition {
  readonly description: string;
  readonly format: string;
  readonly name: string;
  readonly priority: number;
  readonly type: string;
}

export interface TableOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly includeObject?: IncludeObjectPolicy;
}

export interface TableRow {
  readonly conditions?: readonly TableRowCondition[];
  readonly object?: Readonly<Record<string, unknown>>;
}

export interface TableRowCondition {
  readonly message?: string;
  readonly reason?: string;
  readonly status: ConditionStatus;
  readonly type: RowConditionType;
}

export interface TypeMeta {
  readonly apiVersion?: string;
  readonly kind?: string;
}

export interface UpdateOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly dryRun?: readonly string[];
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
}

export type Verbs = readonly string[];

export type Type = number;
