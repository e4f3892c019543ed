import { type FieldError, FieldPath, forbidden, invalid, required } from '../../meta/field-error.ts';
import { isDNS1035Label, isDNS1123Subdomain } from '../../meta/names.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
} from '../../types/apiextensions-v1.ts';
import { immutable, oneOf } from '../field-checks.ts';
import { clientConfigFaults, reviewVersionFaults } from '../webhook-client.ts';
import { structuralFaults } from './structural-schema.ts';

const spec = new FieldPath('spec');
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['binary', 'bool', 'byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const approvalAnnotation = 'api-approved.kubernetes.io';
const longestWarning = 256;

/** The reasons joined as upstream joins them, or nothing. */
function joined(path: FieldPath, value: string | undefined, prefix = '', text = value): readonly FieldError[] {
  if (!value) return [];
  const bad = isDNS1035Label(text ?? '');
  return bad.length === 0 ? [] : [invalid(path, value, prefix + bad.join(','))];
}

export function validateDefinitionNames(names: CustomResourceDefinitionNames | undefined, at: string): readonly FieldError[] {
  const path = new FieldPath(at);
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = names ?? {};
  const mixed = 'may have mixed case, but should otherwise match: ';
  const errors = [
    ...joined(path.child('plural'), plural),
    ...joined(path.child('singular'), singular),
    ...joined(path.child('kind'), kind, mixed, kind?.toLowerCase()),
    ...joined(path.child('listKind'), listKind, mixed, listKind?.toLowerCase()),
    ...shortNames.flatMap((name, i) => joined(path.child('shortNames').index(i), name)),
  ];
  if (kind && kind === listKind) errors.push(invalid(path.child('listKind'), listKind, 'kind and listKind may not be the same'));
  return [...errors, ...categories.flatMap((name, i) => joined(path.child('categories').index(i), name))];
}

/** A JSON path without wildcards, filters or slices: `.spec.a["b"][0]`. */
const isSimplePath = (text: string): boolean => /^(\.[A-Za-z_$][\w$-]*|\.[\w\\.-]+|\["[^"]+"\]|\['[^']+'\]|\[\d+\])+$/.test(text);

function pathFaults(text: string | undefined, path: FieldPath): readonly FieldError[] {
  if (!text) return [required(path)];
  if (!text.startsWith('.')) return [invalid(path, text, 'must be a simple json path starting with .')];
  return isSimplePath(text) ? [] : [invalid(path, text, 'must be a simple json path starting with .')];
}

function columnFaults(item: CustomResourceColumnDefinition, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = item.name ? [] : [required(path.child('name'))];
  const types = `must be one of ${columnTypes.join(',')}`;
  if (!item.type) errors.push(required(path.child('type'), types));
  else if (!columnTypes.includes(item.type)) errors.push(invalid(path.child('type'), item.type, types));
  if (item.format && !columnFormats.includes(item.format)) {
    errors.push(invalid(path.child('format'), item.format, `must be one of ${columnFormats.join(',')}`));
  }
  if (!item.jsonPath) errors.push(required(path.child('JSONPath')));
  else if (!item.jsonPath.startsWith('.')) {
    errors.push(invalid(path.child('JSONPath'), item.jsonPath, 'must be a simple json path starting with .'));
  }
  return errors;
}

function subresourceFaults(subresources: CustomResourceSubresources | undefined, path: FieldPath): readonly FieldError[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const errors: FieldError[] = [];
  const under = (field: string, text: string | undefined, roots: readonly string[], detail: string): void => {
    const at = path.child(`scale.${field}`);
    const bad = pathFaults(text, at);
    if (bad.length > 0) errors.push(...bad);
    else if (!roots.some((root) => text!.startsWith(root))) errors.push(invalid(at, text, detail));
  };
  under('specReplicasPath', scale.specReplicasPath, ['.spec.'], 'should be a json path under .spec');
  under('statusReplicasPath', scale.statusReplicasPath, ['.status.'], 'should be a json path under .status');
  if (scale.labelSelectorPath) {
    const detail = 'should be a json path under either .spec or .status';
    under('labelSelectorPath', scale.labelSelectorPath, ['.spec.', '.status.'], detail);
  }
  return errors;
}

function versionFaults(version: CustomResourceDefinitionVersion, path: FieldPath): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { name = '', deprecated = false, deprecationWarning: warning, schema } = version;
  const bad = isDNS1035Label(name);
  if (bad.length > 0) errors.push(invalid(path.child('name'), name, bad.join(',')));
  const at = path.child('deprecationWarning');
  if (warning !== undefined) {
    if (!deprecated) errors.push(invalid(at, warning, 'can only be set for deprecated versions'));
    else if (warning.length > longestWarning) errors.push(invalid(at, warning, 'must be <= 256 characters long'));
    else if (warning === '') errors.push(invalid(at, warning, 'must not be an empty string'));
  }
  const root = path.child('schema', 'openAPIV3Schema');
  if (schema?.openAPIV3Schema === undefined) errors.push(required(root));
  else errors.push(...structuralFaults(schema.openAPIV3Schema, root));
  errors.push(...subresourceFaults(version.subresources, path.child('subresources')));
  (version.additionalPrinterColumns ?? []).forEach((item, i) => {
    errors.push(...columnFaults(item, path.child('additionalPrinterColumns').index(i)));
  });
  (version.selectableFields ?? []).forEach((item, i) => {
    errors.push(...pathFaults(item.jsonPath, path.child('selectableFields').index(i).child('jsonPath')));
  });
  return errors;
}

/** Paths are those of the internal type, as upstream reports them. */
function conversionFaults(conversion: CustomResourceConversion | undefined): readonly FieldError[] {
  if (conversion === undefined) return [];
  const path = spec.child('conversion');
  const errors = [...oneOf(path.child('strategy'), conversion.strategy, ['None', 'Webhook'])];
  const client = path.child('webhookClientConfig');
  const versions = path.child('conversionReviewVersions');
  const { clientConfig, conversionReviewVersions = [] } = conversion.webhook ?? {};
  if (conversion.strategy === 'Webhook') {
    if (clientConfig === undefined) errors.push(required(client, 'required when strategy is set to Webhook'));
    else errors.push(...clientConfigFaults(clientConfig, client));
    return [...errors, ...reviewVersionFaults(conversionReviewVersions, ['v1', 'v1beta1'], versions, '', isDNS1035Label)];
  }
  const detail = 'should not be set when strategy is not set to Webhook';
  if (clientConfig !== undefined) errors.push(forbidden(client, detail));
  if (conversionReviewVersions.length > 0) errors.push(forbidden(versions, detail));
  return errors;
}

function specFaults(object: CustomResourceDefinition): readonly FieldError[] {
  const { group = '', scope, versions = [], names, conversion } = object.spec ?? {};
  const errors: FieldError[] = [];
  const bad = isDNS1123Subdomain(group);
  if (group === '') errors.push(required(spec.child('group')));
  else if (bad.length > 0) errors.push(invalid(spec.child('group'), group, bad.join(',')));
  else if (!group.includes('.')) errors.push(invalid(spec.child('group'), group, 'should be a domain with at least one dot'));
  errors.push(...oneOf(spec.child('scope'), scope, ['Cluster', 'Namespaced']));
  versions.forEach((version, i) => void errors.push(...versionFaults(version, spec.child('versions').index(i))));
  if (new Set(versions.map((v) => v.name)).size !== versions.length) {
    errors.push(invalid(spec.child('versions'), versions, 'must contain unique version names'));
  }
  if (versions.filter((v) => v.storage === true).length !== 1) {
    errors.push(invalid(spec.child('versions'), versions, 'must have exactly one version marked as storage version'));
  }
  for (const field of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!names?.[field]) errors.push(required(spec.child('names', field)));
  }
  errors.push(...validateDefinitionNames(names, 'spec.names'), ...conversionFaults(conversion));
  if (object.spec?.preserveUnknownFields === true) {
    const detail =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead; see https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning for details';
    errors.push(invalid(spec.child('preserveUnknownFields'), true, detail));
  }
  return errors;
}

