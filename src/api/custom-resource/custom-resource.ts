import { allVerbs, deepEqual, withGeneration } from '../groups/define.ts';
import { type FieldError, type FieldErrorType, FieldPath, invalid } from '../meta/field-error.ts';
import { isQualifiedName, nameIsDNSSubdomain } from '../meta/names.ts';
import { apiVersionOf, type KubernetesObject } from '../meta/object.ts';
import { type ErrorSubject, forbiddenError } from '../meta/status.ts';
import type { RequestContext, Resource, Strategy, Subresource } from '../resource.ts';
import { applyDefaults } from '../schema/defaults.ts';
import { prune } from '../schema/prune.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
  JSONSchemaProps,
} from '../types/apiextensions-v1.ts';
import { compareVersions } from './api-version.ts';
import { Correlation } from './correlation.ts';
import { embeddedResourceFaults } from './embedded-resource.ts';
import { compileJsonPath } from './json-path.ts';
import { duplicateItems } from './list-types.ts';
import { printer } from './printer-columns.ts';
import { type RuleValidator, ruleValidator } from './rules.ts';
import { scaleFaults, scaleMapping } from './scale-paths.ts';
import { compileSchema } from './structural-schema.ts';
import { NO_PATH, type ValueValidator, valueValidator } from './value-validation.ts';

type CustomObject = KubernetesObject & { readonly status?: unknown };
const everything: JSONSchemaProps = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

/** What may change of a definition while its types stay as they are. */
export interface DefinitionState {
  /** The definition is being deleted: nothing new may be created. */
  readonly terminating: boolean;
}

/** Converts objects of a definition to another of its versions: a conversion webhook. In their order; rejects with a StatusError. */
export type ConvertObjects = (objects: readonly KubernetesObject[], apiVersion: string) => Promise<readonly KubernetesObject[]>;

/** Where the objects of a definition are stored. */
export const storagePrefix = (definition: CustomResourceDefinition): string =>
  `/registry/${definition.spec.group}/${definition.spec.names.plural}`;

/**
 * The types that a definition makes: one for each version that is served, under the names that were accepted. Objects may be stored in any
 * version that the definition has; reading one prunes and defaults it by the schema it is stored in, and then relabels it (conversion
 * strategy None; webhooks are the API server's affair).
 */
export function customResources(
  definition: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  state: DefinitionState,
  convert?: ConvertObjects,
): readonly Resource[] {
  const schemas = new Map(definition.spec.versions.map((v) => [v.name, compileSchema(v)]));
  const stored = definition.spec.versions.find((v) => v.storage)?.name ?? '';
  return definition.spec.versions
    .filter((version) => version.served)
    .map((version) => customResource(definition, names, version, stored, schemas, state, convert));
}

function customResource(
  definition: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  version: CustomResourceDefinitionVersion,
  stored: string,
  schemas: ReadonlyMap<string, ObjectSchema>,
  state: DefinitionState,
  convert: ConvertObjects | undefined,
): Resource {
  const { group, scope } = definition.spec;
  const validation = new CustomValidation(version);
  const { columns, row } = printer(version.additionalPrinterColumns);
  const hasStatus = version.subresources?.status !== undefined;
  const subresources: Subresource[] = [];
  if (hasStatus) {
    subresources.push({
      name: 'status',
      verbs: ['get', 'patch', 'update'],
      strategy: { prepareForUpdate: keepAllButStatus },
      validateUpdate: (object, old, context) => validation.statusUpdate(object, old, context),
    });
  }
  const scale = version.subresources?.scale;
  if (scale !== undefined) {
    subresources.push({
      name: 'scale',
      verbs: ['get', 'patch', 'update'],
      kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      scale: scaleMapping(scale),
    });
  }
  const schema = schemas.get(version.name)!;
  const apiVersion = apiVersionOf({ group, version: version.name });
  return {
    group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: scope === 'Namespaced',
    verbs: allVerbs,
    subresources: Object.fromEntries(subresources.map((s) => [s.name, s])),
    schema,
    storage: { prefix: storagePrefix(definition), group, version: stored },
    conversion: {
      toStorage: (object) => object,
      fromStorage: (object) => readStored(object, apiVersion, schemas),
      ...(convert === undefined
        ? {}
        : {
            remote: async (objects, to) => {
              const read = objects.map((object) => readStored(object, object.apiVersion ?? '', schemas));
              return (await convert(read, to)).map((object) => coerced(object, to, schemas));
            },
          }),
    },
    defaults: (object) => object,
    strategy: strategy(hasStatus, { group, resource: names.plural }, state),
    validate: (object, context) => validation.create(object, context),
    validateUpdate: (object, old, context) => validation.update(object, old, context),
    validateName: nameIsDNSSubdomain,
    columns,
    row,
    fieldSelectors: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => {
        const path = compileJsonPath(jsonPath);
        return [jsonPath.replace(/^\./, ''), (object: KubernetesObject) => String(path(object)[0] ?? '')];
      }),
    ),
    warnings: finalizerWarnings,
    ...(version.deprecated === true ? { deprecation: deprecation(definition, names, version) } : {}),
  };
}

