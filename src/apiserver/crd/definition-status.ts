import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '../../api/types/apiextensions-v1.ts';

type Definition = CustomResourceDefinition;
type Condition = CustomResourceDefinitionCondition;

const APPROVAL_ANNOTATION = 'api-approved.kubernetes.io';
const ENHANCEMENT = 'see https://github.com/kubernetes/enhancements/pull/1111';

export const conditionOf = (definition: Definition, type: string): Condition | undefined =>
  definition.status?.conditions?.find((c) => c.type === type);

export const isTrue = (definition: Definition, type: string): boolean => conditionOf(definition, type)?.status === 'True';

/** The definition with a condition set. The transition time stays where the status does. `now` is a timestamp. */
export function withCondition(definition: Definition, condition: Condition, now: string): Definition {
  const conditions = definition.status?.conditions ?? [];
  const before = conditionOf(definition, condition.type);
  const same = before !== undefined && before.status === condition.status && before.lastTransitionTime !== undefined;
  const after = { ...condition, lastTransitionTime: same ? before.lastTransitionTime! : now };
  if (before?.reason === after.reason && before?.message === after.message && same) return definition;
  return {
    ...definition,
    status: {
      ...definition.status,
      conditions: before === undefined ? [...conditions, after] : conditions.map((c) => (c.type === condition.type ? after : c)),
    },
  };
}

/**
 * The status that a definition comes to beside the others of its group: which names it gets, and whether it is served. Upstream's naming,
 * establishing and API approval controllers in one step. The same object when nothing changes. `now` is a timestamp.
 */
export function nextStatus(definition: Definition, others: Iterable<Definition>, now: string): Definition {
  return withApproval(withEstablished(withNames(definition, others, now), now), now);
}

function withNames(definition: Definition, others: Iterable<Definition>, now: string): Definition {
  const wanted = definition.spec.names;
  const accepted = definition.status?.acceptedNames ?? { plural: '', kind: '' };
  if (sameNames(wanted, accepted) && conditionOf(definition, 'NamesAccepted') !== undefined) return definition;
  const { resources, kinds } = namesOf(others);
  const conflicts: { reason: string; message: string }[] = [];
  const choose = (reason: string, name: string | undefined, mine: string | undefined, used: ReadonlySet<string>): string => {
    if ((name ?? '') === (mine ?? '') || !used.has(name ?? '')) return name ?? '';
    conflicts.push({ reason, message: inUse(name ?? '') });
    return mine ?? '';
  };
  const plural = choose('PluralConflict', wanted.plural, accepted.plural, resources);
  const singular = choose('SingularConflict', wanted.singular, accepted.singular, resources);
  const shortNames = chooseShortNames(wanted, accepted, resources, conflicts);
  const kind = choose('KindConflict', wanted.kind, accepted.kind, kinds);
  const listKind = choose('ListKindConflict', wanted.listKind, accepted.listKind, kinds);
  const acceptedNames: CustomResourceDefinitionNames = {
    ...(wanted.categories === undefined ? {} : { categories: wanted.categories }),
    kind,
    ...(listKind === '' ? {} : { listKind }),
    plural,
    ...(shortNames === undefined ? {} : { shortNames }),
    ...(singular === '' ? {} : { singular }),
  };
  const worst = conflicts.at(-1);
  const named: Definition = sameNames(acceptedNames, accepted)
    ? definition
    : { ...definition, status: { ...definition.status, acceptedNames } };
  return withCondition(
    named,
    worst === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', ...worst },
    now,
  );
}

function chooseShortNames(
  wanted: CustomResourceDefinitionNames,
  accepted: CustomResourceDefinitionNames,
  used: ReadonlySet<string>,
  conflicts: { reason: string; message: string }[],
): readonly string[] | undefined {
  const mine = accepted.shortNames ?? [];
  const taken = (wanted.shortNames ?? []).filter((name) => !mine.includes(name) && used.has(name));
  if (taken.length === 0) return wanted.shortNames;
  const messages = [...new Set(taken.map(inUse))];
  const message = messages.length === 1 ? messages[0]! : `[${messages.join(', ')}]`;
  conflicts.push({ reason: 'ShortNamesConflict', message });
  return accepted.shortNames;
}

const inUse = (name: string): string => `${JSON.stringify(name)} is already in use`;

function namesOf(definitions: Iterable<Definition>): {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
} {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { status } of definitions) {
    const names = status?.acceptedNames;
    if (names === undefined) continue;
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [names.kind, names.listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

const list = (names: readonly string[] | undefined): string => (names ?? []).join();

function sameNames(a: CustomResourceDefinitionNames, b: CustomResourceDefinitionNames): boolean {
  return (
    a.plural === b.plural &&
    (a.singular ?? '') === (b.singular ?? '') &&
    a.kind === b.kind &&
    (a.listKind ?? '') === (b.listKind ?? '') &&
    list(a.shortNames) === list(b.shortNames) &&
    list(a.categories) === list(b.categories)
  );
}

function withEstablished(definition: Definition, now: string): Definition {
  if (isTrue(definition, 'Established')) return definition;
  if (!isTrue(definition, 'NamesAccepted')) {
    const message = 'not all names are accepted';
    return withCondition(definition, { type: 'Established', status: 'False', reason: 'NotAccepted', message }, now);
  }
  const bundle = definition.spec.conversion?.webhook?.clientConfig?.caBundle;
  if (bundle !== undefined && bundle !== '' && !isCertificate(bundle)) {
    const message = 'The conversion webhook CABundle is invalid';
    return withCondition(definition, { type: 'Established', status: 'False', reason: 'InvalidCABundle', message }, now);
  }
  const message = 'the initial names have been accepted';
  return withCondition(definition, { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message }, now);
}

const isCertificate = (bundle: string): boolean =>
  Buffer.from(bundle, 'base64').toString('latin1').includes('-----BEGIN CERTIFICATE-----');

function withApproval(definition: Definition, now: string): Definition {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(definition.spec.group)) return definition;
  const value = definition.metadata?.annotations?.[APPROVAL_ANNOTATION] ?? '';
  return withCondition(definition, { type: 'KubernetesAPIApprovalPolicyConformant', ...approval(value) }, now);
}

function approval(value: string): { readonly status: string; readonly reason: string; readonly message: string } {
  const must = `protected groups must have approval annotation "${APPROVAL_ANNOTATION}"`;
  if (value === '') return { status: 'False', reason: 'MissingAnnotation', message: `${must}, ${ENHANCEMENT}` };
  if (value.startsWith('unapproved')) {
    return { status: 'False', reason: 'UnapprovedAnnotation', message: `not approved: ${JSON.stringify(value)}` };
  }
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(value)) {
    return { status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${value}` };
  }
  const message = `${must} with either a URL or a reason starting with "unapproved", ${ENHANCEMENT}`;
  return { status: 'False', reason: 'InvalidAnnotation', message };
}