function storedVersionFaults(object: CustomResourceDefinition): readonly FieldError[] {
  const path = new FieldPath('status.storedVersions');
  const stored = object.status?.storedVersions ?? [];
  if (stored.length === 0) return [invalid(path, stored, 'must have at least one stored version')];
  const versions = object.spec?.versions ?? [];
  const errors = versions
    .filter((v) => v.storage === true && !stored.includes(v.name))
    .map((v) => invalid(path, stored, `must have the storage version ${v.name}`));
  stored.forEach((name, i) => {
    if (versions.some((v) => v.name === name)) return;
    const detail = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(invalid(path.index(i), name, detail));
  });
  return errors;
}

/** Groups of the community need an annotation that says where the API was approved. */
function approvalFaults(object: CustomResourceDefinition): readonly FieldError[] {
  const group = object.spec?.group ?? '';
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return [];
  const path = new FieldPath('metadata.annotations').key(approvalAnnotation);
  const value = object.metadata?.annotations?.[approvalAnnotation];
  if (value === undefined || value === '') {
    const detail = `protected groups must have approval annotation "${approvalAnnotation}", see https://github.com/kubernetes/enhancements/pull/1111`;
    return [required(path, detail)];
  }
  if (value.startsWith('unapproved') || URL.canParse(value)) return [];
  const detail = `protected groups must have approval annotation "${approvalAnnotation}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
  return [invalid(path, value, detail)];
}

export function validateDefinition(object: CustomResourceDefinition): readonly FieldError[] {
  const name = object.metadata?.name ?? '';
  const wanted = `${object.spec?.names?.plural ?? ''}.${object.spec?.group ?? ''}`;
  return [
    ...(name === wanted ? [] : [invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group')]),
    ...specFaults(object),
    ...storedVersionFaults(object),
    ...approvalFaults(object),
  ];
}

export function validateDefinitionUpdate(object: CustomResourceDefinition, old: CustomResourceDefinition): readonly FieldError[] {
  const errors = [...specFaults(object)];
  const [after, before] = [object.spec, old.spec];
  if (old.status?.conditions?.some((c) => c.type === 'Established' && c.status === 'True')) {
    errors.push(...immutable(spec.child('scope'), after?.scope, before?.scope));
    errors.push(...immutable(spec.child('names', 'kind'), after?.names?.kind, before?.names?.kind));
  }
  errors.push(...immutable(spec.child('group'), after?.group, before?.group));
  errors.push(...immutable(spec.child('names', 'plural'), after?.names?.plural, before?.names?.plural));
  const approval = (crd: CustomResourceDefinition) => crd.metadata?.annotations?.[approvalAnnotation];
  const unchanged = approval(object) === approval(old);
  return [...errors, ...storedVersionFaults(object), ...(unchanged ? [] : approvalFaults(object))];
}
