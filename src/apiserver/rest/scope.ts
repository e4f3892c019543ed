import { type FieldError, notSupported, tooLong } from '../../api/meta/field-error.ts';
import type { GroupVersionKind, KubernetesObject } from '../../api/meta/object.ts';
import { customError, invalidObject } from '../../api/meta/status.ts';
import type { ApiRequest, UserInfo } from '../../api/request.ts';
import type { RequestContext, Resource } from '../../api/resource.ts';
import type { Entry } from '../../store/collection.ts';
import type { AdmissionOperation } from '../contract.ts';
import { type AdmissionChain, AdmissionRecord } from './admission-chain.ts';
import type { Core } from './core.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * How often a write that named no resourceVersion is tried again when another one came between. Upstream's storage goes on for as long as
 * the request has time, so that of any crowd all get through, each after those that were quicker; more than this are not let in at once.
 */
export const MAX_CONFLICT_RETRIES = 1000;

const MAX_FIELD_MANAGER_LENGTH = 128;

/** The outcome of a write or of a get: an entry whose bytes are ready, or an object made for this answer. */
export interface RestResult {
  readonly code: number;
  readonly endpoint: Endpoint | undefined;
  readonly entry: Entry<KubernetesObject> | undefined;
  readonly object: KubernetesObject | undefined;
  /** How an object that is of no endpoint is shown as a Table; without it there is none. */
  readonly table?: TableForm;
}

/** What a Table needs to know of a type. */
export type TableForm = Pick<Resource, 'columns' | 'row'>;

/** One request on a stored type, while it is worked on. */
export class Scope implements RequestContext {
  readonly core: Core;
  readonly endpoint: Endpoint;
  readonly request: ApiRequest;
  readonly user: UserInfo;
  readonly now: number;
  readonly dryRun: boolean;
  readonly warnings: string[] = [];
  readonly annotations = new Map<string, string>();
  /** The program that asks, for managedFields when no fieldManager is named: the User-Agent up to its slash. */
  readonly agent: string;
  /** Keys that the body had twice, as `parseJson` reports them. */
  readonly duplicateFields: readonly string[];

  constructor(
    core: Core,
    endpoint: Endpoint,
    request: ApiRequest,
    user: UserInfo,
    agent: string,
    duplicateFields: readonly string[] = [],
  ) {
    this.core = core;
    this.endpoint = endpoint;
    this.request = request;
    this.user = user;
    this.agent = agent;
    this.duplicateFields = duplicateFields;
    this.now = core.clock.now();
    this.dryRun = request.options.dryRun !== undefined && request.options.dryRun.length > 0;
  }

  get key(): string {
    return this.endpoint.key(this.request.namespace, this.request.name);
  }

  /** What managedFields calls the writer. */
  get manager(): string {
    return this.request.options.fieldManager || this.agent;
  }

  /** The timestamp that this request writes. RFC 3339, whole seconds. */
  get timestamp(): string {
    return timestamp(this.now);
  }

  chain(operation: AdmissionOperation): AdmissionChain {
    const { group, version, plural } = this.endpoint.resource;
    return this.core.chains.chain({
      operation,
      group,
      version,
      resource: plural,
      subresource: this.request.subresource ?? '',
    });
  }

  /** The admission record of a write of this request's kind. `kind` when a subresource speaks another. */
  admission(
    operation: AdmissionOperation,
    name: string,
    object: KubernetesObject | undefined,
    old: KubernetesObject | undefined,
    kind?: GroupVersionKind,
  ): AdmissionRecord {
    const { resource } = this.endpoint;
    return new AdmissionRecord(
      {
        operation,
        resource,
        group: resource.group,
        version: resource.version,
        plural: resource.plural,
        kind: kind ?? { group: resource.group, version: resource.version, kind: resource.kind },
        subresource: this.request.subresource ?? '',
        namespace: this.request.namespace,
        name,
        options: this.admissionOptions(operation),
        user: this.user,
        dryRun: this.dryRun,
        warnings: this.warnings,
        annotations: this.annotations,
      },
      object,
      old,
    );
  }

