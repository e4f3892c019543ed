import { type FieldError, FieldPath, invalid, required } from '../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../meta/names.ts';
import type { KubernetesObject } from '../meta/object.ts';
import { IMMUTABLE } from '../meta/object-meta-validation.ts';
import type { Resource } from '../resource.ts';
import type { Event as CoreEvent } from '../types/core-v1.ts';
import type { Event } from '../types/events-v1.ts';
import { eventColumns, eventRow, eventStorage, eventTtlSeconds, validateEvent } from './core/event.ts';
import { internalForm } from './core/internal-json.ts';
import { deepEqual, groupVersion } from './define.ts';

const define = groupVersion('events.k8s.io', 'v1');

/** What each field is called in core/v1; the fields that are not here have the same name in both groups. */
const coreNames: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
};
const eventNames = Object.fromEntries(Object.entries(coreNames).map(([name, core]) => [core, name]));

function renamed(object: KubernetesObject, names: Readonly<Record<string, string>>, apiVersion: string): KubernetesObject {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) out[names[key] ?? key] = value;
  return { ...out, apiVersion };
}

/** The same event as core/v1 says it. */
export const toCoreEvent = (event: Event): CoreEvent => renamed(event, coreNames, 'v1') as CoreEvent;
/** The same event as events.k8s.io/v1 says it. */
export const fromCoreEvent = (event: CoreEvent): Event => renamed(event, eventNames, 'events.k8s.io/v1') as unknown as Event;

function seriesFaults(event: CoreEvent): readonly FieldError[] {
  if (event.series === undefined) return [];
  const errors: FieldError[] = [];
  if ((event.series.count ?? 0) < 2) errors.push(invalid('series.count', '', 'should be at least 2'));
  if (!event.series.lastObservedTime) errors.push(required('series.lastObservedTime'));
  return errors;
}

/** Events that come through this group are held to its rules; field paths are those of core/v1, as upstream. */
function validate(object: Event): readonly FieldError[] {
  const event = toCoreEvent(object);
  const errors = [...validateEvent(event, 'reportingController'), ...seriesFaults(event)];
  const unset = (name: string): void => void errors.push(invalid(name, '', 'needs to be unset'));
  if (!event.eventTime) errors.push(required('eventTime'));
  if (event.type !== 'Normal' && event.type !== 'Warning') {
    errors.push(invalid('type', '', `has invalid value: ${event.type ?? ''}`));
  }
  if (event.firstTimestamp) unset('firstTimestamp');
  if (event.lastTimestamp) unset('lastTimestamp');
  if (event.count) unset('count');
  if (event.source?.component || event.source?.host) unset('source');
  return errors;
}

const fixedFields = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'reason',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const satisfies readonly (keyof CoreEvent)[];

/** Structs of upstream's own, and what is not there as Go has it. */
function shownValue(event: CoreEvent, name: (typeof fixedFields)[number]): unknown {
  const value = event[name];
  switch (name) {
    case 'involvedObject':
    case 'related':
      return value === undefined ? null : internalForm('io.k8s.api.core.v1.ObjectReference', value as object);
    case 'source':
      return internalForm('io.k8s.api.core.v1.EventSource', (value ?? {}) as object);
    case 'count':
      return value ?? 0;
    case 'eventTime':
    case 'firstTimestamp':
    case 'lastTimestamp':
      return value ?? null;
    default:
      return value ?? '';
  }
}

/** Only the series of an event goes on. */
function validateUpdate(object: Event, old: Event): readonly FieldError[] {
  const event = toCoreEvent(object);
  const before = toCoreEvent(old);
  const shown = (name: string): FieldPath => new FieldPath(name === 'reportingComponent' ? 'reportingController' : name);
  return [
    ...validateEvent(event, 'reportingController'),
    ...(deepEqual(event.series, before.series) ? [] : seriesFaults(event)),
    ...fixedFields.flatMap((name) =>
      deepEqual(event[name] ?? undefined, before[name] ?? undefined)
        ? []
        : [invalid(shown(name), shownValue(event, name), IMMUTABLE)],
    ),
  ];
}

const event = define<Event>({
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  shortNames: ['ev'],
  storagePrefix: eventStorage.prefix,
  storageVersion: eventStorage.version,
  conversion: {
    toStorage: (object) => toCoreEvent(object),
    fromStorage: (object) => fromCoreEvent(object as CoreEvent),
  },
  strategy: { allowCreateOnUpdate: true },
  validate,
  validateUpdate,
  validateName: nameIsDNSSubdomain,
  columns: eventColumns,
  row: (object, now) => eventRow(toCoreEvent(object), now),
  fieldSelectors: {
    'regarding.kind': (e) => e.regarding?.kind ?? '',
    'regarding.namespace': (e) => e.regarding?.namespace ?? '',
    'regarding.name': (e) => e.regarding?.name ?? '',
    'regarding.uid': (e) => e.regarding?.uid ?? '',
    'regarding.apiVersion': (e) => e.regarding?.apiVersion ?? '',
    'regarding.resourceVersion': (e) => e.regarding?.resourceVersion ?? '',
    'regarding.fieldPath': (e) => e.regarding?.fieldPath ?? '',
    reportingController: (e) => e.reportingController ?? '',
    reason: (e) => e.reason ?? '',
    type: (e) => e.type ?? '',
  },
  ttlSeconds: eventTtlSeconds,
});

export const eventsResources: readonly Resource[] = [event];
