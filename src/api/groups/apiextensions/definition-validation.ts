import { type FieldError, FieldPath, forbidden, invalid, required } from '../../meta/field-error.ts';
import { isDNS1035Label, isDNS1123Subdomain } from '../../meta/names.ts';
import type {
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from '../../types/apiextensions-v1.ts';
import { deepEqual } from '../define.ts';
import { immutable, oneOf } from '../field-checks.ts';
import { clientConfigFaults, reviewVersionFaults } from '../webhook-client.ts';
import { hasUnknownType, isUnatomicSet, mapKeyFaults, type SchemaRules } from './open-api-schema.ts';
import { hasUnknownFields } from './schema-defaults.ts';
import { someSchema } from './structural-schema.ts';
import {
  columnFaults,
  deprecationFaults,
  hasTooManySelectable,
  schemaFaults,
  selectableFaults,
  subresourceFaults,
} from './version-validation.ts';

type Version = CustomResourceDefinitionVersion;

const approvalAnnotation = 'api-approved.kubernetes.io';
const reviewVersions = ['v1', 'v1beta1'];

/** The reasons joined as upstream joins them, or nothing. */
function joined(path: string, value: string | undefined, prefix = '', text = value): readonly FieldError[] {
  if (!value) return [];
  const bad = isDNS1035Label(text ?? '');
  return bad.length === 0 ? [] : [invalid(path, value, prefix + bad.join(','))];
}

export function validateDefinitionNames(names: CustomResourceDefinitionNames | undefined, at: string): readonly FieldError[] {
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names ?? {};
  const mixed = 'may have mixed case, but should otherwise match: ';
  const errors = [
    ...joined(`${at}.plural`, plural),
    ...joined(`${at}.singular`, singular),
    ...joined(`${at}.kind`, kind, mixed, kind?.toLowerCase()),
    ...joined(`${at}.listKind`, listKind, mixed, listKind?.toLowerCase()),
    ...shortNames.flatMap((name, i) => labelFaults(`${at}.shortNames[${i}]`, name)),
  ];
  if (kind && kind === listKind) errors.push(invalid(`${at}.listKind`, listKind, 'kind and listKind may not be the same'));
  return [...errors, ...categories.flatMap((name, i) => labelFaults(`${at}.categories[${i}]`, name))];
}

function labelFaults(path: string, name: string): readonly FieldError[] {
  const bad = isDNS1035Label(name);
  return bad.length === 0 ? [] : [invalid(path, name, bad.join(','))];
}

/** Paths are those of the internal type, as upstream reports them. `recognized`: a version that we speak must be among those offered. */
function conversionFaults(conversion: CustomResourceConversion | undefined, recognized: boolean): readonly FieldError[] {
  if (conversion === undefined) return [];
  const path = new FieldPath('spec.conversion');
  const errors = [...oneOf(path.child('strategy'), conversion.strategy, ['None', 'Webhook'])];
  const client = path.child('webhookClientConfig');
  const versions = path.child('conversionReviewVersions');
  const { clientConfig, conversionReviewVersions = [] } = conversion.webhook ?? {};
  if (conversion.strategy === 'Webhook') {
    if (clientConfig === undefined) errors.push(required(client, 'required when strategy is set to Webhook'));
    else errors.push(...clientConfigFaults(clientConfig, client));
    const accepted = recognized ? reviewVersions : conversionReviewVersions;
    return [...errors, ...reviewVersionFaults(conversionReviewVersions, accepted, versions, '', isDNS1035Label)];
  }
  const detail = 'should not be set when strategy is not set to Webhook';
  if (clientConfig !== undefined) errors.push(forbidden(client, detail));
  if (conversionReviewVersions.length > 0) errors.push(forbidden(versions, detail));
  return errors;
}

type Part = 'schema' | 'subresources' | 'additionalPrinterColumns' | 'selectableFields';

const hasStatus = (version: Version): boolean => (version.subresources?.status ?? null) !== null;
const schemaOf = (version: Version | undefined): JSONSchemaProps | undefined => version?.schema?.openAPIV3Schema;

/** Rules for a definition; those that `old` breaks already are not held against it. */
function rulesFor(old: CustomResourceDefinition | undefined): SchemaRules {
  const schemas = (old?.spec?.versions ?? []).flatMap((v) => schemaOf(v) ?? []);
  const broke = (test: (schema: JSONSchemaProps) => boolean): boolean => schemas.some((schema) => someSchema(schema, test));
  return {
    validTypes: !schemas.some(hasUnknownType),
    atomicSets: !broke(isUnatomicSet),
    mapKeys: !broke((schema) => mapKeyFaults(schema, '').length > 0),
    prunedDefaults: !broke((schema) => (schema.default ?? null) !== null && hasUnknownFields(schema.default, schema)),
  };
}

/** One version, or what all have alike (`withStatus` then tells whether any has a status), as far as `parts` are its own. */
function partFaults(
  version: Version,
  old: Version | undefined,
  parts: readonly Part[],
  path: string,
  schemaPath: string,
  withStatus: boolean,
  rules: SchemaRules,
): readonly FieldError[] {
  const { subresources, additionalPrinterColumns = [], selectableFields = [] } = version;
  const schema = schemaOf(version);
  const errors: FieldError[] = [];
  if (parts.includes('schema') && schema !== undefined) {
    errors.push(...schemaFaults(schema, schemaPath, withStatus, rules, deepEqual(schema, schemaOf(old))));
  }
  if (parts.includes('subresources')) errors.push(...subresourceFaults(subresources, `${path}.subresources`));
  if (parts.includes('additionalPrinterColumns')) {
    additionalPrinterColumns.forEach((item, i) => {
      errors.push(...columnFaults(item, `${path}.additionalPrinterColumns[${i}]`));
    });
  }
  if (parts.includes('selectableFields') && selectableFields.length > 0 && schema !== undefined) {
    const tooManyBefore = hasTooManySelectable(old?.selectableFields) && deepEqual(old?.selectableFields, selectableFields);
    errors.push(...selectableFaults(selectableFields, schema, `${path}.selectableFields`, tooManyBefore));
  }
  return errors;
}

function specFaults(object: CustomResourceDefinition, old?: CustomResourceDefinition): readonly FieldError[] {
  const { group = '', scope, versions = [], names, conversion, preserveUnknownFields } = object.spec ?? {};
  const before = old?.spec?.versions ?? [];
  const oldVersion = (name: string): Version | undefined => before.find((v) => v.name === name);
  const rules = rulesFor(old);
  const errors: FieldError[] = [];
  const bad = isDNS1123Subdomain(group);
  if (group === '') errors.push(required('spec.group'));
  else if (bad.length > 0) errors.push(invalid('spec.group', group, bad.join(',')));
  else if (!group.includes('.')) errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  errors.push(...oneOf('spec.scope', scope, ['Cluster', 'Namespaced']));
  const always = before.every((v) => schemaOf(v) !== undefined);
  versions.forEach((version, i) => {
    if (schemaOf(version) !== undefined || !(always || version.served)) return;
    errors.push(required(`spec.versions[${i}].schema.openAPIV3Schema`, always ? '' : 'because otherwise all fields are pruned'));
  });
  const withDefaults = versions.some((v) => someSchema(schemaOf(v) ?? {}, (schema) => (schema.default ?? null) !== null));
  if (preserveUnknownFields === true && withDefaults) {
    errors.push(invalid('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema'));
  }
  // What all versions have alike upstream keeps, and finds fault with, once: at the top.
  const parts: readonly Part[] = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'];
  const shared = parts.filter((part) => versions.every((v) => deepEqual(v[part], versions[0]?.[part])));
  const own = parts.filter((part) => !shared.includes(part));
  versions.forEach((version, i) => {
    const path = `spec.versions[${i}]`;
    errors.push(
      ...labelFaults(`${path}.name`, version.name ?? ''),
      ...deprecationFaults(version.deprecated === true, version.deprecationWarning, `${path}.deprecationWarning`),
      ...partFaults(version, oldVersion(version.name), own, path, `${path}.schema.openAPIV3Schema`, hasStatus(version), rules),
    );
  });
  errors.push(
    ...versionListFaults(object.spec?.versions),
    ...missingNames(names),
    ...validateDefinitionNames(names, 'spec.names'),
  );
  const [first] = versions;
  if (first !== undefined) {
    const before = oldVersion(first.name);
    errors.push(...partFaults(first, before, shared, 'spec', 'spec.validation.openAPIV3Schema', versions.some(hasStatus), rules));
  }
  if (preserveUnknownFields === true && conversion !== undefined && conversion.strategy !== 'None') {
    errors.push(invalid('spec.conversion.strategy', conversion.strategy, 'must be None if spec.preserveUnknownFields is true'));
  }
  const offered = old?.spec?.conversion?.webhook?.conversionReviewVersions ?? [];
  const recognized = offered.length === 0 || offered.some((version) => reviewVersions.includes(version));
  return [...errors, ...conversionFaults(conversion, recognized)];
}

function versionListFaults(given: readonly Version[] | undefined): readonly FieldError[] {
  const versions = given ?? [];
  const errors: FieldError[] = [];
  if (new Set(versions.map((v) => v.name)).size !== versions.length) {
    errors.push(invalid('spec.versions', versions, 'must contain unique version names'));
  }
  if (versions.filter((v) => v.storage === true).length !== 1) {
    errors.push(invalid('spec.versions', given, 'must have exactly one version marked as storage version'));
  }
  // The first version has a place of its own in the internal type.
  if (versions[0]?.name) errors.push(...labelFaults('spec.version', versions[0].name));
  return errors;
}

const missingNames = (names: CustomResourceDefinitionNames | undefined): readonly FieldError[] =>
  (['plural', 'singular', 'kind', 'listKind'] as const)
    .filter((field) => !names?.[field])
    .map((field) => required(`spec.names.${field}`));

function storedVersionFaults(object: CustomResourceDefinition): readonly FieldError[] {
  const path = 'status.storedVersions';
  const stored = object.status?.storedVersions ?? [];
  if (stored.length === 0) return [invalid(path, null, 'must have at least one stored version')];
  const versions = object.spec?.versions ?? [];
  const errors = versions
    .filter((v) => v.storage === true && !stored.includes(v.name))
    .map((v) => invalid(path, stored, `must have the storage version ${v.name}`));
  stored.forEach((name, i) => {
    if (versions.some((v) => v.name === name)) return;
    const detail = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalid(`${path}[${i}]`, name, detail));
  });
  return errors;
}

