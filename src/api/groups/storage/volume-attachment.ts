import { type FieldError, FieldPath, forbidden, invalid, required, tooLong } from '../../meta/field-error.ts';
import { isDNS1123Subdomain, nameIsDNSSubdomain } from '../../meta/names.ts';
import type { VolumeAttachment } from '../../types/storage-v1.ts';
import { driverNameFaults } from '../core/csi-driver-name.ts';
import { age, column, deepEqual, groupVersion, keptByStatus, standardColumns } from '../define.ts';
import { check } from '../field-checks.ts';

const define = groupVersion('storage.k8s.io', 'v1');
const spec = new FieldPath('spec');
const status = new FieldPath('status');
/** In bytes. */
const most = { metadata: 256 * 1024, message: 1024 } as const;

function sourceFaults(object: VolumeAttachment): readonly FieldError[] {
  const { inlineVolumeSpec, persistentVolumeName } = object.spec?.source ?? {};
  const path = spec.child('source');
  const detail = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) return [required(path, detail)];
  if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) return [forbidden(path, detail)];
  if (persistentVolumeName === undefined) return [];
  const at = path.child('persistentVolumeName');
  if (persistentVolumeName === '') return [required(at, 'must specify non empty persistentVolumeName')];
  return check(at, persistentVolumeName, isDNS1123Subdomain);
}

function validateStatus(object: VolumeAttachment): readonly FieldError[] {
  const errors: FieldError[] = [];
  const { attachmentMetadata = {}, attachError, detachError } = object.status ?? {};
  const size = Object.entries(attachmentMetadata).reduce((sum, [k, v]) => sum + Buffer.byteLength(k) + Buffer.byteLength(v), 0);
  if (size > most.metadata) errors.push(tooLong(status.child('attachmentMetadata'), most.metadata));
  for (const [name, error] of [['attachError', attachError] as const, ['detachError', detachError] as const]) {
    if (Buffer.byteLength(error?.message ?? '') > most.message) {
      errors.push(tooLong(status.child(name, 'message'), most.message));
    }
  }
  return errors;
}

const validate = (object: VolumeAttachment): readonly FieldError[] => [
  ...driverNameFaults(spec.child('attacher'), object.spec?.attacher ?? ''),
  ...sourceFaults(object),
  ...check(spec.child('nodeName'), object.spec?.nodeName ?? '', isDNS1123Subdomain),
  ...validateStatus(object),
];

export const volumeAttachment = define<VolumeAttachment>({
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  status: true,
  statusKeeps: keptByStatus,
  generation: false,
  emptyStatus: { attached: false },
  strategy: { allowUnconditionalUpdate: false },
  validate,
  validateUpdate: (object, old) => {
    const errors = validate(object);
    return deepEqual(object.spec, old.spec) ? errors : [...errors, invalid(spec, object.spec, 'field is immutable')];
  },
  validateStatusUpdate: validateStatus,
  validateName: nameIsDNSSubdomain,
  columns: standardColumns(
    {
      ...column(
        'Attacher',
        'string',
        'attacher indicates the name of the volume driver that MUST handle this request. This is the name returned by GetPluginName().',
      ),
      format: 'name',
    },
    column('PV', 'string', 'persistentVolumeName represents the name of the persistent volume to attach.'),
    column('Node', 'string', 'nodeName represents the node that the volume should be attached to.'),
    column(
      'Attached',
      'boolean',
      'attached indicates the volume is successfully attached. This field must only be set by the entity completing the attach operation, i.e. the external-attacher.',
    ),
  ),
  row: (object, now) => [
    object.metadata?.name ?? '',
    object.spec?.attacher ?? '',
    object.spec?.source?.persistentVolumeName ?? '',
    object.spec?.nodeName ?? '',
    object.status?.attached ?? false,
    age(object.metadata?.creationTimestamp, now),
  ],
});