/** The warning of a deprecated version: its own, or one that names the best version that is not. */
function deprecation(
  { spec }: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  version: CustomResourceDefinitionVersion,
): string {
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const text = `${spec.group}/${version.name} ${names.kind} is deprecated`;
  const [best] = spec.versions
    .filter((v) => v.served && v.deprecated !== true && compareVersions(version.name, v.name) < 0)
    .map((v) => v.name)
    .sort((a, b) => compareVersions(b, a));
  return best === undefined ? text : `${text}; use ${spec.group}/${best} ${names.kind}`;
}

/** A stored object as one version shows it; the same object where nothing has to change. */
function readStored(object: KubernetesObject, apiVersion: string, schemas: ReadonlyMap<string, ObjectSchema>): KubernetesObject {
  const storedIn = object.apiVersion ?? '';
  const before = schemas.get(storedIn.slice(storedIn.indexOf('/') + 1));
  const pruned = coerced(object, storedIn, schemas);
  const read = before === undefined ? pruned : applyDefaults(before, pruned);
  return storedIn === apiVersion ? read : coerced({ ...read, apiVersion }, apiVersion, schemas);
}

/** Without what a version's schema does not know. */
function coerced(object: KubernetesObject, apiVersion: string, schemas: ReadonlyMap<string, ObjectSchema>): KubernetesObject {
  const schema = schemas.get(apiVersion.slice(apiVersion.indexOf('/') + 1));
  return schema === undefined ? object : prune(schema, object).object;
}

function strategy(hasStatus: boolean, subject: ErrorSubject, state: DefinitionState): Strategy {
  return {
    allowCreateOnUpdate: false,
    allowUnconditionalUpdate: false,
    prepareForCreate: (object) => {
      if (state.terminating) {
        const detail = 'create not allowed while custom resource definition is terminating';
        throw forbiddenError(subject, object.metadata?.name ?? '', detail);
      }
      const { status: _status, ...rest } = object as CustomObject;
      return withGeneration(hasStatus ? rest : object, 1);
    },
    prepareForUpdate: (object, old) => {
      const kept = hasStatus ? withStatusOf(object, old) : object;
      const { metadata: _new, ...after } = kept;
      const { metadata: _old, ...before } = old;
      const generation = old.metadata?.generation ?? 0;
      return withGeneration(kept, deepEqual(after, before) ? generation : generation + 1);
    },
  };
}

function withStatusOf(object: CustomObject, from: CustomObject): KubernetesObject {
  const { status: _status, ...rest } = object;
  const combined: CustomObject = from.status === undefined ? rest : { ...rest, status: from.status };
  return combined;
}

/** An update through `status`: the old object with the new status, and who manages which field. */
function keepAllButStatus(object: KubernetesObject, old: KubernetesObject): KubernetesObject {
  const { managedFields: _fields, ...metadata } = old.metadata ?? {};
  const managedFields = object.metadata?.managedFields;
  return {
    ...withStatusOf(old, object),
    metadata: managedFields === undefined ? metadata : { ...metadata, managedFields },
  };
}

