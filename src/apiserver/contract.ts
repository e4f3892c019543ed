import type { IncomingHttpHeaders } from 'node:http';
import type { GroupVersionKind, GroupVersionResource, KubernetesObject } from '../api/meta/object.ts';
import type { ApiRequest, ApiResponse, RequestHandler, UserInfo, Verb } from '../api/request.ts';
import type { Resource } from '../api/resource.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { Random } from '../util/random.ts';

/**
 * What is plugged into the request pipeline: who asks (`Authenticator`), whether they may (`Authorizer`), what becomes of what they send
 * (`AdmissionPlugin`), who is told (`AuditSink`), and handlers for what is not a stored object. Chains are composed once, at start.
 *
 * Where a result is `MaybePromise`, answer synchronously whenever nothing has to be awaited: the pipeline then makes no promise at all.
 */
export type MaybePromise<T> = T | Promise<T>;

// ---------------------------------------------------------------------------------------------------------------- authentication

/** What a connection and its headers prove. Header names are lower case, as Node gives them. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came: repeated headers can be told apart. */
  readonly rawHeaders?: readonly string[];
  /** The verified client certificate chain's leaf; undefined when the client showed none, or one that our CA did not sign. */
  readonly certificate?: ClientCertificate;
  readonly remoteAddress: string;
  readonly path: string;
}

/** The leaf of a verified client certificate. The same object for every request of a connection: it may key a WeakMap. */
export interface ClientCertificate {
  /** Subject common name, '' when there is none. */
  readonly commonName: string;
  /** Subject organizations. */
  readonly organizations: readonly string[];
  /** The certificate, DER. */
  readonly raw: Uint8Array;
  /** End of validity, milliseconds since the epoch. */
  readonly notAfter: number;
  /** The front proxy's authority signed it, not the cluster's: it says who may speak for others, and nothing else. */
  readonly frontProxy?: boolean;
}

export interface AuthenticatedUser {
  readonly user: UserInfo;
  /** The audiences that the token was accepted for, when it named any. */
  readonly audiences?: readonly string[];
}

export interface Authenticator {
  readonly name: string;
  /**
   * Who this is; undefined when the credentials are not of this authenticator's kind (the next one is asked).
   * Throws `unauthorized()` for credentials that are of its kind and bad: asked no further unless another one accepts.
   */
  authenticate(credentials: Credentials): MaybePromise<AuthenticatedUser | undefined>;
}

// ----------------------------------------------------------------------------------------------------------------- authorization

/** What is asked for: upstream's authorizer.Attributes. Made once per request and shared by authorization, audit and metrics. */
export interface RequestAttributes {
  readonly user: UserInfo;
  /** A `Verb`, `proxy`, a special verb (`impersonate`, `bind`, `use`), or the lower-case HTTP method for paths that are no resource. */
  readonly verb: string;
  readonly isResourceRequest: boolean;
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** The URL's path without its query; for requests in process, the path they would have had is not made: ''. */
  readonly path: string;
  /** Raw selectors of list, watch and deletecollection, for selector-aware authorizers. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

export interface AuthorizationResult {
  readonly decision: 'allow' | 'deny' | 'no-opinion';
  /** Why, for the Forbidden message and the audit log. */
  readonly reason?: string;
}

