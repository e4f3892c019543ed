import { milliValue, Quantity, quantityValue } from '../../api/meta/quantity.ts';
import type { Pod, ResourceFieldSelector, ResourceList } from '../../api/types/core-v1.ts';
import { type AnyContainer, allContainers } from '../pods/pod-spec.ts';

/** What the downward API can tell beside the pod itself. */
export interface DownwardContext {
  readonly nodeName: string;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** Stands in for limits a container does not set. */
  readonly allocatable: ResourceList;
}

/** A field path nobody knows, or one that needs a container that is not there. */
export class DownwardError extends Error {
  override readonly name = 'DownwardError';
}

const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** The value of a `fieldRef`, for environment variables and files (fieldpath.ExtractFieldPathAsString and podFieldSelectorRuntimeValue). */
export function fieldValue(path: string, pod: Pod, context: DownwardContext): string {
  const sub = subscript.exec(path);
  if (sub !== null) {
    const map = sub[1] === 'labels' ? pod.metadata?.labels : pod.metadata?.annotations;
    return map?.[sub[2]!] ?? '';
  }
  switch (path) {
    case 'metadata.name':
      return pod.metadata?.name ?? '';
    case 'metadata.namespace':
      return pod.metadata?.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata?.uid ?? '';
    case 'metadata.labels':
      return formatMap(pod.metadata?.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata?.annotations);
    case 'spec.nodeName':
      return pod.spec?.nodeName ?? context.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? '';
    case 'status.hostIP':
      return context.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return context.hostIPs.join(',');
    case 'status.podIP':
      return context.podIPs[0] ?? '';
    case 'status.podIPs':
      return context.podIPs.join(',');
    default:
      throw new DownwardError(`unsupported fieldPath: ${path}`);
  }
}

/** `key="value"` lines in key order, values quoted as Go does. */
export function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((k) => `${k}=${JSON.stringify(map![k])}`)
    .join('\n');
}

/** The value of a `resourceFieldRef`: the amount divided by the divisor, rounded up. */
export function resourceValue(
  selector: ResourceFieldSelector,
  pod: Pod,
  self: AnyContainer | undefined,
  context: DownwardContext,
): string {
  const container =
    selector.containerName === undefined || selector.containerName === ''
      ? self
      : allContainers(pod).find((c) => c.name === selector.containerName);
  if (container === undefined) throw new DownwardError(`container ${selector.containerName ?? ''} not found`);
  const dot = selector.resource.indexOf('.');
  const which = selector.resource.slice(0, dot);
  const name = selector.resource.slice(dot + 1);
  if (which !== 'limits' && which !== 'requests')
    throw new DownwardError(`Unsupported container resource : ${selector.resource}`);
  let amount = container.resources?.[which]?.[name];
  // A limit that is not set is the pod's, or what the node can give (resource.MergeContainerResourceLimits).
  if (which === 'limits' && (amount === undefined || Quantity.parse(amount).isZero)) {
    amount = pod.spec?.resources?.limits?.[name] ?? context.allocatable[name];
  }
  const read = name === 'cpu' ? milliValue : quantityValue;
  return String(Math.ceil(read(amount) / (read(selector.divisor) || read('1'))));
}
