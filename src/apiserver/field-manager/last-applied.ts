import {
  checkTyped,
  compare,
  configuredFields,
  difference,
  type FieldSet,
  goJson,
  isMap,
  type VersionedObject,
} from '../../api/apply/index.ts';
import type { KubernetesObject } from '../../api/meta/object.ts';

/** Where client-side apply keeps what it applied last. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** The manager for which server-side apply takes over from client-side apply, and keeps the annotation up to date. */
export const CLIENT_SIDE_MANAGER = 'kubectl';
/** What all annotations of an object may take together, in bytes. */
const MAX_ANNOTATIONS = 256 * 1024;

/**
 * The fields that client-side apply wrote and that still are as it wrote them: kubectl may take them over without a conflict.
 * Undefined when that cannot be told.
 */
export function lastAppliedFields(live: VersionedObject): FieldSet | undefined {
  const text = lastAppliedText(live.value);
  if (text === '') return undefined;
  try {
    const applied = JSON.parse(text) as unknown;
    if (!isMap(applied) || applied['apiVersion'] !== live.apiVersion) return undefined;
    checkTyped(live.shape, live.value, { allowDuplicates: false });
    checkTyped(live.shape, applied, { allowDuplicates: false });
    const changes = compare(live.shape, applied, live.value, { typed: false });
    const fields = configuredFields(live.shape, applied);
    return difference(difference(difference(fields, changes.modified), changes.added), changes.removed);
  } catch {
    // The annotation is the client's to write: what cannot be read gives no leave.
    return undefined;
  }
}

function lastAppliedText(object: unknown): string {
  const text = (object as KubernetesObject).metadata?.annotations?.[LAST_APPLIED];
  return typeof text === 'string' ? text : '';
}

/** The object with the annotation brought up to `applied`, when it has one at all; without it, when that would be too long. */
export function withLastApplied<T extends KubernetesObject>(object: T, applied: KubernetesObject): T {
  if (lastAppliedText(object) === '') return object;
  const annotations: Record<string, string> = { ...object.metadata?.annotations, [LAST_APPLIED]: encode(applied) };
  let size = 0;
  for (const [name, value] of Object.entries(annotations)) size += Buffer.byteLength(name) + Buffer.byteLength(value);
  if (size > MAX_ANNOTATIONS) delete annotations[LAST_APPLIED];
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The configuration without the annotation itself, as Go encodes it. Annotations that hold nothing else stay, empty. */
function encode(applied: KubernetesObject): string {
  const annotations = applied.metadata?.annotations;
  if (annotations === undefined) return `${goJson(applied)}\n`;
  const { annotations: _annotations, ...metadata } = applied.metadata ?? {};
  if (annotations === null) return `${goJson({ ...applied, metadata })}\n`;
  const { [LAST_APPLIED]: _old, ...rest } = annotations;
  return `${goJson({ ...applied, metadata: { ...metadata, annotations: rest } })}\n`;
}
