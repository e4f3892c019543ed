import { age, ageColumn, column, nameColumn } from '../../api/groups/define.ts';
import type { Resource, TableColumn } from '../../api/resource.ts';
import type { Scale } from '../../api/types/autoscaling-v1.ts';
import type { TableForm } from './scope.ts';

const columns = (name: TableColumn, desired: string, available: string, created: TableColumn): readonly TableColumn[] => [
  name,
  column('Desired', 'integer', desired),
  column('Available', 'integer', available),
  created,
];

const builtinColumns = columns(
  { ...nameColumn, format: '' },
  'replicas is the desired number of instances for the scaled object.',
  'replicas is the actual number of observed instances of the scaled object.',
  ageColumn,
);
const customColumns = columns(nameColumn, 'Number of desired replicas', 'Number of actual replicas', {
  ...ageColumn,
  type: 'date',
});

const row = (scale: Scale, now: number): readonly unknown[] => [
  scale.metadata?.name ?? '',
  scale.spec?.replicas ?? 0,
  scale.status?.replicas ?? 0,
  age(scale.metadata?.creationTimestamp, now),
];

/** How upstream shows the Scale of a type: that of custom resources has descriptions of its own. */
export const scaleTable = ({ schema }: Pick<Resource, 'schema'>): TableForm => ({
  columns: schema.kind === 'object' && schema.name !== undefined ? builtinColumns : customColumns,
  row: (object, now) => row(object as Scale, now),
});
