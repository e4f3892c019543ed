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

/** `a=1,b=2` in the order of the keys; `<none>` without labels (apimachinery `labels.FormatLabels`). */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const text = Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels?.[key]}`)
    .join(',');
  return text === '' ? '<none>' : text;
}

/**
 * A label selector as tables and scale.status.selector show it: requirements in the order of their keys (apimachinery
 * `metav1.LabelSelectorAsSelector(…).String()`). '' for a selector of everything.
 */
export function selectorText(selector: LabelSelector | undefined): string {
  const requirements: { readonly key: string; readonly text: string }[] = [];
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) requirements.push({ key, text: `${key}=${value}` });
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const set = `(${[...values].sort().join(',')})`;
    if (operator === 'In') requirements.push({ key, text: `${key} in ${set}` });
    else if (operator === 'NotIn') requirements.push({ key, text: `${key} notin ${set}` });
    else if (operator === 'Exists') requirements.push({ key, text: key });
    else if (operator === 'DoesNotExist') requirements.push({ key, text: `!${key}` });
  }
  requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return requirements.map((r) => r.text).join(',');
}

/** As `selectorText`, with `<none>` for nothing (apimachinery `metav1.FormatLabelSelector`). */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  const text = selectorText(selector);
  return text === '' ? '<none>' : text;
}
