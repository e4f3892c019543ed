import { type FieldError, required } from '../../meta/field-error.ts';
import { nameIsDNSSubdomain } from '../../meta/names.ts';
import { parseApiVersion } from '../../meta/object.ts';
import type { ControllerRevision } from '../../types/apps-v1.ts';
import { age, ageColumn, column, groupVersion, nameColumn } from '../define.ts';
import { immutable, nonNegative } from '../field-checks.ts';

const define = groupVersion('apps', 'v1');

function validate(object: ControllerRevision): readonly FieldError[] {
  return [
    ...(object.data === undefined || object.data === null ? [required('data', 'data is mandatory')] : []),
    ...nonNegative('revision', object.revision),
  ];
}

/** `statefulset.apps/web`: whose revision it is. */
function controller(object: ControllerRevision): string {
  const owner = object.metadata?.ownerReferences?.find((o) => o.controller === true);
  if (owner === undefined) return '<none>';
  const { group } = parseApiVersion(owner.apiVersion);
  return `${owner.kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${owner.name}`;
}

/** A state that a DaemonSet or StatefulSet once had: kept to go back to, never changed. */
export const controllerRevision = define<ControllerRevision>({
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  validate,
  validateUpdate: (object, old) => [...validate(object), ...immutable('data', object.data, old.data)],
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column('Controller', 'string', 'Controller of the object'),
    column('Revision', 'string', 'Revision indicates the revision of the state represented by Data.'),
    ageColumn,
  ],
  row: (object, now) => [
    object.metadata?.name ?? '',
    controller(object),
    object.revision ?? 0,
    age(object.metadata?.creationTimestamp, now),
  ],
});
