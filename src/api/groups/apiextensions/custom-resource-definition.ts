import { isKnownFormat } from '../../custom-resource/formats.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { formatTime } from '../../meta/time.ts';
import type { RequestContext } from '../../resource.ts';
import type { CustomResourceDefinition } from '../../types/apiextensions-v1.ts';
import { deepEqual, groupVersion, plainColumns, plainRow, withGeneration } from '../define.ts';
import { defaultClientConfig } from '../webhook-client.ts';
import { validateDefinition, validateDefinitionNames, validateDefinitionUpdate } from './definition-validation.ts';
import { someSchema } from './structural-schema.ts';

const define = groupVersion('apiextensions.k8s.io', 'v1');

type Definition = CustomResourceDefinition;

function defaults(object: Definition): Definition {
  const s = object.spec;
  const { kind = '', singular, listKind } = s?.names ?? {};
  const client = s?.conversion?.webhook?.clientConfig;
  const conversion =
    s?.conversion === undefined
      ? { strategy: 'None' }
      : client === undefined
        ? s.conversion
        : { ...s.conversion, webhook: { ...s.conversion.webhook!, clientConfig: defaultClientConfig(client) } };
  const names = {
    ...s?.names,
    ...(singular || kind === '' ? {} : { singular: kind.toLowerCase() }),
    ...(listKind || kind === '' ? {} : { listKind: `${kind}List` }),
  };
  return withStoredVersion({ ...object, spec: { ...s, names, conversion } as Definition['spec'] }, false);
}

/** The storage version is among those that objects may be stored in; once there it stays, until a migration takes it off. */
function withStoredVersion(object: Definition, always: boolean): Definition {
  const stored = object.status?.storedVersions ?? [];
  const version = object.spec?.versions?.find((v) => v.storage === true)?.name;
  if (version === undefined || stored.includes(version) || (stored.length > 0 && !always)) return object;
  return { ...object, status: { ...object.status, storedVersions: [...stored, version] } };
}

export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/** A deleted definition waits until its objects are gone. */
function prepareForDelete(object: Definition, context: RequestContext): Definition {
  if (object.metadata?.deletionTimestamp !== undefined) return object;
  const finalizers = object.metadata?.finalizers ?? [];
  const now = formatTime(context.now);
  const terminating = {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: now,
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  };
  const conditions = (object.status?.conditions ?? []).filter((c) => c.type !== 'Terminating');
  return {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: now,
      finalizers: finalizers.includes(CLEANUP_FINALIZER) ? finalizers : [...finalizers, CLEANUP_FINALIZER],
    },
    status: { ...object.status, conditions: [...conditions, terminating] },
  };
}

/** Formats that mean nothing; of an update, those that were not there before. */
function formatWarnings(object: Definition, old: Definition | undefined): readonly string[] {
  const unknown = (definition: Definition | undefined): ReadonlySet<string> => {
    const found = new Set<string>();
    for (const { schema } of definition?.spec?.versions ?? []) {
      if (schema?.openAPIV3Schema === undefined) continue;
      someSchema(schema.openAPIV3Schema, ({ type = '', format }) => {
        if (format && !isKnownFormat(type, format)) found.add(format);
        return false;
      });
    }
    return found;
  };
  const before = unknown(old);
  return [...unknown(object)]
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

/** The names are spoken for and the type is served: set by the controllers of the API server. */
const nothingAccepted = { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: [] } as const;

export const customResourceDefinition = define<Definition>({
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  type: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  storagePrefix: '/registry/apiextensions.k8s.io/customresourcedefinitions',
  status: true,
  defaults,
  strategy: {
    allowUnconditionalUpdate: false,
    prepareForDelete,
    prepareForCreate: (object) => withStoredVersion(withGeneration({ ...object, status: nothingAccepted }, 1), true),
    prepareForUpdate: (object, old) => {
      const { status: _status, ...rest } = object;
      const kept = withStoredVersion(old.status === undefined ? rest : { ...rest, status: old.status }, true);
      const before = old.metadata?.generation ?? 0;
      return withGeneration(kept, deepEqual(kept.spec, old.spec) ? before : before + 1);
    },
  },
  validate: validateDefinition,
  validateUpdate: validateDefinitionUpdate,
  validateStatusUpdate: (object) => validateDefinitionNames(object.status?.acceptedNames, 'status.acceptedNames'),
  validateName: nameIsDNSSubdomain,
  columns: plainColumns,
  row: plainRow,
  warnings: formatWarnings,
});