  private admissionOptions(operation: AdmissionOperation): KubernetesObject {
    const { options } = this.request;
    const apiVersion = 'meta.k8s.io/v1';
    const dryRun = options.dryRun === undefined ? {} : { dryRun: options.dryRun };
    if (operation === 'DELETE') {
      return {
        kind: 'DeleteOptions',
        apiVersion,
        ...dryRun,
        ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
        ...(options.preconditions === undefined ? {} : { preconditions: options.preconditions }),
        ...(options.orphanDependents === undefined ? {} : { orphanDependents: options.orphanDependents }),
        ...(options.propagationPolicy === undefined ? {} : { propagationPolicy: options.propagationPolicy }),
      } as KubernetesObject;
    }
    // A patch is told of as what it comes to.
    return {
      kind: operation === 'CREATE' ? 'CreateOptions' : 'UpdateOptions',
      apiVersion,
      ...dryRun,
      ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
      ...(options.fieldValidation === undefined ? {} : { fieldValidation: options.fieldValidation }),
    } as KubernetesObject;
  }
}

/** Milliseconds as metav1.Time writes them. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Throws the 422 that upstream's ValidateCreateOptions, ValidateUpdateOptions, ValidatePatchOptions and ValidateDeleteOptions give. */
export function validateWriteOptions(request: ApiRequest): void {
  const { options, verb } = request;
  const errors: FieldError[] = [];
  const deleting = verb === 'delete' || verb === 'deletecollection';
  if (deleting && options.propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    errors.push({
      type: 'FieldValueInvalid',
      path: 'propagationPolicy',
      value: options.propagationPolicy,
      detail: 'orphanDependents and deletionPropagation cannot be both set',
    });
  }
  if (deleting && options.propagationPolicy !== undefined && !propagationPolicies.includes(options.propagationPolicy)) {
    errors.push(notSupported('propagationPolicy', options.propagationPolicy, [...propagationPolicies, 'nil']));
  }
  for (const value of options.dryRun ?? []) {
    if (value !== 'All') {
      errors.push(notSupported('dryRun', options.dryRun, ['All']));
      break;
    }
  }
  if (!deleting) {
    if (options.fieldManager !== undefined) {
      if (options.fieldManager.length > MAX_FIELD_MANAGER_LENGTH) errors.push(tooLong('fieldManager', MAX_FIELD_MANAGER_LENGTH));
      if (/\p{C}/u.test(options.fieldManager)) {
        errors.push({
          type: 'FieldValueInvalid',
          path: 'fieldManager',
          value: options.fieldManager,
          detail: 'should only contain printable characters',
        });
      }
    }
    if (options.fieldValidation !== undefined && !fieldValidations.includes(options.fieldValidation)) {
      errors.push(notSupported('fieldValidation', options.fieldValidation, ['', ...fieldValidations]));
    }
    if (verb === 'patch') {
      if (request.patchType === 'application/apply-patch+yaml') {
        if ((options.fieldManager ?? '') === '') {
          errors.push({ type: 'FieldValueRequired', path: 'fieldManager', detail: 'is required for apply patch' });
        }
      } else if (options.force !== undefined) {
        errors.push({ type: 'FieldValueForbidden', path: 'force', detail: 'may not be specified for non-apply patch' });
      }
    }
  }
  if (errors.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind: optionKinds[verb] ?? 'UpdateOptions' }, '', errors);
}

const propagationPolicies = ['Foreground', 'Background', 'Orphan'];
const fieldValidations = ['Ignore', 'Strict', 'Warn'];
const optionKinds: Readonly<Record<string, string>> = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions',
};

/** Upstream's answer to a method that a path does not have. */
export const methodNotAllowed = (): Error =>
  customError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
