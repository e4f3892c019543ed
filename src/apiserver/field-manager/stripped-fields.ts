import { difference, type FieldSet, fieldElement, setOf } from '../../api/apply/index.ts';

/** What names and dates an object, and what the server sets by itself: nobody owns it. */
const paths = [
  'apiVersion',
  'kind',
  'metadata',
  'metadata.name',
  'metadata.namespace',
  'metadata.creationTimestamp',
  'metadata.selfLink',
  'metadata.uid',
  'metadata.clusterName',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
];

const stripped = setOf(...paths.map((path) => path.split('.').map(fieldElement)));

/** The set without the fields that are never owned. */
export const withoutStripped = (set: FieldSet): FieldSet => difference(set, stripped);
