import type { ComponentStatus } from '../../types/core-v1.ts';
import { column, groupVersion, nameColumn } from '../define.ts';

const define = groupVersion('', 'v1');

/** Read-only and never stored: the API server makes these up when asked. */
export const componentStatus = define<ComponentStatus>({
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  namespaced: false,
  shortNames: ['cs'],
  verbs: ['get', 'list'],
  validate: () => [],
  validateName: () => [],
  columns: [
    nameColumn,
    column('Status', 'string', 'Status of the component conditions'),
    column('Message', 'string', 'Message of the component conditions'),
    column('Error', 'string', 'Error of the component conditions'),
  ],
  row: (object) => {
    const healthy = object.conditions?.find((c) => c.type === 'Healthy');
    const status = healthy === undefined ? 'Unknown' : healthy.status === 'True' ? 'Healthy' : 'Unhealthy';
    return [object.metadata?.name ?? '', status, healthy?.message ?? '', healthy?.error ?? ''];
  },
  warnings: () => ['v1 ComponentStatus is deprecated in v1.19+'],
});