/** Everything that a version's schema asks of an object. */
class CustomValidation {
  readonly #schema: JSONSchemaProps;
  readonly #scale: CustomResourceSubresourceScale | undefined;
  readonly #values: ValueValidator;
  readonly #status: ValueValidator | undefined;
  readonly #rules: RuleValidator | undefined;

  constructor(version: CustomResourceDefinitionVersion) {
    const { schema } = version;
    this.#schema = schema?.openAPIV3Schema ?? everything;
    this.#scale = version.subresources?.scale;
    this.#values = valueValidator(this.#schema);
    this.#rules = ruleValidator(this.#schema);
    const status = this.#schema.properties?.['status'];
    this.#status = status === undefined ? undefined : valueValidator(status);
  }

  create(object: KubernetesObject, context: RequestContext): readonly FieldError[] {
    const errors = [
      ...this.#values.validate(object, ''),
      ...this.#scaleFaults(object, true),
      ...embeddedResourceFaults(this.#schema, object),
      ...duplicateItems(this.#schema, object),
    ];
    return this.#withRules(errors, object, undefined, undefined, context);
  }

  update(object: KubernetesObject, old: KubernetesObject, context: RequestContext): readonly FieldError[] {
    const correlation = new Correlation(object, old, this.#schema);
    const errors = [
      ...this.#values.validate(object, '', correlation),
      ...this.#scaleFaults(object, true),
      ...embeddedResourceFaults(this.#schema, object),
      ...(duplicateItems(this.#schema, old).length === 0 ? duplicateItems(this.#schema, object) : []),
    ];
    return this.#withRules(errors, object, old, correlation, context);
  }

  statusUpdate(object: CustomObject, old: CustomObject, context: RequestContext): readonly FieldError[] {
    const correlation = new Correlation(object, old, this.#schema);
    const errors = [
      ...(object.status === undefined || this.#status === undefined
        ? []
        : this.#status.validate(object.status, 'status', correlation.key('status'))),
      ...this.#scaleFaults(object, false),
      ...(duplicateItems(this.#schema, old).length === 0 ? duplicateItems(this.#schema, object) : []),
    ];
    return this.#withRules(errors, object, old, correlation, context);
  }

  #scaleFaults(object: KubernetesObject, spec: boolean): readonly FieldError[] {
    return this.#scale === undefined ? [] : scaleFaults(this.#scale, object, { spec });
  }

  #withRules(
    errors: readonly FieldError[],
    object: KubernetesObject,
    old: KubernetesObject | undefined,
    correlation: Correlation | undefined,
    context: RequestContext,
  ): readonly FieldError[] {
    if (this.#rules === undefined) return errors;
    // Rules are not run over an object whose shape is wrong (upstream's hasBlockingErr).
    if (errors.some((e) => blocking.has(e.type))) return [...errors, notChecked];
    return [...errors, ...this.#rules.validate(object, old, correlation, (text) => void context.warnings.push(text))];
  }
}

const blocking: ReadonlySet<FieldErrorType> = new Set<FieldErrorType>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

const notChecked: FieldError = invalid(
  NO_PATH,
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);

const standardFinalizers: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

function finalizerWarnings(object: KubernetesObject, old: KubernetesObject | undefined): readonly string[] {
  const before = new Set(old?.metadata?.finalizers);
  const added = (object.metadata?.finalizers ?? []).filter((name) => !before.has(name));
  return [...new Set(added)].sort().flatMap((name) => {
    const at = `${new FieldPath('metadata').child('finalizers')}: ${JSON.stringify(name)}`;
    const warnings = isQualifiedName(name).map((message) => `${at}: ${message}`);
    if (name.includes('/') || standardFinalizers.has(name)) return warnings;
    const path = name.includes('.') ? ' including a path (/)' : '';
    return [
      ...warnings,
      `${at}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`,
    ];
  });
}
