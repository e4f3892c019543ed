import { type LabelSelector, selectorFromObject } from '../../../api/meta/label-selector.ts';
import type { KubernetesObject } from '../../../api/meta/object.ts';
import { notFound } from '../../../api/meta/status.ts';
import type { Namespace } from '../../../api/types/core-v1.ts';
import type { LabelSelector as LabelSelectorObject } from '../../../api/types/meta-v1.ts';
import type { AdmissionAttributes, ApiAccess } from '../../contract.ts';

/** Which namespaces and objects a webhook or policy is about. */
export interface Selectors {
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
}

/** The selectors of a configuration; one that is left out selects everything. */
export const selectorsOf = (given: {
  readonly namespaceSelector?: LabelSelectorObject;
  readonly objectSelector?: LabelSelectorObject;
}): Selectors => ({
  namespaceSelector: selectorFromObject(given.namespaceSelector ?? {}),
  objectSelector: selectorFromObject(given.objectSelector ?? {}),
});

/** Whether the namespace is selected; the error when it is not there, which matters only if all else matches. */
export function selectsNamespace(
  { namespaceSelector }: Selectors,
  attributes: AdmissionAttributes,
  access: ApiAccess,
): boolean | Error {
  const { namespace, resource, subresource, operation, object, name } = attributes;
  const ofNamespace = resource.group === '' && resource.resource === 'namespaces';
  if ((namespace === '' && !ofNamespace) || namespaceSelector.requirements.length === 0) return true;
  if (ofNamespace && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) {
    return namespaceSelector.matches(object?.metadata?.labels);
  }
  const wanted = ofNamespace ? name : namespace;
  const found = access.view<Namespace>('', 'namespaces')?.get('', wanted);
  if (found === undefined) return notFound({ group: '', resource: 'namespaces' }, wanted);
  return namespaceSelector.matches(found.metadata?.labels);
}

/** The labels before or after the write will do. */
export function selectsObject({ objectSelector }: Selectors, { object, oldObject }: AdmissionAttributes): boolean {
  if (objectSelector.requirements.length === 0) return true;
  const selects = (o: KubernetesObject | undefined): boolean => o !== undefined && objectSelector.matches(o.metadata?.labels);
  return selects(object) || selects(oldObject);
}
