import { formatLabelSelector, SelectorError } from '../../meta/label-selector.ts';
import type { LabelSelector } from '../../meta/object.ts';
import type { TableColumn } from '../../resource.ts';
import type { Container } from '../../types/core-v1.ts';
import { column } from '../define.ts';

/** Table cells that every workload shows of its pod template. */

/** The names and the images of `containers`, comma-separated: the Containers and Images cells. */
export function containerCells(containers: readonly Container[] | undefined): readonly [names: string, images: string] {
  if (containers === undefined) return ['', ''];
  let names = '';
  let images = '';
  for (const container of containers) {
    const comma = names === '' ? '' : ',';
    names += comma + container.name;
    images += comma + (container.image ?? '');
  }
  return [names, images];
}

/** The wide columns of a workload: Containers, Images and Selector. */
export const containersColumn: TableColumn = column('Containers', 'string', 'Names of each container in the template.', 1);
export const imagesColumn: TableColumn = column('Images', 'string', 'Images referenced by each container in the template.', 1);
export const selectorColumn = (description: string): TableColumn => column('Selector', 'string', description, 1);

/**
 * A label selector as tables show it (apimachinery `metav1.FormatLabelSelector`), `none` for nothing. One that cannot be read, as only
 * old objects have, does not keep the others from being shown.
 */
export function selectorCell(selector: LabelSelector | undefined, none = '<none>'): string {
  try {
    return formatLabelSelector(selector) || none;
  } catch (err) {
    if (err instanceof SelectorError) return '<error>';
    throw err;
  }
}
