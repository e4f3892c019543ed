import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { formatMicroTime } from '../../api/meta/time.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/logger.ts';
import type { AuditEvent, AuditRule, AuditSink, RequestAttributes } from '../contract.ts';
import { metric } from '../http/metrics.ts';
import { type AuditPolicy, auditRules } from './policy.ts';

/** A file grows to this, and then another is begun: upstream's default (lumberjack's). */
const MAX_FILE_BYTES = 100 * 1024 * 1024;
/** Files that are kept besides the current one. */
const MAX_BACKUPS = 10;
/** Events wait for the disk in so many bytes; more are dropped, and counted. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

export interface AuditLogOptions {
  readonly policy: AuditPolicy;
  /** A file, made readable for its owner only; `-` is the standard output. */
  readonly path: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A sink that writes audit.k8s.io/v1 events as lines of JSON: upstream's --audit-policy-file and --audit-log-path. */
export class AuditLog implements AuditSink {
  readonly rule: (attributes: RequestAttributes) => AuditRule | undefined;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #out: Writable;
  #size: number;
  #written = 0;
  #dropped = 0;
  #failed = false;

  /** Throws when the file cannot be made. */
  constructor({ policy, path, clock, logger }: AuditLogOptions) {
    this.rule = auditRules(policy);
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
    if (path !== '-') mkdirSync(dirname(path), { recursive: true });
    this.#size = path !== '-' && existsSync(path) ? statSync(path).size : 0;
    this.#out = this.#open();
  }

  record(event: AuditEvent): void {
    if (event.rule.omitStages.has(event.stage)) return;
    if (this.#out.writableLength > MAX_WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    const line = `${JSON.stringify(toEvent(event))}\n`;
    this.#size += Buffer.byteLength(line);
    this.#written++;
    this.#out.write(line);
    if (this.#size > MAX_FILE_BYTES && this.#path !== '-') this.#rotate();
  }

  /** Resolves when all is written. */
  close(): Promise<void> {
    if (this.#path === '-') return Promise.resolve();
    return new Promise((resolve) => this.#out.end(resolve));
  }

  metrics(): string {
    return (
      metric(
        'apiserver_audit_event_total',
        'counter',
        'Counter of audit events generated and sent to the audit backend.',
        [`apiserver_audit_event_total ${this.#written}`],
        'ALPHA',
      ) +
      metric(
        'apiserver_audit_error_total',
        'counter',
        'Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
        this.#dropped === 0 ? [] : [`apiserver_audit_error_total{plugin="log"} ${this.#dropped}`],
        'ALPHA',
      )
    );
  }

  #open(): Writable {
    if (this.#path === '-') return process.stdout;
    const out = createWriteStream(this.#path, { flags: 'a', mode: 0o600 });
    out.on('error', (err) => {
      // Once, not for every event.
      if (!this.#failed) this.#logger.error({ err, path: this.#path }, 'the audit log cannot be written');
      this.#failed = true;
    });
    return out;
  }

  #rotate(): void {
    const time = new Date(this.#clock.now()).toISOString().replaceAll(':', '-').replace('Z', '');
    const extension = /\.[^.]*$/.exec(basename(this.#path))?.[0] ?? '';
    const stem = basename(this.#path, extension);
    const folder = dirname(this.#path);
    this.#out.end();
    try {
      renameSync(this.#path, join(folder, `${stem}-${time}${extension}`));
      const backups = readdirSync(folder).filter((f) => f.startsWith(`${stem}-`) && f.endsWith(extension));
      for (const old of backups.sort().slice(0, -MAX_BACKUPS)) rmSync(join(folder, old));
    } catch (err) {
      this.#logger.error({ err, path: this.#path }, 'the audit log could not be put aside');
    }
    this.#size = 0;
    this.#out = this.#open();
  }
}

/** The audit.k8s.io/v1 Event of one stage. */
export function toEvent(event: AuditEvent): object {
  const { rule, attributes, impersonatedUser, impersonationConstraint, failure, code, annotations } = event;
  const strip = rule.omitManagedFields ? withoutManagedFields : (object: unknown) => object;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: rule.level,
    auditID: event.auditId,
    stage: event.stage,
    requestURI: event.requestUri,
    verb: attributes.verb,
    user: userOf(attributes.user),
    ...(impersonatedUser === undefined ? {} : { impersonatedUser: userOf(impersonatedUser) }),
    ...(impersonationConstraint === undefined || impersonationConstraint === ''
      ? {}
      : { authenticationMetadata: { impersonationConstraint } }),
    sourceIPs: event.sourceAddresses,
    ...(event.userAgent === '' ? {} : { userAgent: event.userAgent }),
    ...(attributes.isResourceRequest ? { objectRef: objectRefOf(event) } : {}),
    ...(code === undefined ? {} : { responseStatus: { metadata: {}, ...failure, code } }),
    ...(event.requestObject === undefined ? {} : { requestObject: strip(event.requestObject) }),
    ...(event.responseObject === undefined ? {} : { responseObject: strip(event.responseObject) }),
    requestReceivedTimestamp: formatMicroTime(event.receivedAt),
    stageTimestamp: formatMicroTime(event.stageAt),
    ...(annotations === undefined || annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

const userOf = ({ name, uid, groups, extra }: RequestAttributes['user']): object => ({
  ...(name === '' ? {} : { username: name }),
  ...(uid === undefined || uid === '' ? {} : { uid }),
  ...(groups.length === 0 ? {} : { groups }),
  ...(extra === undefined ? {} : { extra }),
});

interface Described {
  readonly metadata?: { readonly name?: string; readonly uid?: string; readonly resourceVersion?: string };
}

function objectRefOf({ attributes, requestObject }: AuditEvent): object {
  const { resource, namespace, apiGroup, apiVersion, subresource } = attributes;
  const { metadata = {} } = (Array.isArray(requestObject) ? {} : ((requestObject ?? {}) as Described)) satisfies Described;
  const name = attributes.name === '' ? (metadata.name ?? '') : attributes.name;
  const told = (key: string, value: string | undefined): object => (value === undefined || value === '' ? {} : { [key]: value });
  return {
    ...told('resource', resource),
    ...told('namespace', namespace),
    ...told('name', name),
    ...told('uid', metadata.uid),
    ...told('apiGroup', apiGroup),
    ...told('apiVersion', apiVersion),
    ...told('resourceVersion', metadata.resourceVersion),
    ...told('subresource', subresource),
  };
}

/** An object, or a list of objects, without its managedFields. */
function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { metadata, items } = value as { readonly metadata?: object; readonly items?: unknown };
  const { managedFields: _gone, ...rest } = (metadata ?? {}) as { readonly managedFields?: unknown };
  return {
    ...value,
    ...(metadata === undefined ? {} : { metadata: rest }),
    ...(Array.isArray(items) ? { items: items.map(withoutManagedFields) } : {}),
  };
}