/** Groups of the community need an annotation that says where the API was approved. */
function approvalFaults(object: CustomResourceDefinition): readonly FieldError[] {
  const group = object.spec?.group ?? '';
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return [];
  const path = `metadata.annotations[${approvalAnnotation}]`;
  const value = object.metadata?.annotations?.[approvalAnnotation];
  if (value === undefined || value === '') {
    const detail = `protected groups must have approval annotation "${approvalAnnotation}", see https://github.com/kubernetes/enhancements/pull/1111`;
    return [required(path, detail)];
  }
  if (value.startsWith('unapproved') || URL.canParse(value)) return [];
  const detail = `protected groups must have approval annotation "${approvalAnnotation}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
  return [invalid(path, value, detail)];
}

/** Unknown fields are pruned from all objects but those of definitions that have always kept them. */
function preservingFaults(object: CustomResourceDefinition): readonly FieldError[] {
  if (object.spec?.preserveUnknownFields !== true) return [];
  const detail = 'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  return [invalid('spec.preserveUnknownFields', true, detail)];
}

export function validateDefinition(object: CustomResourceDefinition): readonly FieldError[] {
  const name = object.metadata?.name ?? '';
  const wanted = `${object.spec?.names?.plural ?? ''}.${object.spec?.group ?? ''}`;
  return [
    ...(name === wanted ? [] : [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]),
    ...specFaults(object),
    ...storedVersionFaults(object),
    ...approvalFaults(object),
    ...preservingFaults(object),
  ];
}

export function validateDefinitionUpdate(object: CustomResourceDefinition, old: CustomResourceDefinition): readonly FieldError[] {
  const errors = [...specFaults(object, old)];
  const [after, before] = [object.spec, old.spec];
  if (old.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True')) {
    errors.push(...immutable('spec.scope', after?.scope, before?.scope));
    errors.push(...immutable('spec.names.kind', after?.names?.kind, before?.names?.kind));
  }
  errors.push(...immutable('spec.group', after?.group, before?.group));
  errors.push(...immutable('spec.names.plural', after?.names?.plural, before?.names?.plural));
  const approval = (crd: CustomResourceDefinition): string | undefined => crd.metadata?.annotations?.[approvalAnnotation];
  return [
    ...errors,
    ...validateDefinitionNames(object.status?.acceptedNames, 'status.acceptedNames'),
    ...storedVersionFaults(object),
    ...(approval(object) === approval(old) ? [] : approvalFaults(object)),
    ...(before?.preserveUnknownFields === true ? [] : preservingFaults(object)),
  ];
}