/** A rule that a user holds, for SelfSubjectRulesReview. */
export interface HeldRules {
  readonly resourceRules: readonly {
    readonly verbs: readonly string[];
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  readonly nonResourceRules: readonly { readonly verbs: readonly string[]; readonly nonResourceURLs: readonly string[] }[];
  readonly incomplete: boolean;
  readonly evaluationError?: string;
}

export interface Authorizer {
  /** `deny` ends the chain, `no-opinion` passes on; nobody's opinion is a refusal. */
  authorize(attributes: RequestAttributes): MaybePromise<AuthorizationResult>;
  /** What `user` may do in `namespace`; left out where it cannot be told. */
  rulesFor?(user: UserInfo, namespace: string): MaybePromise<HeldRules>;
}

// --------------------------------------------------------------------------------------------------------------------- admission

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

/** One write as admission sees it. Objects are frozen and in the version of the request. */
export interface AdmissionAttributes {
  readonly operation: AdmissionOperation;
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  readonly subresource: string;
  readonly namespace: string;
  /** '' for a create with generateName that has no name yet. */
  readonly name: string;
  /** The object as it stands after the plugins before; undefined for DELETE. For CONNECT, the options (PodExecOptions). */
  readonly object: KubernetesObject | undefined;
  /** What is there now: UPDATE and DELETE. */
  readonly oldObject: KubernetesObject | undefined;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, as an object of meta.k8s.io/v1. */
  readonly options: KubernetesObject;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** The definition of the type, undefined for connects and virtual resources. */
  readonly definition: Resource | undefined;
  /** A text for a Warning header. */
  warn(text: string): void;
  /** An annotation of the audit event, `domain/key`. */
  annotate(key: string, value: string): void;
}

/** Where a plugin wants to be asked. Asked once per endpoint and operation at start, and its answer kept. */
export interface AdmissionTarget {
  readonly operation: AdmissionOperation;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
}

export interface AdmissionPlugin {
  /** Upstream's name, `NamespaceLifecycle`. */
  readonly name: string;
  /** Called once, before the first request is served; the plugin reads the cluster through `access`. */
  initialize?(access: ApiAccess): void;
  handles(target: AdmissionTarget): boolean;
  /** The object to go on with: a changed copy, or `attributes.object` as it is. Throws a StatusError to refuse. All mutate before any validates. */
  mutate?(attributes: AdmissionAttributes): MaybePromise<KubernetesObject | undefined>;
  /** Throws a StatusError to refuse. */
  validate?(attributes: AdmissionAttributes): MaybePromise<void>;
  /** Its own metrics, in Prometheus' text format. */
  metrics?(): string;
}

// ------------------------------------------------------------------------------------------------------------------------- audit

export type AuditStage = 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';
export type AuditLevel = 'Metadata' | 'Request' | 'RequestResponse';

/** How much is told of a request. */
export interface AuditRule {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

/** One stage of an audited request. */
export interface AuditEvent {
  readonly auditId: string;
  readonly stage: AuditStage;
  readonly rule: AuditRule;
  /** The user is the one who asked, not whom they act as. */
  readonly attributes: RequestAttributes;
  readonly impersonatedUser?: UserInfo;
  readonly impersonationConstraint?: string;
  readonly requestUri: string;
  /** As proxies tell them, then the peer's. */
  readonly sourceAddresses: readonly string[];
  readonly userAgent: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly stageAt: number;
  readonly code?: number;
  /** What a Status says of a failure. */
  readonly failure?: { readonly status: string; readonly message: string; readonly reason: string };
  readonly annotations?: ReadonlyMap<string, string>;
  /** From level Request on. */
  readonly requestObject?: unknown;
  /** At level RequestResponse. */
  readonly responseObject?: unknown;
}

export interface AuditSink {
  /** How a request is recorded; undefined: not at all. Asked once for each. */
  rule(attributes: RequestAttributes): AuditRule | undefined;
  /** Must not throw and must not block. */
  record(event: AuditEvent): void;
  /** Its own metrics, in Prometheus' text format. */
  metrics?(): string;
}

// -------------------------------------------------------------------------------------------------------- what plugins may look at

/** A live, in-memory view of one stored type, in its storage version. Reading costs no I/O. */
export interface ResourceView<T extends KubernetesObject = KubernetesObject> {
  readonly resource: Resource<T>;
  /** The revision the view is complete at. */
  readonly revision: number;
  get(namespace: string, name: string): T | undefined;
  /** All, or those of one namespace, in key order. */
  list(namespace?: string): Iterable<T>;
  /** Calls `onChange` for every later change, synchronously and in order, until the signal aborts. */
  watch(onChange: (change: ViewChange<T>) => void, signal: AbortSignal): void;
}

export interface ViewChange<T extends KubernetesObject = KubernetesObject> {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly object: T;
  readonly previous: T | undefined;
}

/** The API server as its own plugins see it. */
export interface ApiAccess {
  /** The view of a stored type; undefined when it is not served. Ask again rather than keep it when it may be a custom resource. */
  view<T extends KubernetesObject>(group: string, resource: string): ResourceView<T> | undefined;
  /** Every resource served now, built-in and custom. */
  resources(): Iterable<Resource>;
  /**
   * Creates the server's own first objects, in one commit, and leaves those that are there; they are neither admitted nor validated. `manager` is
   * whom managedFields names.
   */
  seed(target: GroupVersionResource, objects: readonly KubernetesObject[], manager: string): Promise<void>;
  /** The whole pipeline, for plugins that write (quota status, token secrets). Pass the acting user. */
  readonly handler: RequestHandler;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** `system:apiserver`, a member of system:masters: whom the API server acts as on its own behalf. */
export const loopbackUser: UserInfo = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

// ----------------------------------------------------------------------------------------------------------------------- handlers

/** What a handler of a subresource or of a virtual resource is given. */
export interface HandlerScope {
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly access: ApiAccess;
  /** The stored parent, in the version asked for; undefined for virtual resources. It exists: NotFound has been answered otherwise. */
  readonly parent: KubernetesObject | undefined;
  readonly dryRun: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly warnings: string[];
}

/** Serves one subresource that is not a view of its parent: `serviceaccounts/token`, a CSR's `approval` is not one. */
export interface SubresourceHandler {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  /** The body has been decoded by the subresource's kind; admission (CREATE on the subresource) has run. */
  handle(scope: HandlerScope): MaybePromise<ApiResponse>;
}

/** A resource that is only created and never stored: the reviews. */
export interface VirtualResource extends GroupVersionKind {
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  /** OpenAPI name of its type (`io.k8s.api.authorization.v1.SubjectAccessReview`). */
  readonly type: string;
  /** `scope.request.body` has been decoded. */
  handle(scope: HandlerScope): MaybePromise<ApiResponse>;
}

// ----------------------------------------------------------------------------------------------------------------- field managers

/** Who wrote what: keeps `metadata.managedFields`, and does server-side apply. Pure; objects are frozen and in the request's version. */
export interface FieldManager {
  /**
   * The object to store after a create (`live` undefined), update or non-apply patch by `manager`: `object` with its managedFields brought up
   * to date. An update that changes nothing returns the live managedFields, timestamps included.
   */
  update(change: FieldChange): KubernetesObject;
  /** Server-side apply: the merged object with managedFields. Throws the Conflict StatusError when owners disagree and `force` is not set. */
  apply(change: FieldChange & { readonly force: boolean }): KubernetesObject;
}

export interface FieldChange {
  readonly resource: Resource;
  /** What is stored now; undefined when this creates. */
  readonly live: KubernetesObject | undefined;
  /** The new object, defaults filled in; for `apply`, the applied configuration as it was sent. */
  readonly object: KubernetesObject;
  readonly manager: string;
  readonly subresource: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}
