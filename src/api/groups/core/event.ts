import { type FieldError, FieldPath, invalid, required } from '../../meta/field-error.ts';
import { isDNS1123Subdomain, isQualifiedName } from '../../meta/names.ts';
import type { Event } from '../../types/core-v1.ts';
import { age, column, groupVersion, nameColumn } from '../define.ts';
import { check } from '../field-checks.ts';

const define = groupVersion('', 'v1');

/** Seconds an event is kept after its last write: the API server's --event-ttl. */
export const eventTtlSeconds = 3600;

/** Where events live, whichever group they came through. */
export const eventStorage = { prefix: '/registry/events', version: { group: '', version: 'v1' } } as const;

/** In bytes. */
const longest = { reportingInstance: 128, action: 128, reason: 128, message: 1024 } as const;

const notLonger = (name: string, value: string, limit: number): readonly FieldError[] =>
  Buffer.byteLength(value) > limit ? [invalid(name, '', `can have at most ${limit} characters`)] : [];

const namespaceMismatch = (event: Event): FieldError =>
  invalid(
    new FieldPath('involvedObject').child('namespace'),
    event.involvedObject?.namespace ?? '',
    'does not match event.namespace',
  );

/** What every event must satisfy, in either group. An event with eventTime is of the newer form (KEP-383) and held to more. */
export function validateEvent(
  event: Event,
  controllerField: 'reportingComponent' | 'reportingController',
): readonly FieldError[] {
  const namespace = event.metadata?.namespace ?? '';
  const about = event.involvedObject?.namespace ?? '';
  const errors: FieldError[] = [];
  if (event.eventTime === undefined || event.eventTime === null) {
    const agrees = about === '' ? namespace === '' || namespace === 'default' : namespace === about;
    if (!agrees) errors.push(namespaceMismatch(event));
  } else {
    // Events about cluster-scoped objects live in default (or kube-system, for old clients).
    if (about === '' && namespace !== 'default' && namespace !== 'kube-system') errors.push(namespaceMismatch(event));
    const controller = event.reportingComponent ?? '';
    if (controller === '') errors.push(required(controllerField));
    errors.push(...check(controllerField, controller, isQualifiedName));
    for (const name of ['reportingInstance', 'action', 'reason'] as const) {
      const value = event[name] ?? '';
      if (value === '') errors.push(required(name));
      errors.push(...notLonger(name, value, longest[name]));
    }
    errors.push(...notLonger('message', event.message ?? '', longest.message));
  }
  return [...errors, ...check('namespace', namespace, isDNS1123Subdomain)];
}

/** `component, host` of an event's source; what a newer reporter put in its place otherwise. */
function formatSource(event: Event): string {
  const component = event.source?.component || event.reportingComponent || '';
  const instance = event.source?.host || event.reportingInstance || '';
  return instance === '' ? component : `${component}, ${instance}`;
}

export const eventColumns = [
  column('Last Seen', 'string', 'The time at which the most recent occurrence of this event was recorded.'),
  column('Type', 'string', 'Type of this event (Normal, Warning), new types could be added in the future'),
  column(
    'Reason',
    'string',
    "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
  ),
  column('Object', 'string', 'The object that this event is about.'),
  column(
    'Subobject',
    'string',
    'If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement, such as desiredState.manifest.containers[2]. For example, if the object reference is to a container within a pod, this would take on a value like: "spec.containers{name}" (where "name" refers to the name of the container that triggered the event) or if no container name is specified "spec.containers[2]" (container with index 2 in this pod). This syntax is chosen only to have some well-defined way of referencing a part of an object.',
    1,
  ),
  column('Source', 'string', 'The component reporting this event. Should be a short machine understandable string.', 1),
  column('Message', 'string', 'A human-readable description of the status of this operation.'),
  column('First Seen', 'string', 'The time at which the event was first recorded. (Time of server receipt is in TypeMeta.)', 1),
  column('Count', 'string', 'The number of times this event has occurred.', 1),
  { ...nameColumn, priority: 1 },
];

export function eventRow(event: Event, now: number): readonly unknown[] {
  const zero = (time: string | null | undefined): time is null | undefined => time === undefined || time === null;
  const first = zero(event.firstTimestamp) ? age(event.eventTime ?? undefined, now) : age(event.firstTimestamp, now);
  let last = zero(event.lastTimestamp) ? first : age(event.lastTimestamp, now);
  let count = event.count || 1;
  if (event.series !== undefined) {
    last = age(event.series.lastObservedTime, now);
    count = event.series.count ?? 0;
  }
  const kind = (event.involvedObject?.kind ?? '').toLowerCase();
  const name = event.involvedObject?.name ?? '';
  return [
    last,
    event.type ?? '',
    event.reason ?? '',
    name === '' ? kind : `${kind}/${name}`,
    event.involvedObject?.fieldPath ?? '',
    formatSource(event),
    (event.message ?? '').trim(),
    first,
    count,
    event.metadata?.name ?? '',
  ];
}

export const event = define<Event>({
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  shortNames: ['ev'],
  storagePrefix: eventStorage.prefix,
  strategy: { allowCreateOnUpdate: true },
  validate: (object) => validateEvent(object, 'reportingComponent'),
  // Events of the old form are not held to what other metadata is.
  qualifiedFinalizers: false,
  // Upstream validates neither the name nor the update beyond this, for the sake of old clients.
  validateName: () => [],
  columns: eventColumns,
  row: eventRow,
  fieldSelectors: {
    'involvedObject.kind': (e) => e.involvedObject?.kind ?? '',
    'involvedObject.namespace': (e) => e.involvedObject?.namespace ?? '',
    'involvedObject.name': (e) => e.involvedObject?.name ?? '',
    'involvedObject.uid': (e) => e.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (e) => e.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (e) => e.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (e) => e.involvedObject?.fieldPath ?? '',
    reason: (e) => e.reason ?? '',
    reportingComponent: (e) => e.reportingComponent ?? '',
    source: (e) => e.source?.component || e.reportingComponent || '',
    type: (e) => e.type ?? '',
  },
  ttlSeconds: eventTtlSeconds,
});
