import { nameIsDNSSubdomain } from '../../meta/names.ts';
import type { PodTemplate } from '../../types/core-v1.ts';
import { column, deepEqual, groupVersion, nameColumn, withGeneration } from '../define.ts';
import { formatLabels } from '../field-checks.ts';
import { mapField, withFields } from './copy-on-change.ts';
import { prepareTemplate } from './pod.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { validatePodTemplateSpec } from './pod-validation.ts';
import { podTemplateWarnings } from './pod-warnings.ts';
import { containerCells } from './template-cells.ts';

const define = groupVersion('', 'v1');

/** Templates for pods that stand by themselves. */
export const podTemplate = define<PodTemplate>({
  kind: 'PodTemplate',
  plural: 'podtemplates',
  namespaced: true,
  defaults: (object) => withFields(object, { template: defaultPodTemplate(object.template ?? {}) }),
  strategy: {
    prepareForCreate: (object) =>
      withGeneration(
        mapField(object, 'template', (t) => prepareTemplate(t, undefined)),
        1,
      ),
    prepareForUpdate: (object, old) => {
      const next = mapField(object, 'template', (t) => prepareTemplate(t, old.template));
      const before = old.metadata?.generation ?? 0;
      return withGeneration(next, deepEqual(next.template, old.template) ? before : before + 1);
    },
  },
  validate: (object) => validatePodTemplateSpec(object.template ?? {}, 'template'),
  validateUpdate: (object, old) => validatePodTemplateSpec(object.template ?? {}, 'template', old.template),
  validateName: nameIsDNSSubdomain,
  columns: [
    nameColumn,
    column('Containers', 'string', 'Names of each container in the template.'),
    column('Images', 'string', 'Images referenced by each container in the template.'),
    column('Pod Labels', 'string', 'The labels for the pod template.'),
  ],
  row: (object) => [
    object.metadata?.name ?? '',
    ...containerCells(object.template?.spec?.containers),
    formatLabels(object.template?.metadata?.labels),
  ],
  warnings: (object, old) => (old === undefined ? podTemplateWarnings(object.template, 'template') : []),
});
